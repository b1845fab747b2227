"""From boxes on slabs to what the reader sees: which are accepted, which belong together, where they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..core.findings import Region
from ..inference.chang2018_predictor import SlabRegion
from ..preprocessing.network_grid import NetworkGrid
from .chang2018_config import CODES, Chang2018Config


def accepted(
    regions: Sequence[SlabRegion], shown: tuple[str, ...], *, present: bool, untyped: bool, threshold: float
) -> list[bool]:
    """Which regions count as hemorrhage.

    None when the exam shows no hemorrhage. Otherwise those of at least the threshold's confidence whose type is
    present, and those of a type that is not answered (ventricular blood). The most confident region of a present type
    always counts: it is what made the type present. When no type is present, all types count, and one region at least.

    Args:
        regions: of the exam.
        shown: the types that the mask may hold (core.findings.shown_types).
        present: the exam shows hemorrhage.
        untyped: no type reaches its threshold, so that `shown` is only the most probable one.
        threshold: confidence.
    """
    if not present:
        return [False] * len(regions)
    counts = [untyped or region.code in shown or region.code not in CODES for region in regions]
    result = [may and region.confidence >= threshold for may, region in zip(counts, regions, strict=True)]
    groups = [{region.code for region in regions}] if untyped else [{code} for code in shown]
    for codes in groups:
        members = [n for n, region in enumerate(regions) if region.code in codes]
        if members and not any(result[n] for n in members):
            result[max(members, key=lambda n: regions[n].confidence)] = True
    return result


def instances(regions: Sequence[SlabRegion], kept: Sequence[bool], pixel_threshold: float) -> list[int]:
    """Number (from 1) of the bleed over several slabs that each kept region is part of; 0 for the others.

    Two regions are parts of one bleed when they are of one type, on the same or neighbouring slabs, and their masks
    share a pixel. Bleeds are numbered in the order of their first region.
    """
    parent = list(range(len(regions)))

    def root(n: int) -> int:
        while parent[n] != n:
            n = parent[n]
        return n

    wanted = [n for n, keep in enumerate(kept) if keep]
    for position, a in enumerate(wanted):
        for b in wanted[:position]:
            if root(a) != root(b) and _touch(regions[a], regions[b], pixel_threshold):
                parent[max(root(a), root(b))] = min(root(a), root(b))
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(n), len(numbers) + 1) if keep else 0 for n, keep in enumerate(kept)]


def _touch(a: SlabRegion, b: SlabRegion, threshold: float) -> bool:
    if a.code != b.code or abs(a.slab - b.slab) > 1:
        return False
    shared = []
    for first, second in zip(a.place, b.place, strict=True):
        shared.append(slice(max(first.start, second.start), min(first.stop, second.stop)))
    if any(part.start >= part.stop for part in shared):
        return False
    masks = []
    for region in (a, b):
        here = tuple(slice(s.start - o.start, s.stop - o.start) for s, o in zip(shared, region.place, strict=True))
        masks.append(region.mask_hw[here] >= threshold)
    return bool((masks[0] & masks[1]).any())


def painted(
    regions: Sequence[SlabRegion], weight: Sequence[float], layer: Sequence[int], shape: tuple[int, int, int, int]
) -> np.ndarray:
    """(layers, S, H, W) float16: the highest weight x mask of the regions of each layer; layer -1 is left out."""
    out = np.zeros(shape, np.float16)
    for region, factor, number in zip(regions, weight, layer, strict=True):
        if number >= 0 and region.mask_hw.size:
            part = out[number, region.slab][region.place]
            np.maximum(part, (region.mask_hw * np.float16(factor)), out=part)
    return out


def told_regions(
    regions: Sequence[SlabRegion], kept: Sequence[bool], grid: NetworkGrid, config: Chang2018Config
) -> tuple[Region, ...]:
    """Accepted regions and the most confident rejected ones, as boxes on the source, from the first slice on.

    A box stands on the middle one of the source slices that its slab averages. Boxes outside the source are left out.
    """
    number = instances(regions, kept, config.pixel_threshold)
    rejected = sorted((n for n, keep in enumerate(kept) if not keep), key=lambda n: -regions[n].confidence)
    told = [n for n, keep in enumerate(kept) if keep] + rejected[: config.rejected_regions]
    result = []
    for n in told:
        box = box_on_source(regions[n].box, grid)
        if box is not None:
            members = sorted(grid.slabs[regions[n].slab])
            slice_index = members[len(members) // 2]
            result.append(Region(regions[n].code, regions[n].confidence, bool(kept[n]), slice_index, box, number[n]))
    return tuple(sorted(result, key=lambda region: (region.slice_index, -region.confidence)))


def box_on_source(box: tuple[float, float, float, float], grid: NetworkGrid) -> tuple[int, int, int, int] | None:
    """First row, first column, last row, last column of the source pixels whose centres the box holds, at least one.

    None when the box lies outside the source.
    """
    top, left, bottom, right = box
    along_rows = _on_axis(top, bottom, grid.rows_at)
    along_columns = _on_axis(left, right, grid.columns_at)
    j, i = (along_columns, along_rows) if grid.axes.transposed else (along_rows, along_columns)
    _, rows, columns = grid.source_shape_kji
    (first_j, last_j), (first_i, last_i) = _clipped(j, rows), _clipped(i, columns)
    if first_j > last_j or first_i > last_i:
        return None
    return first_j, first_i, last_j, last_i


def _on_axis(start: float, stop: float, at: np.ndarray) -> tuple[float, float]:
    """Source positions, rising, of two edges in network pixels; pixel p's centre is at[p]."""
    step = (at[-1] - at[0]) / (len(at) - 1)
    first, second = (at[0] + (edge - 0.5) * step for edge in (start, stop))
    return min(first, second), max(first, second)


def _clipped(edges: tuple[float, float], count: int) -> tuple[int, int]:
    """First and last source pixel between two positions, inside the source; at least one when they lie inside."""
    first, last = int(np.ceil(edges[0])), int(np.floor(edges[1]))
    if first > last:
        first = last = round((edges[0] + edges[1]) / 2)
    return max(first, 0), min(last, count - 1)


def label_layers(regions: Sequence[SlabRegion], kept: Sequence[bool], layer_of: Mapping[str, int]) -> list[int]:
    """The layer of the label map that each kept region is painted in; -1 for the others and for other types."""
    return [layer_of.get(region.code, -1) if keep else -1 for region, keep in zip(regions, kept, strict=True)]
