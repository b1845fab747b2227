"""Where a model pack's bytes lie, a folder or a zip: plain file names only, bounded sizes, nothing is unpacked."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Protocol, Self

from ..core.errors import ModelError

MAX_FILE_BYTES = 1 << 30
"""A file in a pack may have at most 1 GiB; the published network has 55 MB in half precision (not stated; ours)."""


class PackSource(Protocol):
    """Reads single files of a pack by their plain name; raises ModelError."""

    path: Path

    def read(self, name: str) -> bytes:
        """The whole file."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class FolderSource:
    """A pack as a folder; manifest_file is the file that makes a folder a pack."""

    def __init__(self, path: Path, manifest_file: str) -> None:
        self.path = path
        if not (path / manifest_file).is_file():
            raise ModelError(
                f"This is no model pack: the folder has no {manifest_file}.",
                where=str(path),
                next_step="Check the path.",
            )

    def read(self, name: str) -> bytes:
        """The whole file."""
        file = self.path / _plain(name, self.path)
        try:
            if file.stat().st_size > MAX_FILE_BYTES:
                raise _too_large(name, self.path)
            return file.read_bytes()
        except FileNotFoundError as error:
            raise _missing(name, self.path) from error
        except OSError as error:
            raise ModelError(f"{name} of the model pack cannot be read: {error.strerror}.", where=str(file)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class ZipSource:
    """A pack as a zip, its files at the top or in one folder."""

    def __init__(self, path: Path, manifest_file: str) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise ModelError("The model pack's zip cannot be opened.", where=str(path)) from error
        names = self._zip.namelist()
        for name in names:
            if name.startswith("/") or "\\" in name or ":" in name or ".." in PurePosixPath(name).parts:
                self._zip.close()
                raise ModelError("The model pack's zip holds a path that leads out of it.", where=str(path))
        manifests = [name for name in names if PurePosixPath(name).name == manifest_file and name.count("/") <= 1]
        if len(manifests) != 1:
            self._zip.close()
            raise ModelError(f"This is no model pack: the zip has no single {manifest_file}.", where=str(path))
        self._prefix = manifests[0].removesuffix(manifest_file)

    def read(self, name: str) -> bytes:
        """The whole file; never more than MAX_FILE_BYTES, whatever the zip's directory claims."""
        try:
            with self._zip.open(self._prefix + _plain(name, self.path)) as stream:
                content = stream.read(MAX_FILE_BYTES + 1)
        except KeyError as error:
            raise _missing(name, self.path) from error
        except (OSError, RuntimeError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
            raise ModelError(f"{name} cannot be read from the model pack's zip.", where=str(self.path)) from error
        if len(content) > MAX_FILE_BYTES:
            raise _too_large(name, self.path)
        return content

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()


def _plain(name: str, path: Path) -> str:
    """The name itself when it is one plain file name, ModelError otherwise."""
    if not name or name in (".", "..") or any(sign in name for sign in "/\\:\0"):
        raise ModelError("The model pack names a file outside of itself.", where=str(path))
    return name


def _missing(name: str, path: Path) -> ModelError:
    return ModelError(f"The model pack lacks {name}.", where=str(path), next_step="Get the pack again.")


def _too_large(name: str, path: Path) -> ModelError:
    return ModelError(f"{name} of the model pack is larger than {MAX_FILE_BYTES >> 20} MB.", where=str(path))
