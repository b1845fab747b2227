"""Kuo 2019 from a volume to a Reading: the mask lies where the lesion is, and thresholds decide what it may hold."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from NeuroTriageLib.core.errors import Cancelled, ConfigError, ModelError, SeriesSelectionError
from NeuroTriageLib.core.findings import Reading, shown_types
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.inference.device import choose_device
from NeuroTriageLib.io.model_packs import Calibration, ModelPack, load_model_pack
from NeuroTriageLib.networks.patchfcn import PatchFcnOutput
from NeuroTriageLib.preprocessing.network_grid import prepare
from NeuroTriageLib.review.labels import label_of_reading
from NeuroTriageLib.review.thresholds import label_at
from NeuroTriageLib.systems import kuo2019
from NeuroTriageLib.systems.kuo2019 import Kuo2019System
from NeuroTriageLib.systems.kuo2019_config import Kuo2019Config
from Testing.Lib import tiny_packs
from Testing.Lib.inference.local_network import LocalNetwork
from Testing.Lib.systems.head_phantom import LESION_CENTER_MM, LESION_RADIUS_MM, head, lesion_mask, stack

CONFIG = Kuo2019Config(width=0.0625, pixel_spacing_mm=1.8, image_size=128, patch_size=48)
TYPES = CONFIG.codes
IPH, SDH = "IPH", "SDH"
FLAT = Calibration(slope=1e-9, intercept=0.0)  # every probability is one half: thresholds alone decide

GRIDS = {
    "axial": stack(),
    "stacked downwards": stack(feet_last=True),
    "gantry tilted": stack(tilt_deg=18.0),
    "tilted the other way, downwards": stack(tilt_deg=-12.0, feet_last=True),
    "turned in plane": stack(turn_deg=25.0),
    "rows and columns exchanged": stack(turn_deg=90.0),
    "mirrored rows": stack(mirrored=True),
    "uneven and with gaps": stack(steps_mm=np.array([3.0] * 15 + [5.0] * 6 + [9.0] * 9)),
    "thin slices": stack(steps_mm=np.full(119, 1.25)),
}


def system(network: torch.nn.Module | None = None, *, present: tuple[str, ...] = ("any", IPH)) -> Kuo2019System:
    """The system with a network that calls the phantom's dark lesion; the named codes are always present."""
    thresholds = {code: 0.0 if code in present else 1.0 for code in ("any", *TYPES)}
    manifest = tiny_packs.manifest(
        config=CONFIG.to_json(), operating_points=thresholds, calibration=dict.fromkeys(thresholds, FLAT),
        files={"weights.safetensors": "ab" * 32},
    )  # fmt: skip
    # Air and water around 0 HU lie near 0.145 in the window; brain lies at 0.386, what was cut away at 0.
    network = network or LocalNetwork(level=0.145, half_width=0.1, gain=200.0)
    return Kuo2019System(ModelPack(Path("test"), manifest, b""), CONFIG, network, choose_device("cpu"))


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2.0 * float((a & b).sum()) / float(a.sum() + b.sum())


@pytest.mark.parametrize("name", GRIDS)
def test_the_mask_lies_on_the_lesion_on_the_voxels_of_the_source(name: str):
    grid = GRIDS[name]
    reading = system().read(head(grid))
    mask, truth = reading.label_kji == 1, lesion_mask(grid)
    assert reading.label_kji.shape == reading.heatmap_kji.shape == grid.shape_kji
    assert reading.label_kji.dtype == np.uint8 and reading.heatmap_kji.dtype == np.float16
    assert dice(mask, truth) > 0.93
    center = grid.voxel_to_lps(np.argwhere(mask)[:, ::-1]).mean(0)
    truth_center = grid.voxel_to_lps(np.argwhere(truth)[:, ::-1]).mean(0)
    assert np.linalg.norm(center - truth_center) < 0.6
    assert np.linalg.norm(truth_center - LESION_CENTER_MM) < 3.0  # the phantom itself


