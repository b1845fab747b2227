"""Model packs: a folder or zip with pack.json and weights.safetensors, checked before anything in it is believed.

Nothing here imports torch and nothing is ever unpickled: a pack can only hold numbers and text.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from ..core.codes import answered_codes
from ..core.errors import ConfigError, ModelError, OutputError
from ..core.findings import ModelIdentity
from ..core.probability import log_odds, sigmoid
from .pack_source import FolderSource, PackSource, ZipSource

MANIFEST_FILE = "pack.json"
WEIGHTS_FILE = "weights.safetensors"
CARD_FILE = "MODEL_CARD.md"
FORMAT = 1
RAW_MARGIN = 1e-6
"""Scores nearer to 0 or 1 than this are float32 rounding; fitting and applying a calibration both stop here (ours)."""
_NEXT_STEP = "Get the pack again, or choose another one."


@dataclass(frozen=True)
class Calibration:
    """Platt scaling of a raw score: p = sigmoid(slope * logit(raw) + intercept)."""

    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, raw: float) -> float:
        """The calibrated probability of a raw score 0-1."""
        return float(self.apply_all(np.asarray(raw)))

    def apply_all(self, raw: np.ndarray) -> np.ndarray:
        """The same for scores of any shape."""
        return sigmoid(self.slope * log_odds(raw, RAW_MARGIN) + self.intercept)


@dataclass(frozen=True)
class PackManifest:
    """What pack.json says.

    Args:
        name, version: of the pack, shown with every result.
        system: catalog key of the system that it was made for.
        config: the system's settings as plain values; only the system knows its keys.
        codes: hemorrhage types in label order, or findings on MRI.
        operating_points: code -> threshold on the calibrated probability, for "any" and each type, or each finding.
        calibration: code -> Calibration, likewise.
        training: how and on what it was trained (free, for the report and the model card).
        metrics: what was measured, on what (free).
        licence, intended_use: shown to the user.
        files: file name -> SHA-256 in hex, filled in by save_model_pack.
        format: version of this layout.
    """

    name: str
    version: str
    system: str
    config: dict[str, Any]
    codes: tuple[str, ...]
    operating_points: dict[str, float]
    calibration: dict[str, Calibration]
    training: dict[str, Any]
    metrics: dict[str, Any]
    licence: str
    intended_use: str
    files: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    def __post_init__(self) -> None:
        expected = set(answered_codes(self.codes))
        for title, values in (("operating point", self.operating_points), ("calibration", self.calibration)):
            if set(values) != expected:
                raise ModelError(f"The pack must hold one {title} for each of {', '.join(sorted(expected))}.")
        if not all(0.0 <= threshold <= 1.0 for threshold in self.operating_points.values()):
            raise ModelError("The pack's operating points are not all between 0 and 1.")
        if not all(0 < c.slope < float("inf") and np.isfinite(c.intercept) for c in self.calibration.values()):
            raise ModelError("The pack's calibration is not a rising curve.")

    def to_json(self) -> dict[str, Any]:
        """Plain values for pack.json."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Any) -> PackManifest:
        """The inverse of to_json. Raises ModelError when a key is missing, unknown or of the wrong kind."""
        if not isinstance(values, dict) or "format" not in values:
            raise ModelError("This is no model pack: pack.json does not name its format.")
        if not isinstance(values["format"], int) or values["format"] > FORMAT:
            raise ModelError(
                f"The model pack has format {values['format']}, this version reads up to {FORMAT}.",
                next_step="Update NeuroTriage.",
            )
        names = {entry.name for entry in dataclasses.fields(cls)}
        if missing := sorted(names - values.keys()):
            raise ModelError(f"pack.json lacks {', '.join(missing)}.")
        if unknown := sorted(values.keys() - names):
            raise ModelError(f"pack.json holds unknown keys: {', '.join(unknown)}.")
        try:
            return cls(**{**values, "codes": tuple(map(str, values["codes"])), **_numbers(values)})
        except (TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"pack.json holds a value of the wrong kind: {error}.") from error


def _numbers(values: dict[str, Any]) -> dict[str, Any]:
    """The typed parts of pack.json; raises what float() and ** raise."""
    if not all(isinstance(values[key], dict) for key in ("config", "training", "metrics", "files")):
        raise TypeError("config, training, metrics and files must be objects")
    if not all(isinstance(values[key], str) for key in ("name", "version", "system", "licence", "intended_use")):
        raise TypeError("name, version, system, licence and intended_use must be text")
    return {
        "operating_points": {code: float(value) for code, value in values["operating_points"].items()},
        "calibration": {
            code: Calibration(**{key: float(value) for key, value in item.items()})
            for code, item in values["calibration"].items()
        },
    }


@dataclass(frozen=True)
class ModelPack:
    """A pack whose files were checked against their SHA-256.

    Args:
        path: folder or zip that it came from.
        manifest: what pack.json says.
        weights_bytes: weights.safetensors as it lies on disk.
    """

    path: Path
    manifest: PackManifest
    weights_bytes: bytes = field(repr=False)

    @property
    def identity(self) -> ModelIdentity:
        """Name, version and SHA-256 of the weights: what a result carries."""
        return ModelIdentity(self.manifest.name, self.manifest.version, self.manifest.files[WEIGHTS_FILE])

    def with_operating_points(self, moved: Mapping[str, float]) -> ModelPack:
        """The pack with other thresholds (code -> 0-1) where they are given; weights and identity stay.

        Raises ConfigError for a code that the pack does not answer, or a threshold that is no probability.
        """
        own = self.manifest.operating_points
        for code, value in moved.items():
            if code not in own:
                raise ConfigError(
                    f"{self.manifest.system} does not answer {code}, which has a threshold.",
                    next_step=f"It answers {', '.join(own)}.",
                )
            if not 0.0 <= value <= 1.0:
                raise ConfigError(f"The threshold of {code} must be between 0 and 1, not {value:g}.")
        manifest = dataclasses.replace(self.manifest, operating_points=own | dict(moved))
        return dataclasses.replace(self, manifest=manifest)

    def weights(self) -> dict[str, np.ndarray]:
        """Parameter name -> array, floating values as float32. Raises ModelError when they cannot be parsed."""
        try:
            arrays = safetensors.numpy.load(self.weights_bytes)
        except (SafetensorError, KeyError, ValueError) as error:
            raise ModelError(f"The weights cannot be read: {error}.", where=str(self.path)) from error
        return {
            name: array.astype(np.float32) if np.issubdtype(array.dtype, np.floating) else array
            for name, array in arrays.items()
        }


