"""Tissue classes of the simulated head, the label numbers that stand for them, and their Hounsfield units."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Tissue(IntEnum):
    """Compact classes; the order is the order of HU_TABLE."""

    OUTSIDE = 0
    AIR = 1
    SOFT = 2
    FAT = 3
    BONE = 4
    DIPLOE = 5
    CSF = 6
    VENTRICLE = 7
    CORTEX = 8
    WHITE = 9
    DEEP = 10
    CEREBELLUM = 11
    BRAINSTEM = 12
    SINUS = 13
    ARTERY = 14
    EYE = 15
    MUCOSA = 16
    CEREBELLAR_WHITE = 17


# FreeSurfer's numbers (FreeSurferColorLUT) and, from 500, those of the head label maps of SynthSeg.
_LABELS: dict[Tissue, tuple[int, ...]] = {
    Tissue.CSF: (24, 530),
    Tissue.VENTRICLE: (4, 5, 43, 44, 14, 15, 72, 31, 63),
    Tissue.CORTEX: (3, 42),
    Tissue.WHITE: (2, 41, 77, 85, 136, 137, 163, 164, 25, 57),
    Tissue.DEEP: (10, 49, 11, 50, 12, 51, 13, 52, 17, 53, 18, 54, 26, 58, 28, 60),
    Tissue.CEREBELLUM: (8, 47),
    Tissue.CEREBELLAR_WHITE: (7, 46),
    Tissue.BRAINSTEM: (16, 512),
    Tissue.ARTERY: (30, 62, 502),
    Tissue.SINUS: (514,),
    Tissue.SOFT: (507, 508, 511),
    Tissue.EYE: (506,),
    Tissue.MUCOSA: (509,),
    Tissue.BONE: (515,),
    Tissue.DIPLOE: (516,),
}
LATERAL_VENTRICLES = (4, 43, 5, 44)
LEFT_CEREBRUM = (2, 3, 10, 11, 12, 13, 17, 18, 26, 28)
RIGHT_CEREBRUM = (41, 42, 49, 50, 51, 52, 53, 54, 58, 60)
CEREBELLUM_LABELS = (7, 8, 46, 47)
BRAINSTEM_LABELS = (16,)
SPINAL_CORD_LABEL = 512
BASAL_GANGLIA = {"putamen": (12, 51), "pallidum": (13, 52), "thalamus": (10, 49), "caudate": (11, 50)}

# (mean, spread between exams, spread within an exam) in HU at 120 kV. Brain, CSF, bone and air: usual textbook ranges
# (grey matter 37-41, white matter 25-32, CSF 0-15, cortical bone over 1000, fat -100); the spreads are ours.
HU_TABLE: dict[Tissue, tuple[float, float, float]] = {
    Tissue.OUTSIDE: (-1000.0, 3.0, 0.0),
    Tissue.AIR: (-985.0, 15.0, 5.0),
    Tissue.SOFT: (48.0, 6.0, 6.0),
    Tissue.FAT: (-95.0, 8.0, 8.0),
    Tissue.BONE: (1350.0, 180.0, 130.0),
    Tissue.DIPLOE: (650.0, 150.0, 160.0),
    Tissue.CSF: (9.0, 3.0, 0.8),
    Tissue.VENTRICLE: (8.0, 3.0, 0.5),
    Tissue.CORTEX: (38.5, 2.0, 1.2),
    Tissue.WHITE: (28.5, 2.0, 1.0),
    Tissue.DEEP: (36.0, 2.0, 1.0),
    Tissue.CEREBELLUM: (37.5, 2.0, 1.2),
    Tissue.BRAINSTEM: (30.5, 2.0, 1.0),
    Tissue.SINUS: (54.0, 6.0, 2.0),
    Tissue.ARTERY: (42.0, 5.0, 2.0),
    Tissue.EYE: (10.0, 4.0, 1.0),
    Tissue.MUCOSA: (35.0, 12.0, 10.0),
    Tissue.CEREBELLAR_WHITE: (30.5, 2.0, 1.0),
}

BRAIN_TISSUES = (
    Tissue.CORTEX,
    Tissue.WHITE,
    Tissue.DEEP,
    Tissue.CEREBELLUM,
    Tissue.CEREBELLAR_WHITE,
    Tissue.BRAINSTEM,
)
FLUID_TISSUES = (Tissue.CSF, Tissue.VENTRICLE)
WHITE_TISSUES = (Tissue.WHITE, Tissue.CEREBELLAR_WHITE)


def tissue_of_labels(labels: np.ndarray) -> np.ndarray:
    """uint8 tissue classes of a label map of any shape; label 0 becomes OUTSIDE (air inside the head is told later).

    Numbers that are not in the table count as soft tissue.
    """
    table = np.full(max(int(labels.max()), 1024) + 1, Tissue.SOFT, dtype=np.uint8)
    table[0] = Tissue.OUTSIDE
    for tissue, numbers in _LABELS.items():
        table[list(numbers)] = tissue
    return table[labels]