class ShareNetwork(LocalNetwork):
    """Scores a window by the share of it that is called."""

    def forward(self, x: torch.Tensor) -> PatchFcnOutput:
        pixel = super().forward(x).pixel
        patch = torch.zeros(len(x), 1 + self.types, 2, x.shape[2] // 8, x.shape[3] // 8)
        patch[:, :, 1] = 10.0 * torch.nn.functional.avg_pool2d(torch.sigmoid(pixel[:, 1:2]), 8)
        return PatchFcnOutput(pixel, patch)


@pytest.mark.parametrize("name", ["axial", "stacked downwards", "thin slices"])
def test_each_source_slice_has_the_score_of_its_slab(name: str):
    grid = GRIDS[name]
    reading = system(ShareNetwork(level=0.145, half_width=0.1, gain=200.0)).read(head(grid))
    assert set(reading.slice_probability) == {"any", *TYPES}
    scores = reading.slice_probability["any"]
    assert scores.shape == (grid.shape_kji[0],)
    middle = grid.voxel_to_lps([[64, 64, k] for k in range(len(scores))])[:, 2]
    distance = np.abs(middle - LESION_CENTER_MM[2])
    share = np.pi * LESION_RADIUS_MM**2 / (CONFIG.patch_size * CONFIG.pixel_spacing_mm) ** 2  # of a window
    assert scores[np.argmin(distance)] == scores.max() == pytest.approx(1 / (1 + np.exp(-10 * share)), abs=0.01)
    assert scores[(distance > 22.0) & (np.abs(middle) < 70.0)] == pytest.approx(0.5, abs=0.01)
    assert not scores[np.abs(middle) > 85.0].any(), "slices beyond the brain are not looked at"


def test_dense_and_patches_agree_when_the_network_has_no_context():
    readings = [system().read(head(GRIDS["axial"]), method=method) for method in ("dense", "patches")]
    assert readings[0].probability == pytest.approx(readings[1].probability, abs=1e-6)
    assert dice(readings[0].label_kji > 0, readings[1].label_kji > 0) > 0.999


def test_nothing_present_leaves_the_mask_empty_and_the_heatmap_as_it_is():
    volume = head(GRIDS["axial"])
    reading = system(present=()).read(volume)
    assert not reading.label_kji.any()
    np.testing.assert_array_equal(reading.heatmap_kji, system().read(volume).heatmap_kji)


def test_types_need_any():
    reading = system(present=(IPH, SDH)).read(head(GRIDS["axial"]))
    assert not reading.label_kji.any()
    assert not any(reading.is_present(code) for code in ("any", *TYPES))


def test_the_mask_holds_only_types_that_are_present():
    # The network gives every voxel to IPH, but the exam holds SDH and SAH only.
    reading = system(present=("any", SDH, "SAH")).read(head(GRIDS["axial"]))
    assert set(np.unique(reading.label_kji)) <= {0, 1 + TYPES.index(SDH), 1 + TYPES.index("SAH")}
    assert dice(reading.label_kji > 0, lesion_mask(GRIDS["axial"])) > 0.93


def test_hemorrhage_without_a_type_keeps_its_place_and_says_that_its_type_is_undetermined():
    reading = system(present=("any",)).read(head(GRIDS["axial"]))
    assert reading.is_present("any") and reading.is_untyped
    assert not any(reading.is_present(code) for code in TYPES)
    assert len(np.unique(reading.label_kji)) == 2
    assert dice(reading.label_kji > 0, lesion_mask(GRIDS["axial"])) > 0.93


@pytest.mark.parametrize("name", ["axial", "gantry tilted", "uneven and with gaps"])
def test_a_moved_threshold_draws_what_a_system_with_that_threshold_draws(name: str):
    volume = head(GRIDS[name])
    own, low = system().read(volume), system()
    low.config = dataclasses.replace(CONFIG, pixel_threshold=0.3)
    assert np.array_equal(label_at(own), label_of_reading(own))
    assert np.array_equal(label_at(own, pixel_threshold=0.3), label_of_reading(low.read(volume)))
    moved = {code: own.threshold[code] for code in ("any", IPH)}
    assert np.array_equal(label_at(system(present=()).read(volume), moved), label_of_reading(own))


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        ({"any": 0.49, "A": 0.9, "B": 0.9}, ()),
        ({"any": 0.50, "A": 0.5, "B": 0.4}, ("A",)),
        ({"any": 0.90, "A": 0.5, "B": 0.6}, ("A", "B")),
        ({"any": 0.90, "A": 0.3, "B": 0.4}, ("B",)),
    ],
)
def test_which_types_a_mask_may_hold(probability: dict[str, float], expected: tuple[str, ...]):
    assert shown_types(probability, dict.fromkeys(probability, 0.5), ("A", "B")) == expected


def test_probabilities_are_the_calibrated_highest_patch_score_and_no_type_exceeds_any():
    reader = system()
    scores = np.zeros((6, 3), dtype=np.float32)
    scores[0] = 0.2, 0.8, 0.5
    scores[1] = 0.9, 0.1, 0.1  # IPH, above any
    scores[2] = 0.1, 0.2, 0.3  # IVH
    reader.pack.manifest.calibration.update(dict.fromkeys(("any", *TYPES), Calibration(2.0, 0.0)))
    probability = reader.probabilities(kuo2019.ExamMaps(np.zeros((6, 3, 8, 8)), scores))
    assert probability["any"] == pytest.approx(16 / 17)  # odds 4, squared
    assert probability[IPH] == probability["any"]  # odds 81 would be 0.988
    assert probability["IVH"] == pytest.approx(9 / 58)  # odds 3 / 7, squared


