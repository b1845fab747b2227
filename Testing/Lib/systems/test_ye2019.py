"""Ye 2019 from a volume to a Reading: the heatmap lies on the lesion of any grid, types wait for the gate, no mask."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from NeuroTriageLib.core.errors import Cancelled, ConfigError, ModelError, SeriesSelectionError
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.inference.device import choose_device
from NeuroTriageLib.io.model_packs import Calibration, ModelPack, load_model_pack
from NeuroTriageLib.preprocessing.brain_field import BLANK_HU
from NeuroTriageLib.preprocessing.network_grid import prepare
from NeuroTriageLib.systems.kuo2019_config import COMPACT as KUO_COMPACT
from NeuroTriageLib.systems.kuo2019_config import PUBLISHED as KUO_PUBLISHED
from NeuroTriageLib.systems.kuo2019_config import Kuo2019Config
from NeuroTriageLib.systems.ye2019 import Ye2019System, build_networks
from NeuroTriageLib.systems.ye2019_config import COMPACT, PUBLISHED, Ye2019Config
from Testing.Lib import tiny_packs, tiny_ye2019
from Testing.Lib.systems.head_phantom import LESION_CENTER_MM, head, lesion_mask, stack

CODES = ("any", *PUBLISHED.codes)
GRIDS = {
    "axial": stack(),
    "stacked downwards": stack(feet_last=True),
    "gantry tilted": stack(tilt_deg=18.0),
    "rows and columns exchanged": stack(turn_deg=90.0),
    "mirrored rows": stack(mirrored=True),
    "uneven and with gaps": stack(steps_mm=np.array([3.0] * 15 + [5.0] * 6 + [9.0] * 9)),
    "thin slices": stack(steps_mm=np.full(119, 1.25)),
}


def system(config: Ye2019Config = tiny_ye2019.CONFIG) -> Ye2019System:
    """The system with networks that call the phantom's dark lesion."""
    manifest = tiny_packs.manifest(
        system="ye2019", config=config.to_json(), calibration=dict.fromkeys(CODES, Calibration()),
        files={"weights.safetensors": "ab" * 32},
    )  # fmt: skip
    return Ye2019System(
        ModelPack(Path("test"), manifest, b""), config, tiny_ye2019.local_cascade(), choose_device("cpu")
    )


@pytest.mark.parametrize("name", GRIDS)
def test_the_heatmap_is_highest_on_the_lesion_on_the_voxels_of_the_source(name: str):
    grid = GRIDS[name]
    reading = system().read(head(grid))
    heat = reading.heatmap_kji
    assert heat.shape == reading.label_kji.shape == grid.shape_kji and heat.dtype == np.float16
    assert 0.9 < heat.max() <= 1.0 and heat.min() == 0.0
    k, j, i = np.nonzero(heat > 0.7 * heat.max())
    center = grid.voxel_to_lps(np.stack([i, j, k], axis=1)).mean(0)
    assert np.linalg.norm(center - LESION_CENTER_MM) < 15.0  # a cell is 29 mm wide here
    assert heat[lesion_mask(grid)].mean() > 10 * heat[~lesion_mask(grid)].mean()


def test_slices_without_a_lesion_are_dark_and_the_scores_are_those_of_their_slab():
    grid = GRIDS["axial"]
    reading = system().read(head(grid))
    middle = grid.voxel_to_lps([[64, 64, k] for k in range(grid.shape_kji[0])])[:, 2]
    far = np.abs(middle - LESION_CENTER_MM[2]) > 25.0
    scores = reading.slice_probability["any"]
    assert scores[np.argmin(np.abs(middle - LESION_CENTER_MM[2]))] == scores.max() > 0.9
    assert scores[far].max() < 0.02 and reading.heatmap_kji[far].max() == 0.0
    peaks = reading.heatmap_kji.max(axis=(1, 2)).astype(float)
    shown = peaks > 0
    np.testing.assert_allclose(peaks[shown], scores[shown], atol=0.05)


def test_the_heatmap_is_dark_where_the_networks_saw_nothing():
    reader = system()
    prepared = prepare(head(GRIDS["axial"]), reader.config)
    field = reader.field_of(prepared)
    heat = reader._predictor.predict(field).heat_shw
    seen = field.paste((field.hu_shw > BLANK_HU).astype(np.uint8)) > 0
    assert heat.max() > 0.9 and not heat[~seen].any()


def test_there_is_no_mask_and_the_reading_says_so():
    reading = system().read(head(GRIDS["axial"]))
    assert reading.segments is False and not reading.label_kji.any()
    assert set(reading.probability) == set(reading.threshold) == set(reading.slice_probability) == set(CODES)


