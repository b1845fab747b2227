"""Reads the site's file, TOML, strictly into its dataclasses.

An unknown key, a wrong type or a value out of its range is an error that names the key. Relative paths are relative to
the file's own folder.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ..core.errors import ConfigError, InputError
from .site_config import SiteConfig


def read_site_file(path: Path) -> SiteConfig:
    """The settings of a site's file.

    Raises:
        InputError: it is not there, or no text.
        ConfigError: it is no TOML, or a key is unknown, missing or has a wrong value; names every one of them.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("The site's file cannot be read.", where=str(path), next_step="Check the path.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The site's file is no valid TOML: {error}.", where=str(path)) from error
    try:
        return TypeAdapter(SiteConfig).validate_python(document, context={"folder": path.absolute().parent})
    except ValidationError as error:
        wrong = "; ".join(_told(item["loc"], item["msg"]) for item in error.errors(include_url=False))
        raise ConfigError(
            f"The site's file has wrong settings: {wrong}.",
            where=str(path),
            next_step="docs/node.md describes every key.",
        ) from error


def _told(place: tuple[int | str, ...], message: str) -> str:
    """ "destinations[0].port: Input should be ..." """
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    return f"{key or 'file'}: {message.removeprefix('Value error, ')}".replace(
        "Unexpected keyword argument", "unknown key"
    )
