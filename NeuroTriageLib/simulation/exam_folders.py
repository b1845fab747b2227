"""Simulates exams into folders: DICOM or NIfTI images, the label, and the truth as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import SimpleITK as sitk
import torch

from ..core.codes import CT_HEMORRHAGE_CODES
from ..core.errors import ConfigError, InputError, OutputError
from ..core.geometry import SliceGrid
from .anatomy import Anatomy, load_anatomy
from .dicom_export import CtSeriesDescription, write_dicom_study
from .head_ct import SimulatedExam, simulate_head_ct
from .phantom import phantom_anatomy
from .settings import HeadCtSettings

TRUTH_FILE = "truth.json"
LABEL_FILE = "label.npz"
MAP_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha")


class SimulationOptions(Protocol):
    """What simulate_to_folder is asked for.

    Args:
        output: folder for the exams, one folder each.
        maps: folder of head label maps or one map; None for the geometric phantom.
        count: number of exams; their seeds count up from seed.
        matrix: rows and columns.
        format: "dicom", or "nifti" (then without tilt or mixed spacing, which NIfTI readers handle badly).
    """

    output: Path
    maps: Path | None
    count: int
    seed: int
    matrix: int
    format: str


def simulate_to_folder(
    options: SimulationOptions,
    *,
    settings: HeadCtSettings | None = None,
    transfer_syntax: str = "jpeg-ls",
    device: str | torch.device = "cpu",
    progress: Callable[[str, float], None] | None = None,
) -> list[Path]:
    """Simulate exams and write each into its own folder exam_SEED; return the folders.

    The anatomy of exam n is map number seed modulo the number of maps. Raises ConfigError for a wrong option,
    InputError without usable maps, OutputError when an exam's folder is there already or cannot be written.
    """
    settings = dataclasses.replace(settings or HeadCtSettings(), matrix=options.matrix)
    if options.format == "nifti":
        settings = dataclasses.replace(settings, tilt_probability=0.0, mixed_stack_probability=0.0)

    def make(anatomy: Anatomy, seed: int, folder: Path) -> None:
        exam = simulate_head_ct(anatomy, seed, settings, device=device)
        write_exam(exam, folder, image_format=options.format, transfer_syntax=transfer_syntax)

    return make_each(options, "exam", make, progress)


def make_each(
    options: SimulationOptions,
    word: str,
    make: Callable[[Anatomy, int, Path], None],
    progress: Callable[[str, float], None] | None,
) -> list[Path]:
    """Call make with anatomy, seed and folder for each exam that the options ask for; return the folders.

    Args:
        options: see SimulationOptions.
        word: what one is called in progress and errors.
        make: simulates one and writes it.
        progress: takes what is done now, and the share (0-1) that is done.

    Raises:
        ConfigError: a wrong option. InputError: no usable maps.
    """
    if options.format not in ("dicom", "nifti"):
        raise ConfigError(f"Unknown format {options.format!r}.", next_step="Use dicom or nifti.")
    if options.count < 1:
        raise ConfigError(f"At least one {word} must be asked for.", where="count")
    maps = find_label_maps(options.maps) if options.maps is not None else []
    folders = []
    for number in range(options.count):
        seed = options.seed + number
        if progress is not None:
            progress(f"{word} {number + 1} of {options.count}", number / options.count)
        folder = Path(options.output) / f"exam_{seed:06d}"
        make(anatomy_of_seed(maps, seed), seed, folder)
        folders.append(folder)
    if progress is not None:
        progress("done", 1.0)
    return folders


def find_label_maps(path: str | Path) -> list[Path]:
    """The label maps in a folder in order of their names, or the one file. Raises InputError when there is none."""
    path = Path(path)
    found = [path] if path.is_file() else sorted(p for p in path.glob("*") if p.name.endswith(MAP_SUFFIXES))
    if not found:
        raise InputError("No head label map was found.", where=str(path), next_step="Give a folder of .nii.gz maps.")
    return found


def anatomy_of_seed(maps: Sequence[Path], seed: int) -> Anatomy:
    """The anatomy of map number seed modulo their number; the geometric phantom without maps."""
    return load_anatomy(maps[seed % len(maps)]) if maps else phantom_anatomy()


def write_exam(
    exam: SimulatedExam,
    folder: str | Path,
    *,
    image_format: str = "dicom",
    transfer_syntax: str = "jpeg-ls",
    description: CtSeriesDescription | None = None,
) -> None:
    """Write image, label and truth into a new folder. Raises OutputError when it exists or cannot be written.

    The label is an array (label.npz, "label_kji") on the grid that truth.json gives slice by slice, so that tilt and
    uneven spacing are kept; as NIfTI there is label.nii.gz as well.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True)
        seed = int(exam.truth["seed"])
        description = description or CtSeriesDescription(seed=seed, patient_id=f"SIM{seed:06d}")
        if image_format == "dicom":
            write_dicom_study(
                exam.volume,
                folder / "dicom",
                transfer_syntax=transfer_syntax,
                description=description,
                thicknesses_mm=exam.thicknesses_mm,
            )
        else:
            write_image(exam.volume.array_kji, exam.volume.grid, folder / "ct.nii.gz")
            write_image(exam.label_kji, exam.volume.grid, folder / "label.nii.gz")
        np.savez_compressed(folder / LABEL_FILE, label_kji=exam.label_kji)
        (folder / TRUTH_FILE).write_text(json.dumps(truth_document(exam), indent=1) + "\n", encoding="utf-8")
    except FileExistsError as error:
        raise OutputError("The exam's folder is there already.", where=str(folder)) from error
    except OSError as error:
        raise OutputError("The exam cannot be written.", where=str(folder)) from error


def truth_document(exam: SimulatedExam) -> dict[str, Any]:
    """The exam's truth with the label's values and the grid, ready for JSON."""
    labels = {code: value for value, code in enumerate(CT_HEMORRHAGE_CODES, start=1)}
    return exam.truth | {"label_values": labels, "grid": exam.volume.grid.to_json()}


def write_image(array_kji: np.ndarray, grid: SliceGrid, path: str | Path) -> None:
    """Write an array on a regular, untilted grid as NIfTI or NRRD. Raises InputError for any other grid."""
    if not grid.is_regular or grid.tilt_deg > 0.01:
        raise InputError("A tilted or unevenly spaced stack cannot be written as one image.", next_step="Use DICOM.")
    affine = grid.affine_ijk_to_lps
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image = sitk.GetImageFromArray(array_kji)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / spacing).flatten().tolist())
    try:
        sitk.WriteImage(image, str(path), useCompression=True)
    except RuntimeError as error:
        raise OutputError("The image cannot be written.", where=str(path)) from error
