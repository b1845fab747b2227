"""The options of `neurotriage triage`, and what they ask for: readers, choices, writers. `batch` shares them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .catalog import MR_SYSTEM, load_system, modality_read
from .core.codes import FINDING_CODES, MR_CODES
from .core.dicom_source import DicomSource
from .core.errors import ConfigError, OutputError
from .core.findings import ExamResult
from .core.study import Series


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to the command's parser."""
    parser.add_argument("input", type=Path, help="DICOM folder, zip, NIfTI/NRRD file, or folder of NIfTI files")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the results")
    add_reading_arguments(parser)
    parser.add_argument(
        "--study", metavar="UID", help="StudyInstanceUID, when the input holds several that can be read"
    )
    parser.add_argument(
        "--series",
        metavar="[ROLE=]UID_OR_TEXT",
        action="append",
        default=[],
        help="overrule the choice of the head CT: UID or part of a description; with an MR role (FLAIR=...) that of a "
        "contrast, also by the path of an image file; may be given for several roles",
    )
    parser.add_argument("--force", action="store_true", help="replace results that are already in the output folder")
    add_writing_arguments(parser)


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what reads, and how: the same for one exam and for an archive."""
    parser.add_argument(
        "--system", help="which system reads; default: the consensus, or kuo2019 without one, and nael2021 for MRI"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--model", type=Path, help="model pack (folder or zip) in place of the one that ships")
    parser.add_argument(
        "--contrasts",
        metavar="NAMES",
        default="",
        help="of an MRI read these alone, separated by commas (FLAIR,ADC,TRACE)",
    )
    parser.add_argument("--heatmap", metavar="SYSTEM", help='whose heatmap the consensus shows (default: "mean")')
    parser.add_argument(
        "--accept-unfamiliar", action="store_true", help="answer also an exam unlike those that the models learned from"
    )
    parser.add_argument(
        "--threshold",
        metavar="CODE=VALUE",
        action="append",
        default=[],
        help="operating point 0-1 of a finding in place of the model's own (acute_infarct=0.3); may be repeated",
    )


def add_writing_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which files are written of an exam."""
    parser.add_argument("--no-scene", action="store_true", help="do not write scene.mrb")
    parser.add_argument("--dicom", action="store_true", help="write DICOM objects too (they name the patient)")
    parser.add_argument(
        "--dicom-masks", choices=("binary", "labelmap"), default="binary", help="form of the segmentation"
    )
    parser.add_argument(
        "--dicom-heatmap",
        choices=("fractional", "parametric", "none"),
        default="fractional",
        help="form of the heatmap: fractional segmentation, parametric map (large), or none",
    )


def readers_of(options: argparse.Namespace) -> Any:
    """What may read the input: a system that the user names is loaded at once, so that a wrong name costs no time."""
    from .pipeline import Readers

    choices = {"heatmap": options.heatmap, "accept_unfamiliar": options.accept_unfamiliar}
    moved = thresholds_of(options)
    modality = modality_read(options.system, options.model)
    if modality is None:
        of_mr = {code: value for code, value in moved.items() if code in MR_CODES}
        of_ct = {code: value for code, value in moved.items() if code not in MR_CODES}
        return Readers(
            ct=lambda: load_system(device=options.device, thresholds=of_ct, **choices),
            mr=lambda: load_system(MR_SYSTEM, device=options.device, thresholds=of_mr),
        )
    system = load_system(options.system, pack=options.model, device=options.device, thresholds=moved, **choices)
    return Readers(ct=lambda: system, mr=None) if modality == "CT" else Readers(ct=None, mr=lambda: system)


def thresholds_of(options: argparse.Namespace) -> dict[str, float]:
    """Code -> operating point that the user gave. Raises ConfigError for an unknown code or what is no number."""
    moved = {}
    for text in options.threshold:
        code, _, value = text.partition("=")
        if code not in FINDING_CODES:
            raise ConfigError(
                f'No finding has the code "{code}".',
                where=f"--threshold {text}",
                next_step=f"Codes: {', '.join(FINDING_CODES)}.",
            )
        try:
            moved[code] = float(value)
        except ValueError as error:
            raise ConfigError("A threshold is a number between 0 and 1.", where=f"--threshold {text}") from error
    return moved


def choices_of(options: argparse.Namespace) -> Any:
    """Which study, series and contrasts the user wants, as pipeline.Choices. Raises ConfigError."""
    from .pipeline import Choices
    from .series_selection.identify_command import role_overrides
    from .series_selection.mr_contrasts import ROLES

    named = [text for text in options.series if text.partition("=")[0] not in ROLES]
    roles = role_overrides([text for text in options.series if text not in named])
    if len(named) > 1 or (named and roles):
        raise ConfigError("Only one series can be named without a role.", where=f"--series {named[0]}")
    contrasts = tuple(filter(None, options.contrasts.split(",")))
    return Choices(options.study, named[0] if named else None, roles, contrasts, thresholds_of(options))


class SceneWriter:
    """Writes scene.mrb; what keeps it from doing so is kept, and costs no other result."""

    def __init__(self) -> None:
        self.error: OutputError | None = None

    def __call__(self, result: ExamResult, path: Path) -> None:
        """Write one result's scene."""
        from .outputs.scene_file import write_scene

        try:
            write_scene(result, path)
        except OutputError as error:
            self.error = error


class DicomWriter:
    """Writes the DICOM objects; it learns whose exam it is while the source's files are there.

    Args:
        options: of the command.

    Raises:
        OutputError: a package that it needs is not installed.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        from .outputs.dicom_folder import dicom_writer

        forms, self._write = dicom_writer()
        self._forms = forms(options.dicom_masks, options.dicom_heatmap)
        self._sources: dict[str, DicomSource] = {}

    def read_source(self, series: Series) -> None:
        """Take from a series that is read whose exam it is. Raises ConfigError or DicomError."""
        from .io.dicom_source import read_dicom_source

        self._sources[series.series_instance_uid] = read_dicom_source(series)

    def __call__(self, result: ExamResult, folder: Path) -> None:
        """Write one result's objects."""
        source = self._sources[result.volume.series_instance_uid]
        self._write(result, folder, source=source, forms=self._forms)