def test_a_prepared_exam_of_any_window_gives_the_same_reading():
    volume, reader = head(GRIDS["gantry tilted"]), system()
    shared = prepare(volume, dataclasses.replace(CONFIG, window_hu=(-1000.0, 1000.0)))
    alone, together = reader.read(volume), reader.read(volume, prepared=shared)
    assert together.probability == alone.probability
    np.testing.assert_array_equal(together.heatmap_kji, alone.heatmap_kji)
    np.testing.assert_array_equal(together.label_kji, alone.label_kji)


def test_taking_more_slices_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    readings = []
    for count in (1, 1000):
        monkeypatch.setattr(kuo2019, "SLICES_AT_ONCE", count)
        readings.append(system().read(head(GRIDS["gantry tilted"])))
    np.testing.assert_array_equal(readings[0].label_kji, readings[1].label_kji)
    np.testing.assert_array_equal(readings[0].heatmap_kji, readings[1].heatmap_kji)


def test_outside_the_brain_there_is_neither_mask_nor_heat():
    everywhere = LocalNetwork(level=-1.0)  # calls every pixel
    reading = system(everywhere).read(head(GRIDS["axial"], lesion=False))
    k, j, i = np.indices(reading.label_kji.shape)
    radii = GRIDS["axial"].voxel_to_lps(np.stack([i, j, k], -1)) / (72.0, 92.0, 82.0)
    outside = (radii**2).sum(-1) > 1.0
    assert not reading.label_kji[outside].any() and not reading.heatmap_kji[outside].any()
    assert reading.label_kji[~outside].mean() > 0.85


def test_an_image_without_a_head_was_not_looked_at():
    grid = GRIDS["axial"]
    with pytest.raises(SeriesSelectionError, match="not negative"):
        system().read(Volume(np.full(grid.shape_kji, -1000, np.int16), grid))


@pytest.mark.parametrize("stage", ["prepare", "network", "decode"])
def test_cancel_is_heard_in_every_stage(stage: str):
    def progress(current: str, fraction: float) -> None:
        if current == stage:
            raise Cancelled("The run was cancelled.")

    with pytest.raises(Cancelled):
        system().read(head(GRIDS["axial"]), progress=progress)


def test_progress_names_each_stage_from_start_to_end():
    heard: dict[str, list[float]] = {}
    reading = system().read(head(GRIDS["axial"]), progress=lambda stage, f: heard.setdefault(stage, []).append(f))
    assert list(heard) == ["prepare", "network", "decode"] == list(reading.timings_s)
    for fractions in heard.values():
        assert fractions[0] == 0.0 and fractions[-1] == 1.0 and fractions == sorted(fractions)


def test_a_reading_carries_the_identity_of_its_weights_and_the_same_exam_reads_the_same(tmp_path: Path):
    pack = load_model_pack(tiny_packs.save(tmp_path / "tiny"))
    reader = Kuo2019System.from_pack(pack, choose_device("cpu"))
    first, second = (reader.read(head(GRIDS["axial"])) for _ in range(2))
    assert first.model == pack.identity and first.system == "kuo2019"
    assert first.probability == second.probability
    np.testing.assert_array_equal(first.heatmap_kji, second.heatmap_kji)
    assert all(0.0 <= p <= 1.0 for p in first.probability.values())
    assert isinstance(first, Reading) and isinstance(GRIDS["axial"], SliceGrid)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"system": "chang2018"}, "made for chang2018"),
        ({"config": tiny_packs.CONFIG.to_json() | {"surprise": 1}}, "surprise"),
        ({"config": {}}, "unknown or missing"),
        ({"config": tiny_packs.CONFIG.to_json() | {"width": 0.125}}, "do not fit"),
        ({"config": tiny_packs.CONFIG.to_json() | {"codes": ["IPH", "IVH", "SDH", "SAH", "EDH"]}}, "disagree"),
    ],
)
def test_a_pack_for_something_else_is_refused(tmp_path: Path, changes: dict, message: str):
    pack = load_model_pack(tiny_packs.save(tmp_path / "pack", **changes))
    with pytest.raises(ModelError, match=message):
        Kuo2019System.from_pack(pack, choose_device("cpu"))


def test_settings_there_and_back_and_out_of_range():
    assert Kuo2019Config.from_json(CONFIG.to_json()) == CONFIG
    for wrong in ({"image_size": 100}, {"patch_size": 512}, {"slices": 2}, {"pixel_threshold": 1.0}, {"width": "x"}):
        with pytest.raises(ConfigError):
            Kuo2019Config.from_json(CONFIG.to_json() | wrong)
