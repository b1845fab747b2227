"""Nael 2021 (LFE + classifier): the images of a brain MRI in, a StudyReading on their own voxels out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ..core.codes import ABNORMAL, FINDING_CODES, MR_CODES
from ..core.errors import InputError
from ..core.findings import QualityFlag, Reading
from ..core.geometry import SliceGrid
from ..core.mr_images import CONTRAST_NAMES, MrImage
from ..core.stage_clock import Progress, StageClock, no_progress
from ..core.study_reading import StudyReading
from ..core.voxel_probabilities import VoxelProbabilities
from ..inference.device import ComputeDevice
from ..inference.nael2021_predictor import LfePredictor, NetworkAnswer
from ..io.model_packs import ModelPack
from ..networks.lfe_classifier import LfeClassifier, build_networks
from ..preprocessing.mr_grid import resample
from ..preprocessing.mr_head import head_mask
from ..preprocessing.mr_views import MrView, ScaledImage, make_view, network_input, scale_image
from .nael2021_config import NETWORKS, REFERENCES, FindingNetwork, Nael2021Config
from .pack_settings import settings_of
from .pack_weights import load_weights

ABSENCE_UNKNOWN = "Nothing was found in the other series, which does not exclude it."
"""Said of a finding that may be asserted without a required contrast, but not excluded."""

FOUND_WITHOUT = "Found without what it should be looked for in."


class Nael2021System:
    """Settings, networks and calibration of one model pack on one device; made by from_pack.

    Args:
        pack: where calibration, operating points and identity come from.
        config: the pack's settings.
        networks: code -> network with the pack's weights.
        device: from inference.device.choose_device.
    """

    name = "nael2021"

    def __init__(
        self, pack: ModelPack, config: Nael2021Config, networks: dict[str, LfeClassifier], device: ComputeDevice
    ) -> None:
        self.pack = pack
        self.config = config
        self._networks, self._device = networks, device
        self._predictor = LfePredictor(networks, device)

    @classmethod
    def from_pack(cls, pack: ModelPack, device: ComputeDevice) -> Nael2021System:
        """A system that is ready to read. Raises ModelError when the pack was made for something else."""
        config = settings_of(pack, cls.name, Nael2021Config)
        networks = build_networks(config.layers)
        load_weights(pack, torch.nn.ModuleDict(networks).load_state_dict)
        return cls(pack, config, networks, device)

    @property
    def device_name(self) -> str:
        """ "cpu" or "cuda: NAME"."""
        return self._device.name

    @property
    def codes(self) -> tuple[str, ...]:
        """The findings that the pack has a network for."""
        return self.config.codes

    def read_study(self, images: Mapping[str, MrImage], *, progress: Progress | None = None) -> StudyReading:
        """The answer for a brain MRI, on the voxels of the series that each finding is shown on.

        Args:
            images: contrast -> series; any subset. A finding whose required contrast is missing could not be looked at.
            progress: called with stage and fraction; may raise Cancelled.
        """
        clock = StageClock(progress or no_progress)
        with clock.stage("prepare"):
            scaled, flags = self._scaled(images)
            views = self._views(scaled)
        answers: dict[str, NetworkAnswer] = {}
        asserted: dict[str, str] = {}
        absent = [code for code in MR_CODES if code not in self.codes]
        unseen = dict.fromkeys(absent, f"The model pack {self.pack.identity.name} has no network for it.")
        with clock.stage("network"):
            for done, network in enumerate(self.config.networks):
                view = _view_of(network, views)
                there = tuple(scaled) if view is None else view.contrasts
                missing = missing_contrasts(network, there)
                if view is None or not set(network.least) <= set(there):
                    unseen[network.code] = _why_unseen(missing, images)
                else:
                    seen = network_input(view, network, self.config)
                    inside = head_mask(view.axial[network.shown_on], view.grid)
                    answer = self._predictor.predict(network.code, seen).within(inside)
                    if missing and not self._is_found(network.code, answer):
                        unseen[network.code] = f"{_why_unseen(missing, images)} {ABSENCE_UNKNOWN}"
                    else:
                        answers[network.code] = answer
                        if missing:
                            asserted[network.code] = f"{FOUND_WITHOUT} {_why_unseen(missing, images)}"
                clock.progress("network", (done + 1) / len(self.config.networks))
        with clock.stage("decode"):
            heats = {code: (self._heat(code, answer), _seen_view(code, views).grid) for code, answer in answers.items()}
            readings = self._readings(answers, heats, images)
            further = self._further_heatmaps(heats, views, images, set(readings))
        flags += tuple(
            QualityFlag("required_contrast_missing", f"{FINDING_CODES[code].name}: {why[0].lower()}{why[1:]}")
            for code, why in asserted.items()
        )
        return StudyReading(readings, unseen, asserted, further, flags, clock.seconds)

    def views_of(self, images: Mapping[str, MrImage]) -> dict[str, MrView]:
        """Reference contrast -> what the networks of that reference see of a study."""
        return self._views(self._scaled(images)[0])

    def probability_of(self, code: str, view: MrView) -> float:
        """The calibrated probability of one finding, from whatever contrasts a view of its reference holds."""
        score = self._predictor.predict(code, network_input(view, NETWORKS[code], self.config)).score
        return self._probability(code, score)

    def _views(self, scaled: Mapping[str, ScaledImage]) -> dict[str, MrView]:
        return {name: make_view(scaled, name, self.config) for name in REFERENCES if name in scaled}

    def _scaled(self, images: Mapping[str, MrImage]) -> tuple[dict[str, ScaledImage], tuple[QualityFlag, ...]]:
        """The images whose intensities can be scaled, and a flag for each of the others."""
        scaled, flags = {}, []
        for name, image in images.items():
            try:
                scaled[name] = scale_image(image, self.config.scaling)
            except InputError as error:
                flags.append(QualityFlag("contrast_unusable", f"{CONTRAST_NAMES[name]} is not used: {error.what}"))
        return scaled, tuple(flags)

    def _readings(
        self,
        answers: Mapping[str, NetworkAnswer],
        heats: Mapping[str, tuple[np.ndarray, SliceGrid]],
        images: Mapping[str, MrImage],
    ) -> dict[str, Reading]:
        shown: dict[str, list[str]] = {}
        for code in answers:
            shown.setdefault(NETWORKS[code].shown_on, []).append(code)
        return {
            contrast: self._reading(tuple(codes), answers, heats, images[contrast].volume.grid)
            for contrast, codes in shown.items()
        }

    def _reading(
        self,
        codes: tuple[str, ...],
        answers: Mapping[str, NetworkAnswer],
        heats: Mapping[str, tuple[np.ndarray, SliceGrid]],
        grid: SliceGrid,
    ) -> Reading:
        """The answer of the networks that are shown on one series."""
        probability = {code: self._probability(code, answers[code].score) for code in codes}
        threshold = {code: self.pack.manifest.operating_points[code] for code in codes}
        wanted = dict.fromkeys((*codes, *(code for code in heats if code == ABNORMAL)))
        maps = {code: resample(*heats[code], grid).array_kji for code in wanted}
        found = [code for code in codes if probability[code] >= threshold[code]]
        drawn = {code: maps[code] for code in codes if code != ABNORMAL}
        voxels = VoxelProbabilities.of_maps(drawn, self.config.pixel_threshold) if drawn else None
        return Reading(
            system=self.name,
            codes=codes,
            probability=probability,
            threshold=threshold,
            slice_probability={code: maps[code].max(axis=(1, 2)) for code in codes},
            label_kji=_label(voxels, codes, found, grid.shape_kji),
            heatmap_kji=_shown_heat(maps, codes, found),
            model=self.pack.identity,
            voxel_probabilities=voxels,
            heatmaps_kji={code: heat.astype(np.float16) for code, heat in maps.items()},
        )

    def _further_heatmaps(
        self,
        heats: Mapping[str, tuple[np.ndarray, SliceGrid]],
        views: Mapping[str, MrView],
        images: Mapping[str, MrImage],
        shown: set[str],
    ) -> dict[str, np.ndarray]:
        """The abnormality's heatmap on the other contrasts that its network saw (Nael 2021, Network interpretability).

        It is computed in the latent space that all contrasts share, and brought to each one's voxels.
        """
        if ABNORMAL not in heats:
            return {}
        network, seen = NETWORKS[ABNORMAL], _seen_view(ABNORMAL, views).contrasts
        wanted = [name for name in (*network.axial, *network.sagittal) if name in seen and name not in shown]
        return {
            name: resample(*heats[ABNORMAL], images[name].volume.grid).array_kji.astype(np.float16) for name in wanted
        }

    def _is_found(self, code: str, answer: NetworkAnswer) -> bool:
        return self._probability(code, answer.score) >= self.pack.manifest.operating_points[code]

    def _probability(self, code: str, score: float) -> float:
        return self.pack.manifest.calibration[code].apply(score)

    def _heat(self, code: str, answer: NetworkAnswer) -> np.ndarray:
        """(d, h, w) the finding's own map; of abnormality the latent gradient, as high as the probability."""
        if code == ABNORMAL:
            return answer.heat_dhw * np.float32(self._probability(code, answer.score))
        return answer.maps_mdhw[0]