def read_manifest(path: Path | str) -> PackManifest:
    """pack.json of a folder or zip, checked for its form; the other files are not opened. Raises ModelError."""
    with _source(Path(path)) as source:
        return _manifest(source)


def load_model_pack(path: Path | str) -> ModelPack:
    """A whole pack with every file's SHA-256 verified. Raises ModelError that says what is wrong with it."""
    path = Path(path)
    with _source(path) as source:
        manifest = _manifest(source)
        if WEIGHTS_FILE not in manifest.files:
            raise ModelError(f"The model pack lists no {WEIGHTS_FILE}.", where=str(path), next_step=_NEXT_STEP)
        contents = {}
        for name, digest in manifest.files.items():
            contents[name] = source.read(name)
            if hashlib.sha256(contents[name]).hexdigest() != digest:
                raise ModelError(
                    f"The model pack is damaged: {name} is not the file that pack.json describes.",
                    where=str(path),
                    next_step=_NEXT_STEP,
                )
    return ModelPack(path=path, manifest=manifest, weights_bytes=contents[WEIGHTS_FILE])


def trainings_of(training: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What a pack says of its own training, then what it says of the one that it went on from, and so on."""
    told: Any = training
    while isinstance(told, Mapping):
        yield told
        told = told.get("started_from")


def pack_digest(manifest: PackManifest) -> str:
    """SHA-256 in hex of everything that pack.json says, and with it of every file of the pack that it lists."""
    return hashlib.sha256(json.dumps(manifest.to_json(), sort_keys=True).encode()).hexdigest()


def pack_files(path: Path | str) -> dict[str, bytes]:
    """File name -> content of everything that makes a pack, its card too where it has one. Raises ModelError."""
    with _source(Path(path)) as source:
        files = {name: source.read(name) for name in (MANIFEST_FILE, *_manifest(source).files)}
        with contextlib.suppress(ModelError):  # a pack needs no card
            files[CARD_FILE] = source.read(CARD_FILE)
    return files


def save_model_pack(
    folder: Path | str, manifest: PackManifest, state_dict: Mapping[str, Any], *, overwrite: bool = False
) -> PackManifest:
    """Write a pack folder in one step: it is there whole, or not at all.

    Args:
        folder: where; its parents are made.
        manifest: everything but files, which is filled in here.
        state_dict: parameter name -> CPU tensor or array. Floating values are stored in half precision, except
            batch-norm statistics and values beyond its range, which stay float32.
        overwrite: replace a pack that stands there already.

    Returns:
        The manifest as written. Raises OutputError when the folder exists or cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and not overwrite:
        raise OutputError("There is already a model pack.", where=str(folder), next_step="Choose another folder.")
    weights = safetensors.numpy.save({name: _stored(name, value) for name, value in state_dict.items()})
    manifest = dataclasses.replace(manifest, files={WEIGHTS_FILE: hashlib.sha256(weights).hexdigest()})
    document = json.dumps(manifest.to_json(), indent=2, allow_nan=False) + "\n"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
            built = Path(name) / folder.name
            built.mkdir()
            (built / WEIGHTS_FILE).write_bytes(weights)
            (built / MANIFEST_FILE).write_text(document, encoding="utf-8")
            if folder.exists():
                folder.rename(Path(name) / "previous")
            shutil.move(built, folder)
    except OSError as error:
        raise OutputError(f"The model pack cannot be written: {error.strerror}.", where=str(folder)) from error
    return manifest


def _stored(name: str, value: Any) -> np.ndarray:
    """One parameter as it is stored."""
    array = np.asarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value, order="C")
    if not np.issubdtype(array.dtype, np.floating):
        return array
    if not np.isfinite(array).all():
        raise ModelError(f"The weights hold values that are not numbers ({name}).")
    is_statistic = name.endswith(("running_mean", "running_var"))
    if is_statistic or np.abs(array).max(initial=0.0) > np.finfo(np.float16).max:
        return array.astype(np.float32)
    return array.astype(np.float16)


def _source(path: Path) -> PackSource:
    if path.is_dir():
        return FolderSource(path, MANIFEST_FILE)
    if not path.exists():
        raise ModelError("The model pack does not exist.", where=str(path), next_step="Check the path.")
    if zipfile.is_zipfile(path):
        return ZipSource(path, MANIFEST_FILE)
    raise ModelError("This is no model pack: neither a folder nor a zip.", where=str(path), next_step=_NEXT_STEP)


def _manifest(source: PackSource) -> PackManifest:
    try:
        manifest = PackManifest.from_json(json.loads(source.read(MANIFEST_FILE).decode("utf-8")))
    except ValueError as error:  # JSON and UTF-8 errors are ValueErrors
        raise ModelError("This is no model pack: pack.json is not JSON.", where=str(source.path)) from error
    except ModelError as error:
        where = error.where or str(source.path)
        raise ModelError(error.what, where=where, next_step=error.next_step or _NEXT_STEP) from error
    return manifest
