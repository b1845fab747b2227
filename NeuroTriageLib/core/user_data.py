"""Where this user's own files lie on this computer: models that were accepted, heads that were prepared."""

from __future__ import annotations

import os
import sys
from pathlib import Path

NAME = "NeuroTriage"


def user_data_folder() -> Path:
    """The folder that the operating system sets apart for a program's data of one user; it may not exist yet.

    Windows: LOCALAPPDATA; macOS: Library/Application Support; elsewhere XDG_DATA_HOME or ~/.local/share (XDG Base
    Directory Specification).
    """
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return base / NAME
