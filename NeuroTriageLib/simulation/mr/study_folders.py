"""Simulates brain-MRI studies into folders: DICOM or NIfTI series, the findings' masks, and the truth as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from ...core.errors import ConfigError, OutputError
from ..anatomy import Anatomy
from ..exam_folders import TRUTH_FILE, SimulationOptions, make_each, write_image
from .dicom_export import write_mr_study
from .settings import SETTINGS, BrainMrSettings
from .study import SimulatedStudy, simulate_brain_mr
from .territories import load_atlas

MASKS_FILE = "masks.npz"


class MrSimulationOptions(SimulationOptions, Protocol):
    """What simulate_mr_to_folder is asked for, beside what every simulator is.

    Args:
        settings: a key of settings.SETTINGS.
        contrasts: roles of the series to make; empty for a whole protocol.
        territories: atlas of arterial territories (territories.ATLAS_NAMES); None grows them from each head's shape.
    """

    settings: str
    contrasts: list[str]
    territories: Path | None


def simulate_mr_to_folder(
    options: MrSimulationOptions,
    *,
    transfer_syntax: str = "jpeg-ls",
    device: str | torch.device = "cpu",
    progress: Callable[[str, float], None] | None = None,
) -> list[Path]:
    """Simulate studies and write each into its own folder exam_SEED; return the folders.

    The anatomy of study n is map number seed modulo the number of maps. Raises ConfigError for a wrong option,
    InputError without usable maps or atlas, OutputError when a study's folder is there already or cannot be written.
    """
    if options.settings not in SETTINGS:
        raise ConfigError(f"Unknown settings {options.settings!r}.", next_step=f"Use one of: {', '.join(SETTINGS)}.")
    atlas = load_atlas(options.territories) if options.territories is not None else None
    settings: BrainMrSettings = dataclasses.replace(
        SETTINGS[options.settings], matrix=options.matrix, roles=tuple(options.contrasts)
    )

    def make(anatomy: Anatomy, seed: int, folder: Path) -> None:
        study = simulate_brain_mr(anatomy, seed, settings, device=device, atlas=atlas)
        write_study(study, folder, image_format=options.format, transfer_syntax=transfer_syntax)

    return make_each(options, "study", make, progress)


def write_study(
    study: SimulatedStudy, folder: str | Path, *, image_format: str = "dicom", transfer_syntax: str = "jpeg-ls"
) -> None:
    """Write series, masks and truth into a new folder. Raises OutputError when it exists or cannot be written.

    masks.npz holds each series' masks under "ROLE.code", on the grid that truth.json gives for the role; as NIfTI they
    are files as well.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True)
        if image_format == "dicom":
            write_mr_study(study, folder / "dicom", transfer_syntax=transfer_syntax)
        else:
            for role, series in study.series.items():
                write_image(series.volume.array_kji, series.volume.grid, folder / f"{role}.nii.gz")
                for code, mask in series.masks.items():
                    write_image(mask, series.volume.grid, folder / f"{role}_mask_{code}.nii.gz")
        masks = {f"{role}.{code}": m for role, series in study.series.items() for code, m in series.masks.items()}
        np.savez_compressed(folder / MASKS_FILE, **masks)  # type: ignore[arg-type]
        (folder / TRUTH_FILE).write_text(json.dumps(truth_document(study), indent=1) + "\n", encoding="utf-8")
    except FileExistsError as error:
        raise OutputError("The study's folder is there already.", where=str(folder)) from error
    except OSError as error:
        raise OutputError("The study cannot be written.", where=str(folder)) from error


def truth_document(study: SimulatedStudy) -> dict[str, Any]:
    """The study's truth with the grid of every series, ready for JSON."""
    grids = {role: series.volume.grid.to_json() for role, series in study.series.items()}
    return study.truth | {"grids": grids}
