"""One mask and one heatmap from the systems that draw them, slice by slice on the source voxels.

The mask is where the weighted mean of their probability maps reaches the threshold. Its types are voted: each system
gives a voxel to the type that its own mask holds there, with its weight. A vote for SDH+EDH counts for whichever of the
two is present; when both are, for both by half, so that the other systems' votes decide, and the exam's probabilities
where they are silent. A voxel without a vote takes the type with most votes round it, then in its slice, then in the
exam, then the most probable type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from ..core.findings import Reading
from ..core.opinions import SDH_OR_EDH
from ..core.voxel_probabilities import LEVELS, VoxelCollector, VoxelProbabilities

TIE_BREAK = 1e-3  # how much the exam's probabilities add to a vote: less than any vote; ours
AROUND_PX = (2, 6, 18)  # how far round a voxel without a vote others' votes are looked for; ours


def mask_weights_of(opinions: Sequence[Reading], weights: Mapping[str, float]) -> dict[str, float]:
    """System -> weight in the mask, of those that segment, summing to 1; alike when none of them has a weight."""
    drawing = [opinion.system for opinion in opinions if opinion.segments]
    total = sum(weights.get(system, 0.0) for system in drawing)
    return {system: weights.get(system, 0.0) / total if total > 0 else 1.0 / len(drawing) for system in drawing}


def mean_heatmap(opinions: Sequence[Reading], weights: Mapping[str, float]) -> np.ndarray:
    """(K, J, I) float16 weighted mean of the probability maps of those that segment; of all when nobody does."""
    share = mask_weights_of(opinions, weights)
    share = share or {opinion.system: 1.0 / len(opinions) for opinion in opinions}
    heat = np.zeros(opinions[0].heatmap_kji.shape, dtype=np.float16)
    for k in range(len(heat)):
        heat[k] = sum(share[o.system] * o.heatmap_kji[k].astype(np.float32) for o in opinions if o.system in share)
    return heat


def mean_voxel_probabilities(
    opinions: Sequence[Reading], weights: Mapping[str, float], mean_kji: np.ndarray, voxels: VoxelCollector
) -> VoxelProbabilities:
    """What moving the threshold needs: the mean map, and the weighted mean of the systems' type probabilities.

    SDH+EDH speaks for both by half. A system says nothing of voxels below its own floor.

    Args:
        opinions: the systems' readings.
        weights: system -> weight of those that draw masks.
        mean_kji: (K, J, I) float16, mean_heatmap.
        voxels: empty collector with the consensus's codes and threshold.
    """
    per_slice = mean_kji[0].size
    sources = [(o.voxel_probabilities, weights[o.system]) for o in opinions if o.system in weights]
    for k, level_ji in enumerate(mean_kji):
        if not voxels.wanted(level_ji).any():
            continue
        types_cn = np.zeros((len(voxels.codes), per_slice), np.float32)
        for source, weight in sources:
            if source is not None:
                first, last = np.searchsorted(source.index, (k * per_slice, (k + 1) * per_slice))
                places = source.index[first:last].astype(np.int64) - k * per_slice
                shares = vote_table(source.codes, voxels.codes, weight)[1 : len(source.codes) + 1]  # (own, types)
                types_cn[:, places] += shares.T @ (source.type_level[first:last].T / np.float32(LEVELS))
        voxels.add(k, level_ji[None], types_cn.reshape(-1, 1, *level_ji.shape))
    return voxels.collected()


def combined_label(
    opinions: Sequence[Reading],
    weights: Mapping[str, float],
    bleeding_kji: np.ndarray,
    shown: Mapping[str, float],
    codes: tuple[str, ...],
) -> np.ndarray:
    """(K, J, I) uint8 label map in the order of codes.

    Args:
        opinions: the systems' readings.
        weights: system -> weight of its votes.
        bleeding_kji: (K, J, I) bool, where the mask is.
        shown: type that the mask may hold -> its exam probability; empty for an empty mask.
        codes: types in label order.
    """
    label = np.zeros(bleeding_kji.shape, dtype=np.uint8)
    if not shown:
        return label
    types = list(shown)
    values = np.array([1 + codes.index(code) for code in types], dtype=np.uint8)
    prior = TIE_BREAK * np.array(list(shown.values()))
    tables = [(o.label_kji, vote_table(o.codes, types, weights[o.system])) for o in opinions if o.system in weights]
    total = np.zeros(len(types))
    slices = [int(k) for k in np.flatnonzero(bleeding_kji.any(axis=(1, 2)))]
    tallies: dict[int, np.ndarray] = {}
    for k in slices:
        votes = sum((table[own[k][bleeding_kji[k]]] for own, table in tables), np.zeros((1, len(types))))
        tallies[k] = np.broadcast_to(votes, (int(bleeding_kji[k].sum()), len(types)))  # (voxels, types)
        total = total + tallies[k].sum(axis=0)
    for k in slices:
        votes = _heard_around(tallies[k], bleeding_kji[k])
        in_slice = votes.sum(axis=0)
        usual = in_slice if in_slice.any() else total
        silent = votes.sum(axis=1) == 0
        winner = np.where(silent, (usual + prior).argmax(), (votes + prior).argmax(axis=1))
        label[k][bleeding_kji[k]] = values[winner]
    return label


def _heard_around(votes: np.ndarray, inside_ji: np.ndarray) -> np.ndarray:
    """(voxels, types) votes of a slice's mask; voxels without one get those round them, the nearest that there are."""
    silent = votes.sum(axis=1) == 0
    if not silent.any() or silent.all():
        return votes
    rows, columns = np.nonzero(inside_ji)
    first = rows.min(), columns.min()
    field = torch.zeros((votes.shape[1], rows.max() - first[0] + 1, columns.max() - first[1] + 1))
    field[:, rows - first[0], columns - first[1]] = torch.from_numpy(votes.T.astype(np.float32))
    heard = votes.copy()
    for reach in AROUND_PX:
        around = F.avg_pool2d(field[None], 2 * reach + 1, 1, reach)[0]
        still = heard.sum(axis=1) == 0
        heard[still] = around[:, rows[still] - first[0], columns[still] - first[1]].numpy().T
    return heard


def vote_table(own_codes: tuple[str, ...], types: Sequence[str], weight: float) -> np.ndarray:
    """(256, types) votes of each label value of a system for the types that are present."""
    table = np.zeros((256, len(types)))
    for value, code in enumerate(own_codes, start=1):
        meant = [n for n, t in enumerate(types) if t == code or (code == SDH_OR_EDH and t in ("SDH", "EDH"))]
        table[value, meant] = weight / max(len(meant), 1)
    return table
