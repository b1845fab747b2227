"""What an exam looks like in a dozen plain figures: how programs and people can tell an unusual one from the usual."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BONE_HU, FAT_HU, SOFT_HU = 300.0, (-150.0, -30.0), (-30.0, 150.0)  # usual ranges on CT; the limits are ours
BRIGHT_HU = 90.0  # acute blood stays below 90-100 HU; calcification, contrast medium and metal lie above; ours
NOISE_LAG_MM = 1.8  # far enough for noise to be independent, near enough for anatomy to cancel; ours


@dataclass(frozen=True)
class ExamFeature:
    """One figure.

    Args:
        name: key.
        words: for a sentence, "the brain's median density".
        unit: "HU", "mm", "cm2" or "%".
        tolerance: the spread that is added to that of the training exams, because real scanners and heads differ by
            more than simulated ones (all ours); a share of the value where the figure is relative.
        relative: amounts that are compared by their ratio and not by their difference.
    """

    name: str
    words: str
    unit: str
    tolerance: float
    relative: bool = False


EXAM_FEATURES = (
    ExamFeature("brain_p05", "the density of the brain's darkest twentieth", "HU", 6.0),
    ExamFeature("brain_p25", "the density of the brain's darkest quarter", "HU", 4.0),
    ExamFeature("brain_p50", "the brain's median density", "HU", 4.0),
    ExamFeature("brain_p75", "the density above which the brain's brightest quarter lies", "HU", 4.0),
    ExamFeature("brain_p95", "the density above which the brain's brightest twentieth lies", "HU", 6.0),
    ExamFeature("brain_spread", "the spread of densities in the brain", "HU", 4.0),
    ExamFeature("noise", "the noise in the brain", "HU", 0.3, relative=True),
    ExamFeature("bright_share", "the share of the brain that is brighter than blood", "%", 0.3, relative=True),
    ExamFeature("area", "the largest cross-section of the intracranial space", "cm2", 20.0),
    ExamFeature("length", "its length from front to back", "mm", 15.0),
    ExamFeature("width", "its width", "mm", 12.0),
    ExamFeature("bone_share", "the amount of bone for the size of the brain", "%", 0.3, relative=True),
    ExamFeature("bone_hu", "the density of the bone", "HU", 150.0),
    ExamFeature("soft_share", "the soft tissue outside the skull for the size of the brain", "%", 0.3, relative=True),
    ExamFeature("fat_share", "the amount of fat for the size of the brain", "%", 0.3, relative=True),
    ExamFeature("brain_slabs", "the share of the slices that show brain", "%", 15.0),
)
"""In the order of exam_features."""


def exam_features(hu_shw: np.ndarray, brain_shw: np.ndarray, pixel_spacing_mm: float) -> np.ndarray:
    """(16,) float64 figures of a prepared exam in the order of EXAM_FEATURES.

    Args:
        hu_shw: (S, H, W) HU with skull and face; air around the head may be cut off.
        brain_shw: (S, H, W) bool, the intracranial space; at least one pixel.
        pixel_spacing_mm: in plane.
    """
    slabs = brain_shw.any(axis=(1, 2))
    hu, brain = hu_shw[slabs].astype(np.float32), brain_shw[slabs]
    inside = hu[brain]
    p05, p25, p50, p75, p95 = (float(value) for value in np.percentile(inside, (5, 25, 50, 75, 95)))
    areas = brain.sum(axis=(1, 2))
    largest = brain[int(areas.argmax())]
    percent_of_brain = 100.0 / len(inside)
    bone, outside = hu[hu > BONE_HU], ~brain
    soft = _within(hu, SOFT_HU) & outside
    fat = _within(hu, FAT_HU) & outside
    return np.array(
        [
            p05,
            p25,
            p50,
            p75,
            p95,
            p75 - p25,
            _noise_hu(hu, brain, pixel_spacing_mm),
            percent_of_brain * float((inside > BRIGHT_HU).sum()),
            float(areas.max()) * pixel_spacing_mm**2 / 100.0,
            _extent(largest.any(axis=1)) * pixel_spacing_mm,
            _extent(largest.any(axis=0)) * pixel_spacing_mm,
            percent_of_brain * len(bone),
            float(np.median(bone)) if len(bone) else 0.0,
            percent_of_brain * float(soft.sum()),
            percent_of_brain * float(fat.sum()),
            100.0 * float(slabs.mean()),
        ]
    )


def _within(hu: np.ndarray, limits_hu: tuple[float, float]) -> np.ndarray:
    return (hu >= limits_hu[0]) & (hu < limits_hu[1])


def _extent(used: np.ndarray) -> int:
    index = np.flatnonzero(used)
    return int(index[-1] - index[0] + 1) if len(index) else 0


def _noise_hu(hu: np.ndarray, brain: np.ndarray, pixel_spacing_mm: float) -> float:
    """Robust standard deviation of the noise from differences along rows inside the brain, 0 without neighbours."""
    lag = max(1, round(NOISE_LAG_MM / pixel_spacing_mm))
    both = brain[:, :, lag:] & brain[:, :, :-lag]
    difference = (hu[:, :, lag:] - hu[:, :, :-lag])[both]
    if not len(difference):
        return 0.0
    return float(1.4826 * np.median(np.abs(difference - np.median(difference))) / np.sqrt(2.0))
