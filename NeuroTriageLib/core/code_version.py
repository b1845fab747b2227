"""Which code made something: the version, and the git commit when the library lies in a repository."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .. import __version__

LIBRARY = Path(__file__).resolve().parents[1]
COMPUTING = ("torch", "numpy")
"""Packages whose version may change what is computed."""


def code_version() -> dict[str, str | bool]:
    """Plain values for a pack or a report.

    "neurotriage", "python" and the packages that compute; "commit" and "changed" (some file of the library differs from
    the commit) are absent when the library is not in a repository of its own or git is not installed.
    """
    found: dict[str, str | bool] = {"neurotriage": __version__, "python": platform.python_version()}
    for name in COMPUTING:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    top = _git("rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != LIBRARY.parent:  # else the repository that it was installed into
        return found
    commit = _git("rev-parse", "HEAD")
    if commit:
        found |= {"commit": commit, "changed": bool(_git("status", "--porcelain", "--", str(LIBRARY)))}
    return found


def _git(*arguments: str) -> str | None:
    """What git says in the library's folder; None when it cannot."""
    try:
        done = subprocess.run(["git", *arguments], cwd=LIBRARY, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