def test_types_are_asked_only_when_the_exam_bleeds():
    bleeding = system().read(head(GRIDS["axial"]))
    assert bleeding.probability["IVH"] == pytest.approx(bleeding.probability["any"], abs=0.05)
    assert bleeding.probability["SDH"] < 0.05
    healthy = system().read(head(GRIDS["axial"], lesion=False))
    raw = healthy.probability["any"]
    assert raw < 0.5
    assert [healthy.probability[code] for code in CODES[1:]] == pytest.approx([0.2 * raw] * 5, rel=1e-3)


def test_an_exam_that_is_prepared_already_gives_the_same_reading_whatever_its_window():
    volume, config = head(GRIDS["gantry tilted"]), tiny_ye2019.CONFIG
    other = Kuo2019Config(pixel_spacing_mm=config.pixel_spacing_mm, image_size=128, patch_size=48)
    first, second = system().read(volume), system().read(volume, prepared=prepare(volume, other))
    assert first.probability == second.probability
    np.testing.assert_array_equal(first.heatmap_kji, second.heatmap_kji)


def test_the_compact_grid_is_that_of_kuo_2019():
    for name in ("pixel_spacing_mm", "image_size", "slab_mm", "codes"):
        assert getattr(COMPACT, name) == getattr(KUO_COMPACT, name)


def test_the_published_settings_are_the_papers():
    assert PUBLISHED.image_size == 256 and PUBLISHED.width == 1.0
    assert PUBLISHED.pixel_spacing_mm == 2 * KUO_PUBLISHED.pixel_spacing_mm, "512 pixels, halved"
    assert PUBLISHED.field == "image", "the skull stays"
    assert PUBLISHED.windows_hu == ((-50, 150), (100, 300), (250, 450))
    assert not PUBLISHED.shared_cnn and PUBLISHED.pooling == "flatten" and PUBLISHED.gate == 0.5
    assert sum(p.numel() for p in build_networks(PUBLISHED).parameters()) == 2 * 23_178_048 + 2 * 130 + 2 * 325


def test_the_compact_pack_stays_below_4_mb(tmp_path: Path):
    folder = tiny_ye2019.save(tmp_path / "pack", COMPACT)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 4e6


def test_every_slice_is_a_slab_in_the_published_setting():
    volume = head(GRIDS["thin slices"])
    assert len(prepare(volume, dataclasses.replace(PUBLISHED, image_size=64, pixel_spacing_mm=3.6)).hu_shw) == 120


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


def test_a_pack_goes_there_and_back_and_reads_the_same_twice(tmp_path: Path):
    pack = load_model_pack(tiny_ye2019.save(tmp_path / "tiny"))
    reader = Ye2019System.from_pack(pack, choose_device("cpu"))
    first, second = (reader.read(head(GRIDS["axial"])) for _ in range(2))
    assert first.model == pack.identity and first.system == "ye2019"
    assert first.probability == second.probability
    np.testing.assert_array_equal(first.heatmap_kji, second.heatmap_kji)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"system": "chang2018"}, "made for chang2018"),
        ({"config": tiny_ye2019.CONFIG.to_json() | {"surprise": 1}}, "surprise"),
        ({"config": {}}, "unknown or missing"),
        ({"config": tiny_ye2019.CONFIG.to_json() | {"width": 0.25}}, "do not fit"),
        ({"config": tiny_ye2019.CONFIG.to_json() | {"codes": ["IPH", "IVH", "SDH", "SAH", "EDH"]}}, "disagree"),
    ],
)
def test_a_pack_for_something_else_is_refused(tmp_path: Path, changes: dict, message: str):
    with pytest.raises(ModelError, match=message):
        Ye2019System.from_pack(load_model_pack(tiny_ye2019.save(tmp_path / "pack", **changes)), choose_device("cpu"))


def test_settings_there_and_back_and_out_of_range():
    for config in (PUBLISHED, COMPACT):
        assert Ye2019Config.from_json(config.to_json()) == config
    for wrong in (
        {"image_size": 100}, {"width": 0}, {"gate": 1.5}, {"pooling": "flatten"}, {"field": "nose"},
        {"windows_hu": [[0, 1], [1, 0], [0, 1]]}, {"batch_norm": "yes"}, {"margin_mm": -1}, {"slab_mm": "x"},
    ):  # fmt: skip
        with pytest.raises(ConfigError):
            Ye2019Config.from_json(COMPACT.to_json() | wrong)
