"""Chang 2018 (hybrid 3D/2D mask R-CNN): a head CT volume in, a Reading with boxes and masks on its own voxels out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.codes import ANY
from ..core.errors import SeriesSelectionError
from ..core.findings import Reading, Region, shown_types
from ..core.stage_clock import Progress, StageClock, no_progress
from ..core.volume import Volume
from ..core.voxel_probabilities import VoxelCollector, VoxelProbabilities
from ..inference.chang2018_predictor import Chang2018Predictor, ExamRegions
from ..inference.device import ComputeDevice
from ..io.model_packs import ModelPack
from ..networks.hybrid_mask_rcnn import HybridMaskRcnn, NetworkSettings
from ..preprocessing.network_grid import PreparedExam, prepare
from .chang2018_config import REGION_CODES, Chang2018Config
from .chang2018_regions import accepted, label_layers, painted, told_regions
from .pack_settings import settings_of
from .pack_weights import load_weights

SLICES_AT_ONCE = 8
"""Source slices decoded together: bounds the memory of a 300 x 512 x 512 exam (ours)."""


def build_network(config: Chang2018Config) -> HybridMaskRcnn:
    """The network of the settings, with random weights."""
    return HybridMaskRcnn(NetworkSettings(**config.network))


@dataclass(frozen=True, eq=False)
class DecodedExam:
    """The answer on the source voxels.

    Args:
        label_kji: (K, J, I) uint8.
        heatmap_kji: (K, J, I) float16.
        voxel_probabilities: what moving the threshold needs: mask probabilities of the boxes that could be accepted.
        regions: accepted ones and the most confident rejected ones.
    """

    label_kji: np.ndarray
    heatmap_kji: np.ndarray
    voxel_probabilities: VoxelProbabilities
    regions: tuple[Region, ...]


class Chang2018System:
    """Settings, network and calibration of one model pack on one device; made by from_pack.

    Args:
        pack: where calibration, operating points and identity come from.
        config: the pack's settings.
        network: with the pack's weights; it is changed in place for inference.
        device: from inference.device.choose_device.
    """

    name = "chang2018"

    def __init__(
        self, pack: ModelPack, config: Chang2018Config, network: HybridMaskRcnn, device: ComputeDevice
    ) -> None:
        self.pack = pack
        self.config = config
        self._device = device
        self._predictor = Chang2018Predictor(network, config, device)

    @classmethod
    def from_pack(cls, pack: ModelPack, device: ComputeDevice) -> Chang2018System:
        """A system that is ready to read. Raises ModelError when the pack was made for something else."""
        config = settings_of(pack, cls.name, Chang2018Config)
        network = build_network(config)
        load_weights(pack, network.load_state_dict)
        return cls(pack, config, network, device)

    @property
    def device_name(self) -> str:
        """ "cpu" or "cuda: NAME"."""
        return self._device.name

    def read(
        self, volume: Volume, *, progress: Progress | None = None, prepared: PreparedExam | None = None
    ) -> Reading:
        """The answer for a head CT, on its own voxels.

        Args:
            volume: non-contrast head CT in HU.
            progress: called with stage and fraction; may raise Cancelled.
            prepared: the volume on this system's grid, where the caller has it already.

        Raises:
            SeriesSelectionError: there is no intracranial space in the image, so it could not be looked at.
        """
        progress = progress or no_progress
        clock = StageClock(progress)
        with clock.stage("prepare"):
            prepared = prepared or prepare(volume, self.config)
        with clock.stage("network"):
            found = self.predict(prepared, progress=progress)
        with clock.stage("decode"):
            probability = self.probabilities(found)
            threshold = dict(self.pack.manifest.operating_points)
            decoded = self.decode(prepared, found, probability, threshold, progress)
        scores_ck = found.score_cs[:, prepared.slab_of_slice]
        return Reading(
            system=self.name,
            codes=self.config.codes,
            probability=probability,
            threshold=threshold,
            slice_probability=dict(zip((ANY, *self.config.codes), scores_ck, strict=False)),
            label_kji=decoded.label_kji,
            heatmap_kji=decoded.heatmap_kji,
            model=self.pack.identity,
            timings_s=clock.seconds,
            regions=decoded.regions,
            voxel_probabilities=decoded.voxel_probabilities,
        )

    def predict(self, prepared: PreparedExam, *, progress: Progress | None = None) -> ExamRegions:
        """What the network says of a prepared exam. Raises SeriesSelectionError when it holds no brain."""
        if not prepared.has_brain_s.any():
            raise SeriesSelectionError(
                "No intracranial space was found in the image; it was not read and is not negative.",
                next_step="Check that the series is a non-contrast head CT with the skull in view.",
            )
        image = prepared.windowed(self.config.window_hu)
        return self._predictor.predict(image, prepared.brain_shw, progress=progress or no_progress)

    def probabilities(self, found: ExamRegions) -> dict[str, float]:
        """Code -> calibrated exam probability: the highest confidence of the exam, calibrated.

        A type is never more probable than any hemorrhage.
        """
        calibration = self.pack.manifest.calibration
        raw = dict(
            zip((ANY, *self.config.codes), found.score_cs.max(axis=1), strict=False)
        )  # leaves out what is not told
        probability = {code: calibration[code].apply(float(score)) for code, score in raw.items()}
        return {code: min(value, probability[ANY]) for code, value in probability.items()}

    def decode(
        self,
        prepared: PreparedExam,
        found: ExamRegions,
        probability: dict[str, float],
        threshold: dict[str, float],
        progress: Progress = no_progress,
    ) -> DecodedExam:
        """Label map, heatmap and boxes on the source voxels, a few slices at a time.

        The heatmap is the highest mask probability x confidence of all regions; the mask is that of the accepted ones,
        where their mask probability reaches pixel_threshold.
        """
        config, regions = self.config, found.regions
        shown = shown_types(probability, threshold, config.codes)
        untyped = bool(shown) and not any(probability[code] >= threshold[code] for code in config.codes)
        kept = accepted(regions, shown, present=bool(shown), untyped=untyped, threshold=config.region_threshold)
        # Without a type all blood is shown as the most probable one, which the Reading says (Reading.is_untyped).
        layer_of = dict.fromkeys(REGION_CODES, 0) if untyped else {code: n for n, code in enumerate(shown)}
        shape = prepared.brain_shw.shape
        heat = painted(regions, [region.confidence for region in regions], [0] * len(regions), (1, *shape))
        masks = painted(
            regions, [1.0] * len(regions), label_layers(regions, kept, layer_of), (max(1, len(shown)), *shape)
        )
        brain = prepared.brain_shw[None].astype(np.float16)
        maps = np.concatenate([heat, brain, masks, _possible(found, config, shape)])
        values = np.array([1 + config.codes.index(code) for code in shown], dtype=np.uint8)
        voxels = VoxelCollector(config.codes, config.pixel_threshold, per_type=True)
        label, heatmap = _on_source(prepared, maps, values, voxels, progress)
        return DecodedExam(label, heatmap, voxels.collected(), told_regions(regions, kept, prepared.grid, config))


def _possible(found: ExamRegions, config: Chang2018Config, shape_shw: tuple[int, int, int]) -> np.ndarray:
    """(types, S, H, W) float16 mask probability of the regions that would count if every type were present."""
    codes, regions = config.codes, found.regions
    kept = accepted(regions, codes, present=True, untyped=False, threshold=config.region_threshold)
    layers = label_layers(regions, kept, {code: number for number, code in enumerate(codes)})
    return painted(regions, [1.0] * len(regions), layers, (len(codes), *shape_shw))


def _on_source(
    prepared: PreparedExam, maps_cshw: np.ndarray, values: np.ndarray, voxels: VoxelCollector, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """(K, J, I) uint8 labels and float16 heat, zero outside the brain; what moving the threshold needs is collected.

    Args:
        prepared: the exam.
        maps_cshw: heat, brain, one mask per value (one at least), one map per type of the collector.
        values: label values.
        voxels: collector; knows from which mask probability on a voxel is in the mask.
        progress: called after every few slices.
    """
    shape = prepared.grid.source_shape_kji
    label_kji, heatmap_kji = np.zeros(shape, dtype=np.uint8), np.zeros(shape, dtype=np.float16)
    types = len(voxels.codes)
    for first in range(0, shape[0], SLICES_AT_ONCE):
        part = slice(first, min(first + SLICES_AT_ONCE, shape[0]))
        maps = prepared.to_source(maps_cshw, part)
        inside = maps[1] >= 0.5
        masks, possible = maps[2:-types], maps[-types:] * inside
        heatmap_kji[part] = np.where(inside, maps[0], 0.0)
        voxels.add(first, possible.max(axis=0).astype(np.float16), possible)
        blood = (masks.max(axis=0) >= voxels.threshold) & inside
        if len(values) and blood.any():
            label_kji[part] = np.where(blood, values[np.argmax(masks, axis=0)], 0)
        progress("decode", part.stop / shape[0])
    return label_kji, heatmap_kji
