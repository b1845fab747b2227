"""Ye 2019 (joint CNN-RNN): a head CT volume in, a Reading without a mask but with a heatmap out."""

from __future__ import annotations

import numpy as np

from ..core.codes import ANY
from ..core.errors import SeriesSelectionError
from ..core.findings import Reading
from ..core.stage_clock import StageClock, no_progress
from ..core.volume import Volume
from ..inference.device import ComputeDevice
from ..inference.ye2019_predictor import CnnRnnAnswer, Progress, Ye2019Predictor
from ..io.model_packs import ModelPack
from ..networks.cnn_rnn import CnnRnnShape
from ..networks.cnn_rnn_cascade import CnnRnnCascade
from ..preprocessing.brain_field import BrainField
from ..preprocessing.network_grid import PreparedExam, prepare
from .pack_settings import settings_of
from .pack_weights import load_weights
from .ye2019_config import Ye2019Config

SLICES_AT_ONCE = 8
"""Source slices whose heatmap is interpolated together: bounds the memory of a 300 x 512 x 512 exam (ours)."""


def build_networks(config: Ye2019Config) -> CnnRnnCascade:
    """Both networks of the settings, with random weights."""
    return CnnRnnCascade(len(config.codes), CnnRnnShape(**config.layers), shared_cnn=config.shared_cnn)


class Ye2019System:
    """Settings, networks and calibration of one model pack on one device; made by from_pack.

    Args:
        pack: where calibration, operating points and identity come from.
        config: the pack's settings.
        networks: with the pack's weights; they are changed in place for inference.
        device: from inference.device.choose_device.
    """

    name = "ye2019"

    def __init__(self, pack: ModelPack, config: Ye2019Config, networks: CnnRnnCascade, device: ComputeDevice) -> None:
        self.pack = pack
        self.config = config
        self._device = device
        self._predictor = Ye2019Predictor(networks, config, device)

    @classmethod
    def from_pack(cls, pack: ModelPack, device: ComputeDevice) -> Ye2019System:
        """A system that is ready to read. Raises ModelError when the pack was made for something else."""
        config = settings_of(pack, cls.name, Ye2019Config)
        networks = build_networks(config)
        load_weights(pack, networks.load_weights)
        return cls(pack, config, networks, device)

    @property
    def device_name(self) -> str:
        """ "cpu" or "cuda: NAME"."""
        return self._device.name

    def read(
        self, volume: Volume, *, progress: Progress | None = None, prepared: PreparedExam | None = None
    ) -> Reading:
        """The answer for a head CT, on its own voxels. There is no mask: label_kji is empty, segments is False.

        Args:
            volume: non-contrast head CT in HU.
            progress: called with stage and fraction; may raise Cancelled.
            prepared: the volume on this system's grid (pixel_spacing_mm, image_size, slab_mm), where the caller has it
                already; through which window its image was made does not matter.

        Raises:
            SeriesSelectionError: there is no intracranial space in the image, so it could not be looked at.
        """
        progress = progress or no_progress
        clock = StageClock(progress)
        with clock.stage("prepare"):
            if prepared is None:
                prepared = prepare(volume, self.config)
            field = self.field_of(prepared)
        with clock.stage("network"):
            answer = self._predictor.predict(field, progress=progress)
        with clock.stage("decode"):
            heatmap_kji = heat_on_source(prepared, answer.heat_shw, progress)
        scores_ck = answer.slab_scores[:, prepared.slab_of_slice]
        return Reading(
            system=self.name,
            codes=self.config.codes,
            probability=self.probabilities(answer),
            threshold=dict(self.pack.manifest.operating_points),
            slice_probability=dict(zip((ANY, *self.config.codes), scores_ck, strict=True)),
            label_kji=np.zeros(prepared.grid.source_shape_kji, dtype=np.uint8),
            heatmap_kji=heatmap_kji,
            model=self.pack.identity,
            timings_s=clock.seconds,
            segments=False,
        )

    def field_of(self, prepared: PreparedExam) -> BrainField:
        """What the networks see of a prepared exam. Raises SeriesSelectionError when it holds no brain."""
        size = self.config.image_size
        assert prepared.hu_shw.shape[1:] == (size, size), "prepared for a system with another grid"
        if not prepared.has_brain_s.any():
            raise SeriesSelectionError(
                "No intracranial space was found in the image; it was not read and is not negative.",
                next_step="Check that the series is a non-contrast head CT with the skull in view.",
            )
        return BrainField.of(prepared.hu_shw, prepared.brain_shw, self.config)

    def probabilities(self, answer: CnnRnnAnswer) -> dict[str, float]:
        """Code -> calibrated exam probability of the subject heads. A type is never more probable than any."""
        calibration = self.pack.manifest.calibration
        raw = dict(zip((ANY, *self.config.codes), answer.exam_scores, strict=True))
        probability = {code: calibration[code].apply(float(score)) for code, score in raw.items()}
        return {code: min(value, probability[ANY]) for code, value in probability.items()}


def heat_on_source(prepared: PreparedExam, heat_shw: np.ndarray, progress: Progress = no_progress) -> np.ndarray:
    """(S, H, W) heatmap -> (K, J, I) float16 0-1 on the source voxels, a few slices at a time."""
    shape = prepared.grid.source_shape_kji
    heat_kji = np.zeros(shape, dtype=np.float16)
    for first in range(0, shape[0], SLICES_AT_ONCE):
        part = slice(first, min(first + SLICES_AT_ONCE, shape[0]))
        heat_kji[part] = prepared.to_source(heat_shw[None], part)[0].clip(0.0, 1.0)
        progress("decode", part.stop / shape[0])
    return heat_kji
