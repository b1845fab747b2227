"""What the site's file keeps instead of passwords and tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from ..core.errors import ConfigError

# scrypt with 32 MiB, one of the equal choices of OWASP's Password Storage Cheat Sheet (N = 2^15, r = 8, p = 3).
COST, _R, _P = 2**15, 8, 3
# What a kept password may ask for: from a blink (tests) to 128 MiB, OWASP's largest choice.
_LEAST_COST, _MOST_COST = 2**10, 2**17
_SALT_BYTES, _KEY_BYTES = 16, 32
_SCHEME = "scrypt"


def password_hash(password: str, cost: int = COST) -> str:
    """What stands in the site's file for a password: "scrypt$N$r$p$salt$key"; cost is N."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return "$".join((_SCHEME, str(cost), str(_R), str(_P), _text(salt), _text(_derived(password, salt, cost))))


def password_fits(password: str, stored: str) -> bool:
    """True when the password is the one that was stored; takes as long either way.

    Raises ConfigError when what is stored is no hash of ours.
    """
    cost, salt, key = _parts(stored)
    return hmac.compare_digest(_derived(password, salt, cost), key)


def check_password_hash(stored: str) -> None:
    """Raises ConfigError when a text of the site's file is no hash that password_hash makes."""
    _parts(stored)


def new_token() -> str:
    """A token that nobody can guess: 256 bits."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What stands in the site's file for a token; a fast hash is enough for 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


def _derived(password: str, salt: bytes, cost: int) -> bytes:
    memory = 2 * 128 * cost * _R  # OpenSSL wants a little more than 128 * N * r bytes
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=_R, p=_P, maxmem=memory, dklen=_KEY_BYTES)


def _parts(stored: str) -> tuple[int, bytes, bytes]:
    """N, salt and key."""
    try:
        scheme, n, r, p, salt, key = stored.split("$")
        cost = int(n)
        wrong_cost = cost & (cost - 1) or not _LEAST_COST <= cost <= _MOST_COST
        if scheme != _SCHEME or (int(r), int(p)) != (_R, _P) or wrong_cost:
            raise ValueError
        return cost, base64.b64decode(salt, validate=True), base64.b64decode(key, validate=True)
    except ValueError as error:
        raise ConfigError(
            "A password in the site's file is not in the form that the node keeps.",
            next_step="Make it with: neurotriage node password",
        ) from error


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
