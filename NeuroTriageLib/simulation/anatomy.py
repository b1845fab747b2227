"""Anatomy: a head label map with the distances and sheets that lesions are grown from, computed once and kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..core.errors import InputError
from .anatomy_fields import derive_fields

DISTANCE_STEP_MM = 0.25
"""Distances are kept in bytes, in steps of a quarter millimetre: 0-63.75 mm, signed -32 to 31.5 mm."""

CACHE_VERSION = 5


@dataclass(frozen=True, eq=False)
class Anatomy:
    """One head on a 1 mm grid: arrays (k, j, i), k growing towards the vertex, j towards the back, i towards the left.

    Args:
        name: of the label map, for the truth record.
        tissue: (K, J, I) uint8 Tissue classes as the label map has them.
        tissue_full: the same with the brain grown outwards over the convexity, so that little CSF is left there.
        inside_mm: float16, signed distance to the inner table (> 0 inside the skull), smoothed; the antialiased edge.
        depth: uint8, distance to the inner table inside the intracranial space; 0 outside it.
        ventricle_distance: uint8, distance to the lateral and third ventricles.
        outer_distance: uint8, distance to the air around the head.
        falx_distance: int8, signed distance to the falx (> 0 on the left); 127 where there is no falx near.
        tentorium_distance: int8, signed distance to the tentorium (> 0 above); 127 where there is none near.
        side: int8, +1 nearer to the left cerebral hemisphere, -1 nearer to the right.
        supratentorial: bool, nearer to the cerebrum than to cerebellum and brain stem.
        points: named lists of voxels (N, 3) in (k, j, i), from which places of lesions are drawn.
    """

    name: str
    tissue: np.ndarray
    tissue_full: np.ndarray
    inside_mm: np.ndarray
    depth: np.ndarray
    ventricle_distance: np.ndarray
    outer_distance: np.ndarray
    falx_distance: np.ndarray
    tentorium_distance: np.ndarray
    side: np.ndarray
    supratentorial: np.ndarray
    points: dict[str, np.ndarray]

    @property
    def shape_kji(self) -> tuple[int, int, int]:
        """Shape of the 1 mm grid."""
        return self.tissue.shape  # type: ignore[return-value]

    @property
    def brain_center_kji(self) -> np.ndarray:
        """(3,) centre of the cerebrum in voxels."""
        return self.points["center"][0].astype(np.float64)


def anatomy_from_labels(labels_kji: np.ndarray, name: str) -> Anatomy:
    """The anatomy of a 1 mm label map (K, J, I) whose axes grow towards vertex, back and left.

    Raises InputError when the map holds no brain.
    """
    return Anatomy(name=name, **derive_fields(np.asarray(labels_kji)))


def load_anatomy(label_map_path: str | Path, cache_dir: str | Path | None = None) -> Anatomy:
    """The anatomy of a label map file (NIfTI, NRRD), any orientation; resampled to 1 mm.

    Deriving the fields takes several seconds. They are kept in memory for the last few maps and, when cache_dir is
    given, on disk under a name made from the file's content, so that other processes read them in a moment.
    Raises InputError when the file cannot be read or holds no brain.
    """
    path = Path(label_map_path)
    return _load(path.resolve(), None if cache_dir is None else Path(cache_dir))


@lru_cache(maxsize=24)
def _load(path: Path, cache_dir: Path | None) -> Anatomy:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError("The label map cannot be read.", where=str(path)) from error
    if cache_dir is None:
        return anatomy_from_labels(_read_labels(path), path.name)
    digest = hashlib.sha256(content).hexdigest()[:16]
    cached = cache_dir / f"anatomy-{digest}-v{CACHE_VERSION}.npz"
    if cached.is_file():
        return _read_cache(cached)
    anatomy = anatomy_from_labels(_read_labels(path), path.name)
    _write_cache(anatomy, cached)
    return anatomy


def _read_labels(path: Path) -> np.ndarray:
    try:
        image = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    except RuntimeError as error:
        raise InputError("The label map cannot be read as an image.", where=str(path)) from error
    if max(abs(mm - 1.0) for mm in image.GetSpacing()) > 0.01:
        size = [round(n * mm) for n, mm in zip(image.GetSize(), image.GetSpacing(), strict=True)]
        image = sitk.Resample(
            image, size, sitk.Transform(), sitk.sitkNearestNeighbor, image.GetOrigin(), (1.0, 1.0, 1.0),
            image.GetDirection(), 0, sitk.sitkInt32,
        )  # fmt: skip
    return sitk.GetArrayFromImage(image).astype(np.int32)


def _write_cache(anatomy: Anatomy, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f.name: getattr(anatomy, f.name) for f in fields(anatomy) if f.name not in ("name", "points")}
    arrays |= {f"points.{key}": value for key, value in anatomy.points.items()}
    # Written beside and renamed, so that a process that reads meanwhile never meets half a file.
    temporary = path.with_name(f"{path.stem}-{np.random.default_rng().integers(1 << 40):x}.tmp.npz")
    np.savez_compressed(temporary, name=np.array(anatomy.name), **arrays)
    temporary.replace(path)


def _read_cache(path: Path) -> Anatomy:
    with np.load(path) as data:
        arrays = {key: data[key] for key in data.files}
    points = {key.removeprefix("points."): arrays.pop(key) for key in list(arrays) if key.startswith("points.")}
    return Anatomy(name=str(arrays.pop("name")), points=points, **arrays)
