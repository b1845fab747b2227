"""Kuo 2019 (PatchFCN): a head CT volume in, a Reading on its own voxels out."""

from __future__ import annotations

import numpy as np

from ..core.codes import ANY
from ..core.errors import SeriesSelectionError
from ..core.findings import Reading, shown_types
from ..core.stage_clock import StageClock, no_progress
from ..core.volume import Volume
from ..core.voxel_probabilities import VoxelCollector, VoxelProbabilities
from ..inference.device import ComputeDevice
from ..inference.predictor import ExamMaps, Method, PatchFcnPredictor, Progress
from ..io.model_packs import ModelPack
from ..networks.patchfcn import PatchFcn
from ..preprocessing.network_grid import PreparedExam, prepare
from .kuo2019_config import Kuo2019Config, neighbour_slabs
from .pack_settings import settings_of
from .pack_weights import load_weights

SLICES_AT_ONCE = 8
"""Source slices decoded together: bounds the memory of a 300 x 512 x 512 exam (ours)."""


def build_network(config: Kuo2019Config) -> PatchFcn:
    """The network of the settings, with random weights."""
    return PatchFcn(
        types=len(config.codes), width=config.width, slices=config.slices, patch_sharpness=config.patch_sharpness
    )


class Kuo2019System:
    """Settings, network and calibration of one model pack on one device; made by from_pack.

    Args:
        pack: where calibration, operating points and identity come from.
        config: the pack's settings.
        network: with the pack's weights; it is changed in place for inference.
        device: from inference.device.choose_device.
    """

    name = "kuo2019"

    def __init__(self, pack: ModelPack, config: Kuo2019Config, network: PatchFcn, device: ComputeDevice) -> None:
        self.pack = pack
        self.config = config
        self._device = device
        self._predictor = PatchFcnPredictor(network, device, config.patch_size, config.patch_stride)

    @classmethod
    def from_pack(cls, pack: ModelPack, device: ComputeDevice) -> Kuo2019System:
        """A system that is ready to read. Raises ModelError when the pack was made for something else."""
        config = settings_of(pack, cls.name, Kuo2019Config)
        network = build_network(config)
        load_weights(pack, network.load_state_dict)
        return cls(pack, config, network, device)

    @property
    def device_name(self) -> str:
        """ "cpu" or "cuda: NAME"."""
        return self._device.name

    def read(
        self,
        volume: Volume,
        *,
        progress: Progress | None = None,
        prepared: PreparedExam | None = None,
        method: Method = "dense",
    ) -> Reading:
        """The answer for a head CT, on its own voxels.

        Args:
            volume: non-contrast head CT in HU.
            progress: called with stage and fraction; may raise Cancelled.
            prepared: the volume on this system's grid, where the caller has it already.
            method: "dense" (one pass per slab) or "patches" (the paper's overlapping patches).

        Raises:
            SeriesSelectionError: there is no intracranial space in the image, so it could not be looked at.
        """
        progress = progress or no_progress
        clock = StageClock(progress)
        with clock.stage("prepare"):
            prepared = prepared or prepare(volume, self.config)
        with clock.stage("network"):
            maps = self.predict(prepared, progress=progress, method=method)
        with clock.stage("decode"):
            probability = self.probabilities(maps)
            threshold = dict(self.pack.manifest.operating_points)
            types = shown_types(probability, threshold, self.config.codes)
            shown = tuple(1 + self.config.codes.index(code) for code in types)
            voxels = VoxelCollector(self.config.codes, self.config.pixel_threshold)
            label_kji, heatmap_kji, voxel_probabilities = decode(prepared, maps, shown, voxels, progress)
        scores_ck = maps.score_cs[:, prepared.slab_of_slice]
        return Reading(
            system=self.name,
            codes=self.config.codes,
            probability=probability,
            threshold=threshold,
            slice_probability=dict(zip((ANY, *self.config.codes), scores_ck, strict=True)),
            label_kji=label_kji,
            heatmap_kji=heatmap_kji,
            model=self.pack.identity,
            timings_s=clock.seconds,
            voxel_probabilities=voxel_probabilities,
        )

    def predict(
        self,
        prepared: PreparedExam,
        *,
        progress: Progress | None = None,
        method: Method = "dense",
    ) -> ExamMaps:
        """What the network says of a prepared exam. Raises SeriesSelectionError when it holds no brain."""
        if not prepared.has_brain_s.any():
            raise SeriesSelectionError(
                "No intracranial space was found in the image; it was not read and is not negative.",
                next_step="Check that the series is a non-contrast head CT with the skull in view.",
            )
        return self._predictor.predict(
            prepared.windowed(self.config.window_hu),
            prepared.brain_shw,
            neighbour_slabs(len(prepared.image_shw), self.config.slices),
            method=method,
            progress=progress or no_progress,
        )

    def probabilities(self, maps: ExamMaps) -> dict[str, float]:
        """Code -> calibrated exam probability: the highest patch score of the stack (Kuo 2019, Methods), calibrated.

        A type is never more probable than any hemorrhage.
        """
        calibration = self.pack.manifest.calibration
        raw = dict(zip((ANY, *self.config.codes), maps.score_cs.max(axis=1), strict=True))
        probability = {code: calibration[code].apply(float(score)) for code, score in raw.items()}
        return {code: min(value, probability[ANY]) for code, value in probability.items()}