def _view_of(network: FindingNetwork, views: Mapping[str, MrView]) -> MrView | None:
    """The view that the network looks at: its reference's, without that the one of the series that it is shown on."""
    return views.get(network.reference, views.get(network.shown_on))


def _seen_view(code: str, views: Mapping[str, MrView]) -> MrView:
    """The view that the finding's network looked at."""
    view = _view_of(NETWORKS[code], views)
    assert view is not None, "it has answered"
    return view


def _label(
    voxels: VoxelProbabilities | None, codes: tuple[str, ...], found: list[str], shape_kji: tuple[int, int, int]
) -> np.ndarray:
    """(K, J, I) uint8 with the masks of the findings that are there; nothing outlines an abnormality as such.

    One voxel has one label: what presses gives way to blood, whose volume is told (mass effect's is not).
    """
    label = np.zeros(shape_kji, np.uint8)
    for code in sorted(found, key=codes.index, reverse=True):
        if voxels is not None and code in voxels.codes:
            label.reshape(-1)[voxels.places(code)] = codes.index(code) + 1
    return label


def missing_contrasts(network: FindingNetwork, there: tuple[str, ...]) -> tuple[str, ...]:
    """Required contrasts that are not there."""
    return tuple(name for name in network.required if name not in there)


def _why_unseen(missing: tuple[str, ...], images: Mapping[str, MrImage]) -> str:
    absent = [CONTRAST_NAMES[name] for name in missing if name not in images]
    unusable = [CONTRAST_NAMES[name] for name in missing if name in images]
    parts = [f"the study holds no {' and no '.join(absent)} images"] if absent else []
    parts += [f"its {' and '.join(unusable)} images cannot be used"] if unusable else []
    text = ", and ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _shown_heat(maps: Mapping[str, np.ndarray], codes: tuple[str, ...], found: list[str]) -> np.ndarray:
    """(K, J, I) float16: the highest map of the critical findings that were found, of abnormality when it alone was
    found, of all critical findings when nothing was."""
    critical = [code for code in codes if code != ABNORMAL]
    used = [code for code in critical if code in found] or found or critical or list(codes)
    return np.max([maps[code] for code in used], axis=0).astype(np.float16)
