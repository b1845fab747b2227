"""What the site's file keeps instead of passwords and tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from ..core.errors import ConfigError

# scrypt with 32 MiB, one of the equal choices of OWASP's Password Storage Cheat Sheet (N = 2^15, r = 8, p = 3).
_N, _R, _P = 2**15, 8, 3
_SALT_BYTES, _KEY_BYTES = 16, 32
# OpenSSL wants a little more than 128 * N * r bytes; twice as much is always enough.
_MOST_MEMORY = 2 * 128 * _N * _R
_SCHEME = "scrypt"


def password_hash(password: str) -> str:
    """What stands in the site's file for a password: "scrypt$N$r$p$salt$key"."""
    salt = secrets.token_bytes(_SALT_BYTES)
    key = _derived(password, salt, _N, _R, _P)
    return "$".join((_SCHEME, str(_N), str(_R), str(_P), _text(salt), _text(key)))


def password_fits(password: str, stored: str) -> bool:
    """True when the password is the one that was stored; takes as long either way.

    Raises ConfigError when what is stored is no hash of ours.
    """
    n, r, p, salt, key = _parts(stored)
    return hmac.compare_digest(_derived(password, salt, n, r, p), key)


def check_password_hash(stored: str) -> None:
    """Raises ConfigError when a text of the site's file is no hash that password_hash makes."""
    _parts(stored)


def new_token() -> str:
    """A token that nobody can guess: 256 bits."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """What stands in the site's file for a token; a fast hash is enough for 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


def _derived(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MOST_MEMORY, dklen=_KEY_BYTES)


def _parts(stored: str) -> tuple[int, int, int, bytes, bytes]:
    try:
        scheme, n, r, p, salt, key = stored.split("$")
        if scheme != _SCHEME or (int(n), int(r), int(p)) != (_N, _R, _P):
            raise ValueError
        return _N, _R, _P, base64.b64decode(salt, validate=True), base64.b64decode(key, validate=True)
    except ValueError as error:
        raise ConfigError(
            "A password in the site's file is not in the form that the node keeps.",
            next_step="Make it with: neurotriage node password",
        ) from error


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
