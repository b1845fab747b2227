"""The door: a folder, zip or files become studies (headers only), and a series becomes a Volume."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from ..core.errors import DicomError, InputError, NeuroTriageError
from ..core.findings import QualityFlag
from ..core.study import Series, Study
from ..core.volume import Volume
from .archives import is_zip, unpack_zip
from .dicom_geometry import stack_slices
from .dicom_headers import ParsedFile, PatientKeys, is_dicom, quiet_pydicom, read_header
from .dicom_pixels import read_pixels
from .dicom_series import build_studies
from .image_files import image_format, read_image_volume, series_of_image


@dataclass(frozen=True)
class SkippedFile:
    """A file that is part of no series, and why."""

    path: Path
    reason: str


class OpenedInput:
    """The studies of an input; as a context manager it yields them and removes unpacked archives at the end.

    Args:
        studies: what was found, oldest first.
        skipped: files that were left out.
    """

    def __init__(
        self, studies: tuple[Study, ...], skipped: tuple[SkippedFile, ...], unpacked: tempfile.TemporaryDirectory | None
    ) -> None:
        self.studies, self.skipped, self._unpacked = studies, skipped, unpacked

    def __enter__(self) -> tuple[Study, ...]:
        return self.studies

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was unpacked; the studies' pixels can no longer be read when they came from a zip."""
        if self._unpacked is not None:
            self._unpacked.cleanup()
            self._unpacked = None


def open_input(path: str | Path | Sequence[str | Path]) -> OpenedInput:
    """Read the headers of everything below a folder, in a zip, or in the named files.

    Image files (NIfTI, NRRD) that lie in one folder make one study. Files that are no images are skipped.

    Raises:
        InputError: nothing there, no rights, nothing readable.
        DicomError: damaged DICOM only, or one series with images of several patients.
    """
    named = [Path(path)] if isinstance(path, str | Path) else [Path(item) for item in path]
    if not named:
        raise InputError("No input was named.", next_step="Name a folder, a zip archive or image files.")
    unpacked = None
    if len(named) == 1 and named[0].is_file() and is_zip(_first_bytes(named[0])):
        unpacked = tempfile.TemporaryDirectory(prefix="neurotriage-")
    try:
        if unpacked is not None:
            unpack_zip(named[0], Path(unpacked.name))
            return _open_files(named[0], _files_below(Path(unpacked.name)), unpacked)
        files = [file for item in named for file in _files_below(item)]
        return _open_files(named[0], files, None)
    except BaseException:
        if unpacked is not None:
            unpacked.cleanup()
        raise


def _files_below(path: Path) -> list[Path]:
    """The file itself, or all files below a folder in the order of their names."""
    if path.is_file():
        return [path]
    if not path.exists():
        raise InputError("The input does not exist.", where=str(path), next_step="Check the path.")
    found = []
    for folder, folders, names in os.walk(path, onerror=_refuse):
        folders.sort()
        found += [Path(folder) / name for name in sorted(names)]
    return [file for file in found if file.is_file()]  # no pipes, sockets or links to nothing


def _refuse(error: OSError) -> None:
    raise InputError(
        f"A folder cannot be read: {error.strerror or error}.",
        where=str(error.filename or ""),
        next_step="Check that you have the right to read it.",
    ) from error


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(352)
    except OSError as error:
        raise InputError(
            f"A file cannot be read: {error.strerror or error}.",
            where=str(path),
            next_step="Check that you have the right to read it.",
        ) from error


def _open_files(source: Path, files: list[Path], unpacked: tempfile.TemporaryDirectory | None) -> OpenedInput:
    found = _Found()
    with quiet_pydicom():
        for file in files:
            found.add(file)
    studies = found.studies()
    if studies:
        return OpenedInput(studies, tuple(found.skipped), unpacked)
    if found.errors:
        first = found.errors[0]
        if len(files) == 1:
            raise first
        raise type(first)(
            f"None of the {len(files)} files can be read. The first: {first.what}",
            where=first.where,
            next_step=first.next_step,
        )
    if not files:
        what = "The zip archive is empty." if unpacked is not None else "The folder is empty."
    elif len(files) == 1 and files[0] == source:
        what = "The file is neither DICOM nor NIfTI nor NRRD nor a zip archive."
        if source.suffix.lower() in (".dcm", ".dicom", ".ima"):
            raise DicomError(
                "The file is named like DICOM but is not DICOM.",
                where=str(source),
                next_step="Export the series again.",
            )
    else:
        what = f"None of the {len(files)} files is DICOM, NIfTI or NRRD."
    raise InputError(what, where=str(source), next_step="Name a folder with DICOM files, a zip of one, NIfTI or NRRD.")


