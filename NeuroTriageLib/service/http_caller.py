"""Whose request it is: bearer token, name and password (Basic), or the session of the page; and what it may do."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from fastapi import HTTPException, Request

from .http_access import Access
from .site_config import HttpUser

Right = Literal["read", "send", "metrics"]
SESSION_COOKIE = "neurotriage_session"


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Args:
        name: of the site's file.
        by_cookie: by the page's session, not by a secret that the request itself carries.
    """

    name: str
    by_cookie: bool


def may(right: Right) -> Callable[[Request], Caller]:
    """A dependency of FastAPI: the caller, when it has the right; 401 for nobody, 403 for who may not."""

    def checked(request: Request) -> Caller:
        user, by_cookie = _user_of(request)
        if user is None:
            raise HTTPException(401, headers={"www-authenticate": "Bearer"})
        if right not in user.may:
            raise HTTPException(403)
        return Caller(user.name, by_cookie)

    return checked


def address_of(request: Request) -> str:
    """Where it comes from."""
    return request.client.host if request.client is not None else ""


def check_same_site(request: Request) -> None:
    """Refuse (403) a form that a page of another site makes the browser send.

    Browsers tell the page's origin with every POST (Fetch Standard, 3.2); programs need not.
    """
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403)


def _user_of(request: Request) -> tuple[HttpUser | None, bool]:
    access: Access = request.app.state.access
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return access.by_token(secret.strip(), address_of(request)), False
    if scheme.lower() == "basic":
        name, password = _name_and_password(secret)
        return access.by_password(name, password, address_of(request)), False
    return access.by_session(request.cookies.get(SESSION_COOKIE, "")), True


def _name_and_password(secret: str) -> tuple[str, str]:
    """RFC 7617."""
    try:
        name, _, password = base64.b64decode(secret, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise HTTPException(401) from error
    return name, password
