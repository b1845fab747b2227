"""The result folder: complete or not there at all, and nothing of the user's is overwritten without being told to."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ..core.errors import OutputError, no_rights, output_error
from ..core.findings import ExamResult
from .findings_json import write_findings_json
from .heatmap import write_heatmap, write_series_heatmap
from .report import write_report
from .result_files import (
    ALL_FILES,
    DICOM_FILES,
    FINDINGS_FILE,
    HEATMAP_FILE,
    MASKS_FILE,
    REPORT_FILE,
    RESULT_FILES,
    SCENE_FILE,
    file_name,
    further_names,
    written_names,
)
from .segmentation import write_masks

__all__ = [
    "DICOM_FILES", "FINDINGS_FILE", "HEATMAP_FILE", "MASKS_FILE", "REPORT_FILE", "RESULT_FILES", "SCENE_FILE",
    "DicomWriter", "SceneWriter", "check_output_folder", "write_outputs",
]  # fmt: skip

SceneWriter = Callable[[ExamResult, Path], None]
DicomWriter = Callable[[ExamResult, Path], None]
"""Given the result and the folder, in which it writes files of DICOM_FILES, with the contrast in an MRI's names."""


def check_output_folder(out_dir: Path, *, force: bool) -> None:
    """Refuse early, before minutes of work, what write_outputs would refuse at the end.

    Raises:
        OutputError: a file has that name, the folder holds something and force is off, or there are no rights.
    """
    try:
        if out_dir.exists() and not out_dir.is_dir():
            raise OutputError(
                "The output is a file, not a folder.", where=str(out_dir), next_step="Name another folder."
            )
        occupied = out_dir.is_dir() and any(out_dir.iterdir())
        nearest = next(folder for folder in (out_dir.absolute(), *out_dir.absolute().parents) if folder.exists())
    except OSError as error:
        raise output_error(error, out_dir) from error
    if occupied and not force:
        raise OutputError(
            "The output folder is not empty.",
            where=str(out_dir),
            next_step="Name another folder, or use --force to replace the results in it.",
        )
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise no_rights(nearest)


def write_outputs(
    result: ExamResult | Sequence[ExamResult],
    out_dir: Path,
    *,
    force: bool = False,
    write_scene: SceneWriter | None = None,
    write_dicom: DicomWriter | None = None,
) -> list[Path]:
    """Write every file of a result, and return where they are.

    They are written into a new folder beside out_dir (inside it, when it exists) and moved into place when all are
    complete; after any failure everything is as it was. With force the result files are replaced as a set (an older
    scene or DICOM object does not stay beside newer findings); the user's other files in the folder stay. A result
    without a reading has no masks, no heatmap and no scene, and that of a system that draws no masks has none of these:
    an empty mask would say that nothing was found.

    Args:
        result: what to write; of a study that was read on several series one result for each (result_files.py). They
            share findings.json and report.html.
        out_dir: the folder; made, with its parents, when it is not there.
        force: replace results that are already there.
        write_scene: writes one result's scene; None leaves it out. It may also write nothing.
        write_dicom: writes one result's DICOM objects; None leaves them out.

    Raises:
        OutputError: something is there already, no rights, a full disk.
    """
    check_output_folder(out_dir, force=force)
    target = out_dir.resolve()
    made = [folder for folder in target.parents if not folder.exists()]  # the deepest first
    partial: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target if target.exists() else target.parent
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=beside))
        results = (result,) if isinstance(result, ExamResult) else tuple(result)
        _write_files(results, partial, write_scene, write_dicom)
        names = [name for name in ALL_FILES if (partial / name).exists()]
        if target.exists():
            _replace_results(partial, target)
        else:
            _readable_by_others(partial)
            os.replace(partial, target)
    except BaseException as error:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)
        for folder in made:
            with contextlib.suppress(OSError):  # not empty: somebody else uses it by now
                folder.rmdir()
        if isinstance(error, OSError):
            raise output_error(error, out_dir) from error
        raise
    return [out_dir / name for name in names]


def _write_files(
    results: tuple[ExamResult, ...], folder: Path, write_scene: SceneWriter | None, write_dicom: DicomWriter | None
) -> None:
    write_findings_json(results, folder / FINDINGS_FILE)
    write_report(results, folder / REPORT_FILE)
    for result in results:
        names = written_names(result)
        for what, name in names.items():
            if what == "masks":
                write_masks(result, folder / name)
            else:
                write_heatmap(result, folder / name, code=what.removeprefix("heatmap").strip())
        for item, name in zip(result.further_heatmaps, further_names(result).values(), strict=True):
            write_series_heatmap(result, item, folder / name)
        if names and write_scene is not None:
            write_scene(result, folder / file_name(SCENE_FILE, result.contrast))
        if write_dicom is not None:
            write_dicom(result, folder)


def _replace_results(partial: Path, target: Path) -> None:
    """Old result files make room for the new ones, and come back when that fails."""
    old = partial / ".replaced"
    old.mkdir()
    moved_away, moved_in = [], []
    try:
        for name in ALL_FILES:
            if os.path.lexists(target / name):
                os.replace(target / name, old / name)
                moved_away.append(name)
        for name in ALL_FILES:
            if (partial / name).exists():
                os.replace(partial / name, target / name)
                moved_in.append(name)
    except BaseException:
        for name in moved_in:
            (target / name).unlink()
        for name in moved_away:
            os.replace(old / name, target / name)
        raise
    shutil.rmtree(partial, ignore_errors=True)


def _readable_by_others(folder: Path) -> None:
    """The rights of any new folder: tempfile makes folders that only their owner may open."""
    umask = os.umask(0)
    os.umask(umask)
    folder.chmod(0o777 & ~umask)
