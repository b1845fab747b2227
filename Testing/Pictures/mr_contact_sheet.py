"""Draws contact sheets of simulated brain-MRI studies: one row per study, all its series at the same place.

With --real, a second sheet shows series of real studies (NIfTI files) in the same scaling, to compare with; it is for
looking at and is not kept in the repository.

    python Testing/Pictures/mr_contact_sheet.py MAPS -o docs/pictures
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import SimpleITK as sitk

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from NeuroTriageLib.simulation.anatomy import load_anatomy
from NeuroTriageLib.simulation.exam_folders import find_label_maps
from NeuroTriageLib.simulation.mr.profiles import ROLES
from NeuroTriageLib.simulation.mr.settings import SETTINGS
from NeuroTriageLib.simulation.mr.study import SimulatedSeries, SimulatedStudy, simulate_brain_mr
from NeuroTriageLib.simulation.mr.territories import load_atlas

ADC_WINDOW = (0.0, 3.0e-3)  # mm2/s
COLORS = {"acute_infarct": "red", "acute_hemorrhage": "cyan", "mass_effect": "yellow"}
COLUMNS = len(ROLES) - 1  # a protocol has either T2star or SWI


@dataclass(frozen=True)
class Tile:
    """One slice with the window it is shown in, masks to outline, and a caption."""

    image: np.ndarray
    window: tuple[float, float]
    masks: dict[str, np.ndarray]
    caption: str


def window_of(values: np.ndarray, *, is_adc: bool) -> tuple[float, float]:
    """Fixed for ADC in mm2/s; else from zero to the 99.5th percentile of what is no air."""
    if is_adc:
        return ADC_WINDOW
    tissue = values[values > 0.05 * np.percentile(values, 99.7)]
    return 0.0, float(np.percentile(tissue, 99.5)) if len(tissue) else 1.0


def place_of(study: SimulatedStudy) -> np.ndarray:
    """(3,) LPS of the slice to show: through the largest finding, else a random height in the middle half."""
    for code in COLORS:
        for series in study.series.values():
            if code in series.masks and series.plan.plane == "axial":
                mask = series.masks[code]
                k = int(mask.sum((1, 2)).argmax())
                j, i = np.argwhere(mask[k]).mean(0)
                return series.volume.grid.voxel_to_lps(np.array([[i, j, k]]))[0]
    grid = next(iter(study.series.values())).volume.grid
    count, rows, columns = grid.shape_kji
    share = 0.3 + 0.4 * np.random.default_rng(int(study.truth["seed"])).random()
    return grid.voxel_to_lps(np.array([[columns / 2.0, rows / 2.0, count * share]]))[0]


def tile_of(series: SimulatedSeries, place_lps: np.ndarray, caption: str) -> Tile:
    """The slice through a place; sagittal series show their middle."""
    grid = series.volume.grid
    k = int(np.clip(round(float(grid.lps_to_voxel(place_lps[None])[0, 2])), 0, grid.shape_kji[0] - 1))
    if series.plan.plane == "sagittal":
        k = grid.shape_kji[0] // 2
    values = series.volume.array_kji.astype(float) * (series.adc_unit_mm2_per_s or 1.0)
    masks = {code: mask[k] for code, mask in series.masks.items() if mask[k].any()}
    return Tile(values[k], window_of(values, is_adc=series.role == "ADC"), masks, caption)


def row_of(study: SimulatedStudy) -> list[Tile]:
    """All series of a study."""
    truth, place = study.truth, place_of(study)
    found = [code for code in COLORS if truth[code]] or (truth["changes"][:2] if truth["abnormal"] else ["normal"])
    rows = []
    for n, (role, series) in enumerate(study.series.items()):
        text = (
            f"{truth['seed']}: {', '.join(found)}"
            if n == 0
            else f"{role}, {series.volume.grid.slice_thickness_mm:g} mm"
        )
        rows.append(tile_of(series, place, text))
    return rows


def draw(rows: Sequence[Sequence[Tile]], path: Path, *, outlined: bool) -> None:
    """Write one sheet as JPEG."""
    columns = max(len(row) for row in rows)
    figure, axes = plt.subplots(len(rows), columns, figsize=(columns * 1.25, len(rows) * 1.32), dpi=110, squeeze=False)
    figure.subplots_adjust(0, 0, 1, 0.993, wspace=0.01, hspace=0.07)
    for axis in axes.flat:
        axis.axis("off")
    for line, row in zip(axes, rows, strict=True):
        for axis, tile in zip(line, row, strict=False):
            axis.imshow(tile.image, cmap="gray", vmin=tile.window[0], vmax=tile.window[1])
            axis.set_title(tile.caption, fontsize=4.5, pad=1.0)
            for code, mask in tile.masks.items() if outlined else ():
                axis.contour(mask, levels=[0.5], colors=COLORS[code], linewidths=0.4)
    figure.savefig(path, pil_kwargs={"quality": 80})
    plt.close(figure)


def row_of_file(path: Path) -> list[Tile]:
    """Slices of one real series."""
    values = sitk.GetArrayFromImage(sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")).astype(float)
    is_adc = "adc" in path.name.lower()
    if is_adc and np.percentile(values, 99.0) > 0.1:
        values = values * (1e-6 if np.percentile(values, 99.0) > 50.0 else 1e-3)
    window = window_of(values, is_adc=is_adc)
    picked = np.linspace(0.15 * len(values), 0.85 * len(values), COLUMNS).astype(int)
    return [Tile(values[k], window, {}, path.name if n == 0 else f"slice {k + 1}") for n, k in enumerate(picked)]


def main() -> None:
    """Draw the sheets that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("maps", type=Path, help="folder of head label maps")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--studies", type=int, default=24)
    parser.add_argument("--first-seed", type=int, default=8000)
    parser.add_argument("--matrix", type=int, default=256)
    parser.add_argument("--settings", choices=sorted(SETTINGS), default="balanced")
    parser.add_argument("--territories", type=Path, help="atlas of arterial territories")
    parser.add_argument("--cache", type=Path, help="folder where derived anatomies are kept")
    parser.add_argument("--real", type=Path, nargs="+", default=[], help="real series (NIfTI) in the same scaling")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    maps = find_label_maps(options.maps)
    settings = replace(SETTINGS[options.settings], matrix=options.matrix)
    atlas = load_atlas(options.territories) if options.territories else None
    rows = []
    for seed in range(options.first_seed, options.first_seed + options.studies):
        anatomy = load_anatomy(maps[seed % len(maps)], options.cache)
        rows.append(row_of(simulate_brain_mr(anatomy, seed, settings, atlas=atlas)))
        print(f"study {seed}: {rows[-1][0].caption}", flush=True)
    draw(rows, options.output / "simulated_mr.jpg", outlined=False)
    draw(rows, options.output / "simulated_mr_findings.jpg", outlined=True)
    if options.real:
        draw([row_of_file(path) for path in options.real], options.output / "real_mr.jpg", outlined=False)


if __name__ == "__main__":
    main()
