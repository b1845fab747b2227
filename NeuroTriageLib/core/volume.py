"""Volume: the voxels of one series and the grid they lie on."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .errors import GeometryError
from .geometry import SliceGrid


@dataclass(frozen=True, eq=False)
class Volume:
    """An image on the grid of the series the radiologist looks at.

    Args:
        array_kji: (K, J, I) values; Hounsfield units for CT (int16 or float32). Outside the reconstruction
            circle the value is air (-1024), never a padding value.
        grid: where each voxel lies.
        modality: DICOM modality, "CT" or "MR".
        series_instance_uid: UID of the series ("" when the source has none).
        sop_instance_uids: one per slice in the order of k (empty when the source has none).
        frame_numbers: frame number (from 1) per slice for multi-frame objects (empty for classic ones).
        source: file or folder it was read from, for messages.
    """

    array_kji: np.ndarray
    grid: SliceGrid
    modality: str = "CT"
    series_instance_uid: str = ""
    sop_instance_uids: tuple[str, ...] = field(default=())
    frame_numbers: tuple[int, ...] = field(default=())
    source: str = ""

    def __post_init__(self) -> None:
        if self.array_kji.shape != self.grid.shape_kji:
            raise GeometryError(
                f"The image has shape {self.array_kji.shape} but its geometry {self.grid.shape_kji}.", where=self.source
            )