def decode(
    prepared: PreparedExam,
    maps: ExamMaps,
    shown: tuple[int, ...],
    voxels: VoxelCollector,
    progress: Progress | None = None,
) -> tuple[np.ndarray, np.ndarray, VoxelProbabilities]:
    """Label map and heatmap on the source voxels, a few slices at a time.

    Args:
        prepared: the exam, with the way back to its source.
        maps: the network's answer.
        shown: label values (from 1) that the mask may hold; empty for an empty mask.
        voxels: knows the codes, and from which probability of any hemorrhage on a voxel is in the mask.

    Returns:
        (K, J, I) uint8 labels and (K, J, I) float16 probability of any hemorrhage, both zero outside the brain, and
        what moving the threshold needs.
    """
    shape = prepared.grid.source_shape_kji
    label_kji, heatmap_kji = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=np.float16)
    any_and_brain = np.stack([maps.pixel_cshw[0], prepared.brain_shw.astype(np.float16)])
    type_maps = _near_blood(maps.pixel_cshw, voxels.floor)
    columns = [value - 1 for value in shown]
    for first in range(0, shape[0], SLICES_AT_ONCE):
        part = slice(first, min(first + SLICES_AT_ONCE, shape[0]))
        probability, brain = prepared.to_source(any_and_brain, part)
        heatmap_kji[part] = np.where(brain >= 0.5, probability, 0.0)
        if voxels.wanted(heatmap_kji[part]).any():
            types = prepared.to_source(type_maps, part)
            voxels.add(first, heatmap_kji[part], types)
            if shown:
                bleeding = heatmap_kji[part] >= voxels.threshold
                most_probable = types[columns].argmax(axis=0)
                label_kji[part] = np.where(bleeding, np.asarray(shown, dtype=np.uint8)[most_probable], 0)
        (progress or no_progress)("decode", part.stop / shape[0])
    return label_kji, heatmap_kji, voxels.collected()


def _near_blood(pixel_cshw: np.ndarray, floor: float) -> np.ndarray:
    """(types, S, H, W) the types' maps, 0 where no voxel of the source can reach the floor: zeros cost nothing.

    A source voxel is a weighted mean of pixels next to each other on neighbouring slabs, so one of them must reach the
    floor, and the others lie within one pixel and one slab of it.
    """
    types = np.zeros_like(pixel_cshw[1:])
    reaches = pixel_cshw[0] >= np.float16(floor)
    for s in range(len(reaches)):
        near = reaches[max(s - 1, 0) : s + 2].any(axis=0)
        rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
        if len(rows):
            box = slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(columns[0] - 1, 0), columns[-1] + 2)
            types[:, s, *box] = pixel_cshw[1:, s, *box]
    return types