class _Found:
    """What has been found so far among the files of an input."""

    def __init__(self) -> None:
        self.parsed: list[ParsedFile] = []
        self.images: dict[Path, list[Series]] = {}
        self.skipped: list[SkippedFile] = []
        self.errors: list[InputError] = []
        self._patients = PatientKeys()

    def add(self, path: Path) -> None:
        """Read one file's header, or note why not. Raises InputError when a file may not be opened."""
        start = _first_bytes(path)
        file_format = image_format(path, start)
        try:
            if is_dicom(start):
                self._add_dicom(path)
            elif file_format:
                series = series_of_image(path, file_format)
                self.images.setdefault(path.parent, []).append(series)
            elif is_zip(start):
                self.skipped.append(SkippedFile(path, "a zip archive among other files: name it by itself"))
            else:
                self.skipped.append(SkippedFile(path, "not an image"))
        except InputError as error:
            self.errors.append(error)
            self.skipped.append(SkippedFile(path, error.what))

    def _add_dicom(self, path: Path) -> None:
        parsed = read_header(path, self._patients)
        if parsed is None:
            self.skipped.append(SkippedFile(path, "a DICOM directory"))
        else:
            self.parsed.append(parsed)

    def studies(self) -> tuple[Study, ...]:
        """DICOM studies by date, then one study for each folder of image files."""
        return (*(self._noting_damage(study) for study in build_studies(self.parsed)), *self._image_studies())

    def _noting_damage(self, study: Study) -> Study:
        """Series from a folder in which a DICOM file was damaged may be incomplete: their flags say so."""
        damaged = Counter(Path(error.where).parent for error in self.errors if isinstance(error, DicomError))
        return replace(
            study, series=tuple(_with_damage(item, damaged[item.instances[0].path.parent]) for item in study.series)
        )

    def _image_studies(self) -> Iterator[Study]:
        for folder, series in self.images.items():
            uid = f"folder:{folder.name}" if len(series) > 1 else series[0].series_instance_uid
            yield Study(study_instance_uid=uid, patient_key="", study_date="", series=tuple(series))


def _with_damage(series: Series, count: int) -> Series:
    if not count:
        return series
    message = f"{count} damaged file{'s' if count > 1 else ''} in the folder could not be read; slices may be missing."
    return replace(series, flags=(*series.flags, QualityFlag("damaged_files", message, float(count))))


def read_volume(series: Series) -> tuple[Volume, tuple[QualityFlag, ...]]:
    """Read the pixels of a series: Hounsfield units for CT, each slice where it really lies.

    Slices are in the order that dicom_geometry.Stack describes (axial: from inferior to superior); sop_instance_uids
    and frame_numbers follow it.

    Raises:
        DicomError, InputError: pixels missing, truncated or undecodable; unknown rescale.
        GeometryError: the place of the slices cannot be known.
        SeriesSelectionError: a NIfTI or NRRD file whose values are not Hounsfield units.
    """
    try:
        if series.file_format != "dicom":
            volume, flags = read_image_volume(series)
            return volume, (*series.flags, *flags)
        return _read_dicom(series)
    except NeuroTriageError as error:
        if not error.where:
            raise type(error)(error.what, where=_name(series), next_step=error.next_step) from error
        raise


def _name(series: Series) -> str:
    return f'series "{series.description}"' if series.description else f"series {series.series_instance_uid}"


def _read_dicom(series: Series) -> tuple[Volume, tuple[QualityFlag, ...]]:
    stack = stack_slices(series.instances)
    array, pixel_flags = read_pixels(stack.instances)
    frames = tuple(item.frame_number for item in stack.instances)
    volume = Volume(
        array_kji=array,
        grid=stack.grid,
        modality=series.modality,
        series_instance_uid=series.series_instance_uid,
        sop_instance_uids=tuple(item.sop_instance_uid for item in stack.instances),
        frame_numbers=frames if any(frames) else (),
        source=str(stack.instances[0].path.parent),
    )
    return volume, (*series.flags, *stack.flags, *pixel_flags, *_lossy(series))


def _lossy(series: Series) -> Iterable[QualityFlag]:
    if any(str(item.header.get("LossyImageCompression", "")) == "01" for item in series.instances):
        yield QualityFlag("lossy_compression", "The images were compressed with loss; fine detail may be gone.")
