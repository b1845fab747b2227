"""Chang 2018 from a volume to a Reading: boxes and masks lie where the lesion is, on grids of every kind."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from NeuroTriageLib.core.errors import Cancelled, ModelError, SeriesSelectionError
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.inference.device import choose_device
from NeuroTriageLib.io.model_packs import Calibration, ModelPack, load_model_pack, save_model_pack
from NeuroTriageLib.measurements.findings import measure
from NeuroTriageLib.preprocessing.network_grid import prepare
from NeuroTriageLib.review.labels import label_of_reading
from NeuroTriageLib.review.thresholds import label_at
from NeuroTriageLib.systems.chang2018 import Chang2018System, build_network
from NeuroTriageLib.systems.chang2018_config import CODES, COMPACT
from Testing.Lib import tiny_packs
from Testing.Lib.systems.bright_boxes import DarkPartBoxes
from Testing.Lib.systems.head_phantom import LESION_CENTER_MM, head, lesion_mask, stack

CONFIG = dataclasses.replace(COMPACT, width=0.125, pyramid_channels=16, hidden=16, pixel_spacing_mm=1.8, image_size=128)
IPH, SDH_EDH, SAH = CODES

GRIDS = {
    "axial": stack(),
    "stacked downwards": stack(feet_last=True),
    "gantry tilted": stack(tilt_deg=18.0),
    "turned in plane": stack(turn_deg=25.0),
    "rows and columns exchanged": stack(turn_deg=90.0),
    "mirrored rows": stack(mirrored=True),
    "uneven and with gaps": stack(steps_mm=np.array([3.0] * 15 + [5.0] * 6 + [9.0] * 9)),
    "thin slices": stack(steps_mm=np.full(119, 1.25)),
}


def manifest(present: tuple[str, ...] = ("any", IPH)):
    """A pack whose calibration changes nothing; the named codes are always present, the others never."""
    thresholds = {code: 0.0 if code in present else 1.0 for code in ("any", *CODES)}
    return tiny_packs.manifest(
        system="chang2018", config=CONFIG.to_json(), codes=CODES, operating_points=thresholds,
        calibration=dict.fromkeys(thresholds, Calibration()), files={"weights.safetensors": "ab" * 32},
    )  # fmt: skip


def system(network: torch.nn.Module | None = None, present: tuple[str, ...] = ("any", IPH)) -> Chang2018System:
    pack = ModelPack(Path("test"), manifest(present), b"")
    return Chang2018System(pack, CONFIG, network or DarkPartBoxes(), choose_device("cpu"))


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2.0 * float((a & b).sum()) / float(a.sum() + b.sum())


@pytest.mark.parametrize("name", GRIDS)
def test_mask_and_boxes_lie_on_the_lesion_on_the_voxels_of_the_source(name: str):
    grid = GRIDS[name]
    reading = system().read(head(grid))
    truth = lesion_mask(grid)
    assert reading.label_kji.shape == reading.heatmap_kji.shape == grid.shape_kji
    assert reading.label_kji.dtype == np.uint8 and reading.heatmap_kji.dtype == np.float16
    assert dice(reading.label_kji == 1, truth) > 0.92
    assert reading.heatmap_kji.max() == pytest.approx(0.9, abs=0.01)
    checked = 0
    for region in reading.regions:
        assert region.code == IPH and region.accepted and region.instance == 1
        rows, columns = np.nonzero(truth[region.slice_index])
        if len(rows) < 60:  # the ball's caps, where a slab's mean decides what is seen
            continue
        expected = np.array([rows.min(), columns.min(), rows.max(), columns.max()])
        assert np.abs(np.array(region.box_ji) - expected).max() <= 2
        checked += 1
    assert checked >= 3


def test_the_probability_is_the_highest_confidence_and_the_slices_have_their_own():
    reading = system().read(head(GRIDS["thin slices"]))
    assert reading.probability == pytest.approx({"any": 0.9, IPH: 0.9, SDH_EDH: 0.0, SAH: 0.0}, abs=1e-3)
    scores, heights = reading.slice_probability["any"], GRIDS["thin slices"].slice_positions_mm - 74.375
    assert set(reading.slice_probability) == {"any", *CODES}
    assert scores[np.abs(heights - LESION_CENTER_MM[2]) < 8] == pytest.approx(0.9)
    assert not scores[np.abs(heights - LESION_CENTER_MM[2]) > 24].any()


def test_nothing_present_leaves_mask_empty_and_tells_the_regions_as_rejected():
    reading = system(present=()).read(head(GRIDS["axial"]))
    assert not reading.label_kji.any() and reading.heatmap_kji.max() > 0.8
    assert reading.regions and not any(region.accepted or region.instance for region in reading.regions)


def test_a_moved_threshold_draws_what_a_system_with_that_threshold_draws():
    volume = head(GRIDS["gantry tilted"])
    own, negative, low = system().read(volume), system(present=()).read(volume), system()
    assert label_of_reading(own).any()
    assert np.array_equal(label_at(own), label_of_reading(own))
    assert np.array_equal(label_at(negative, {"any": 0.0, IPH: 0.0}), label_of_reading(own))
    low.config = dataclasses.replace(CONFIG, pixel_threshold=0.25)
    expected = label_of_reading(low.read(volume))
    assert dice(label_at(own, pixel_threshold=0.25) > 0, expected > 0) > 0.999, "equal to 1/254 of a probability"


def test_ventricular_blood_counts_for_any_and_its_place_is_shown_when_there_is_no_type():
    reading = system(DarkPartBoxes(kind=4), present=("any",)).read(head(GRIDS["axial"]))
    assert reading.probability["any"] == pytest.approx(0.9) and reading.is_untyped
    assert dice(reading.label_kji > 0, lesion_mask(GRIDS["axial"])) > 0.92
    assert {region.code for region in reading.regions} == {"IVH"} and all(r.accepted for r in reading.regions)


def test_ventricular_blood_beside_a_type_is_in_the_heatmap_and_in_no_typed_mask():
    reading = system(DarkPartBoxes(kind=4), present=("any", IPH)).read(head(GRIDS["axial"]))
    assert not reading.label_kji.any()
    assert dice(reading.heatmap_kji > 0.5, lesion_mask(GRIDS["axial"])) > 0.9


def test_a_prepared_exam_gives_what_the_volume_gives():
    volume = head(GRIDS["gantry tilted"])
    first, second = system().read(volume), system().read(volume, prepared=prepare(volume, CONFIG))
    np.testing.assert_array_equal(first.label_kji, second.label_kji)
    assert first.regions == second.regions and first.probability == second.probability


def test_the_findings_name_the_types_of_the_paper():
    findings, _ = measure(
        system(DarkPartBoxes(kind=2), present=("any", SDH_EDH)).read(head(GRIDS["axial"])), GRIDS["axial"]
    )
    found = {finding.code: finding for finding in findings}
    assert list(found) == ["any", IPH, SDH_EDH, SAH]
    assert found[SDH_EDH].volume_ml == pytest.approx(4 / 3 * np.pi * 1.6**3, rel=0.1)


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


def test_a_pack_that_was_written_reads_as_the_network_that_was_put_in(tmp_path: Path):
    torch.manual_seed(2)
    network = build_network(CONFIG).eval()
    weights = {n: v.half().float() if v.is_floating_point() else v for n, v in network.state_dict().items()}
    network.load_state_dict(weights)
    everything = manifest(("any", *CODES))
    save_model_pack(tmp_path / "pack", dataclasses.replace(everything, files={}), weights)
    loaded = Chang2018System.from_pack(load_model_pack(tmp_path / "pack"), choose_device("cpu"))
    volume = head(GRIDS["axial"])
    ours, theirs = loaded.read(volume), system(network, ("any", *CODES)).read(volume)
    assert ours.probability == pytest.approx(theirs.probability, abs=1e-5)
    assert len(ours.regions) == len(theirs.regions) > 0
    np.testing.assert_array_equal(ours.label_kji, theirs.label_kji)


def test_a_pack_of_another_system_is_refused():
    pack = ModelPack(Path("test"), tiny_packs.manifest(), b"")
    with pytest.raises(ModelError, match="made for kuo2019"):
        Chang2018System.from_pack(pack, choose_device("cpu"))
