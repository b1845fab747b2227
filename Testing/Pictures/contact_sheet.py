"""Draws contact sheets of random simulated exams: one key slice each, plain and with the blood outlined.

With --study, a third sheet shows slices of a real study in the same window, to compare with; it is for looking at and
is not kept in the repository.

    python Testing/Pictures/contact_sheet.py MAPS -o docs/pictures
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from NeuroTriageLib.core.codes import CT_HEMORRHAGE_CODES
from NeuroTriageLib.io.inputs import open_input, read_volume
from NeuroTriageLib.series_selection import select_head_ct
from NeuroTriageLib.simulation.anatomy import load_anatomy
from NeuroTriageLib.simulation.exam_folders import find_label_maps
from NeuroTriageLib.simulation.head_ct import SimulatedExam, simulate_head_ct
from NeuroTriageLib.simulation.settings import HeadCtSettings

WINDOW_HU = (0.0, 80.0)  # the brain window: width 80, level 40
COLUMNS = 8
SIDE_MM = 200.0  # side of the square that is shown
COLORS = dict(zip(CT_HEMORRHAGE_CODES, ("red", "orange", "cyan", "magenta", "yellow"), strict=True))


@dataclass(frozen=True)
class Tile:
    """One slice of a contact sheet: (J, I) HU and label, its pixel in mm, and its caption."""

    hu: np.ndarray
    label: np.ndarray
    pixel_mm: float
    caption: str


def key_slice(exam: SimulatedExam) -> int:
    """The slice with the most blood; without blood, one between a quarter and three quarters of the stack."""
    area = (exam.label_kji > 0).sum((1, 2))
    if area.any():
        return int(area.argmax())
    count = len(exam.label_kji)
    return int(count * (0.3 + 0.45 * np.random.default_rng(int(exam.truth["seed"])).random()))


def tile_of(exam: SimulatedExam) -> Tile:
    """An exam's key slice with the types that are seen in it."""
    k = key_slice(exam)
    label = exam.label_kji[k]
    seen = [code for value, code in enumerate(CT_HEMORRHAGE_CODES, start=1) if (label == value).any()]
    caption = f"{exam.truth['seed']}: {'+'.join(seen) or 'no blood'}, {exam.thicknesses_mm[k]:.1f} mm"
    return Tile(exam.volume.array_kji[k], label, exam.volume.grid.spacing_i_mm, caption)


def tiles_of_study(path: Path, count: int) -> list[Tile]:
    """Slices of the head CT of a study on disk, evenly through the stack."""
    with open_input(path) as (study,):
        volume, _ = read_volume(select_head_ct(study).series)
    picked = np.linspace(0, len(volume.array_kji) - 1, min(count, len(volume.array_kji))).round().astype(int)
    empty = np.zeros(volume.array_kji.shape[1:], np.uint8)
    return [Tile(volume.array_kji[k], empty, volume.grid.spacing_i_mm, f"slice {k + 1}") for k in picked]


def draw(tiles: Sequence[Tile], path: Path, *, outlined: bool) -> None:
    """Write one sheet as JPEG."""
    rows = -(-len(tiles) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(COLUMNS * 2.0, rows * 2.12), dpi=110, squeeze=False)
    figure.subplots_adjust(0, 0, 1, 0.985, wspace=0.01, hspace=0.06)
    for axis in axes.flat:
        axis.axis("off")
    for axis, tile in zip(axes.flat, tiles, strict=False):
        axis.imshow(_cut(tile.hu, tile.pixel_mm), cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1])
        axis.set_title(tile.caption, fontsize=6, pad=1.5)
        if not outlined:
            continue
        label = _cut(tile.label, tile.pixel_mm)
        for value, code in enumerate(CT_HEMORRHAGE_CODES, start=1):
            if (label == value).any():
                axis.contour(label == value, levels=[0.5], colors=COLORS[code], linewidths=0.6)
    figure.savefig(path, pil_kwargs={"quality": 82})
    plt.close(figure)


def _cut(image: np.ndarray, pixel_mm: float) -> np.ndarray:
    """The middle square of SIDE_MM, air around it where the image is smaller."""
    half = round(SIDE_MM / 2 / pixel_mm)
    padded = np.pad(image, half, constant_values=-1000 if image.min() < 0 else 0)
    j, i = padded.shape[0] // 2, padded.shape[1] // 2
    return padded[j - half : j + half, i - half : i + half]


def main() -> None:
    """Draw the sheets that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("maps", type=Path, help="folder of head label maps")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--exams", type=int, default=48)
    parser.add_argument("--first-seed", type=int, default=7000)
    parser.add_argument("--matrix", type=int, default=256)
    parser.add_argument("--cache", type=Path, help="folder where derived anatomies are kept")
    parser.add_argument("--study", type=Path, help="a study on disk to draw in the same window")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    maps = find_label_maps(options.maps)
    settings = HeadCtSettings(matrix=options.matrix)
    tiles = []
    for seed in range(options.first_seed, options.first_seed + options.exams):
        anatomy = load_anatomy(maps[seed % len(maps)], options.cache)
        tiles.append(tile_of(simulate_head_ct(anatomy, seed, settings)))
    draw(tiles, options.output / "simulated_exams.jpg", outlined=False)
    draw(tiles, options.output / "simulated_exams_blood.jpg", outlined=True)
    if options.study is not None:
        draw(tiles_of_study(options.study, COLUMNS * 4), options.output / "study.jpg", outlined=False)


if __name__ == "__main__":
    main()
