"""Made exams and made systems in place of the simulator and the networks, for the evaluation programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from NeuroTriageLib.core.codes import CT_HEMORRHAGE_CODES
from NeuroTriageLib.core.errors import SeriesSelectionError
from NeuroTriageLib.core.findings import Deliberation, Familiarity, ModelIdentity, Reading
from NeuroTriageLib.core.geometry import SliceGrid
from NeuroTriageLib.core.volume import Volume
from Testing.Benchmarks import simulated_exams

SHAPE = (6, 24, 24)
BLOOD_HU, MIMIC_HU = 70, 120


@dataclass(frozen=True)
class Exam:
    """What the programs need of a simulated exam."""

    volume: Volume
    label_kji: np.ndarray
    truth: dict


def make_exam(anatomy, seed, settings, *, device):
    """Water; blocks of IPH when the settings want hemorrhage; a small calcified block in every third exam."""
    label = np.zeros(SHAPE, dtype=np.uint8)
    if settings.positive_probability == 1.0:
        label[1:5, 4 : 14 + seed % 3, 5:15] = 1
    array = (label * BLOOD_HU).astype(np.int16)
    if seed % 3 == 0:
        array[0, :2, :2] = MIMIC_HU
    affine = np.diag([1.0, 1.0, settings.slice_spacings_mm[0], 1.0])
    truth = {"mimics": ["choroid"] if seed % 3 == 0 else [], "changes": []}
    return Exam(Volume(array, SliceGrid.from_affine(SHAPE, affine)), label, truth)


@dataclass
class BrightSystem:
    """Calls whatever is at least this bright; counts its reads."""

    name: str = "right"
    above_hu: int = BLOOD_HU
    below_hu: int = MIMIC_HU
    device_name: str = "cpu"
    reads: int = 0

    def read(self, volume: Volume) -> Reading:
        """The answer."""
        self.reads += 1
        label = ((volume.array_kji >= self.above_hu) & (volume.array_kji < self.below_hu)).astype(np.uint8)
        codes = ("any", *CT_HEMORRHAGE_CODES)
        found = 0.9 if label.any() else 0.1
        return Reading(
            system=self.name,
            codes=CT_HEMORRHAGE_CODES,
            probability={code: found if code in ("any", "IPH") else 0.05 for code in codes},
            threshold=dict.fromkeys(codes, 0.5),
            slice_probability={code: np.zeros(SHAPE[0]) for code in codes},
            label_kji=label,
            heatmap_kji=label.astype(np.float16),
            model=ModelIdentity(self.name, "1", "0" * 64),
            timings_s={"network": 0.1},
        )


class BlindSystem(BrightSystem):
    """Can look at nothing."""

    def read(self, volume: Volume) -> Reading:
        raise SeriesSelectionError("There is no brain in the image.")


@dataclass
class ConsensusOfTwo(BrightSystem):
    """Says what its first member says, and hands over all opinions."""

    name: str = "consensus"
    members: tuple[BrightSystem, ...] = field(default_factory=lambda: (BrightSystem("a"), BrightSystem("b", 10, 20)))

    def read(self, volume: Volume) -> Reading:
        from dataclasses import replace

        opinions = tuple(member.read(volume) for member in self.members)
        told = Deliberation(opinions, {"c": "damaged"}, {}, {}, Familiarity(1.0, 5.0))
        return replace(opinions[0], system=self.name, deliberation=told)


@pytest.fixture
def systems(monkeypatch) -> dict[str, BrightSystem]:
    """The programs with made exams and these systems in place of the real ones."""
    made = {
        "right": BrightSystem(),
        "dazzled": BrightSystem("dazzled", BLOOD_HU, 3000),
        "blind": BlindSystem("blind"),
        "consensus": ConsensusOfTwo(),
    }
    monkeypatch.setattr(simulated_exams, "load_anatomy", lambda path, cache: path.name)
    monkeypatch.setattr(simulated_exams, "simulate_head_ct", make_exam)
    monkeypatch.setattr(simulated_exams, "load", lambda reader: {name: made[name] for name in reader.systems})
    return made


@pytest.fixture
def maps(tmp_path) -> Path:
    """A folder with two label maps (only their names matter here)."""
    folder = tmp_path / "maps"
    folder.mkdir()
    for name in ("head_a.nii.gz", "head_b.nii.gz", "LICENSE.txt"):
        (folder / name).write_bytes(b"")
    return folder
