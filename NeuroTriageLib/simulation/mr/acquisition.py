"""Samples rendered contrasts and masks at one series' slices: pose, deformation, distortion, signal loss, coil."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from ..mass_effect import Deformation
from ..slice_sampling import COORDINATE_STEP, PIXELS_AT_ONCE, filled_box, map_units, meets, sub_planes
from ..stack import Pose
from .prescription import SeriesPlan

GYROMAGNETIC_HZ_PER_PPM_TESLA = 42.577
PILE_UP_LIMIT = 6.0  # how many pixels may fall onto one (ours; a real one above the ear's air: 8 x the brain's median)
FIELD_STEP = 3  # pixels between the coordinates of an echo-planar image: the field changes within millimetres of air
COIL_RADIUS_MM = 150.0  # of the ring of coil elements (ours)
COIL_COUNT = 8
STEP_MM = (
    1.7  # between the planes that a slice is averaged from (ours; CT with its thinner slices takes fewer millimetres)
)
NECK_FADE_MM = 14.0  # how fast the coil loses what lies below the map (ours)


@dataclass(frozen=True, eq=False)
class Scene:
    """What a study's series are sampled from.

    Args:
        shape: (k, j, i) of the map.
        deformation: of the head.
        static_field: of static_field.static_field, on the device.
        field_tesla: of the scanner.
    """

    shape: tuple[int, int, int]
    deformation: Deformation
    static_field: torch.Tensor
    field_tesla: float


class SeriesSampler:
    """The head of one scene, seen by one series.

    Args:
        scene: the head.
        plan: the series.
        coil_angle: of the first coil element, radians.
    """

    def __init__(self, scene: Scene, plan: SeriesPlan, coil_angle: float) -> None:
        self.scene, self.plan = scene, plan
        self._coil_angle = coil_angle
        grid = plan.stack.grid
        self._normal_map = plan.pose.matrix @ grid.normal

    def image(self, volumes: Sequence[torch.Tensor]) -> torch.Tensor:
        """(C, K, R, A) mean signals of C rendered maps on the acquired grid, R rows and A columns of k-space."""
        rows, columns = self.plan.grid_extent(self.plan.acquired)
        return self._sampled(torch.stack(list(volumes))[None], self.plan.acquired, (rows, columns), gain=True)

    def shares(self, fields: Sequence[torch.Tensor]) -> torch.Tensor:
        """(C, K, J, I) share of each voxel of the final grid that fields of 0-1 fill; slices far from all are 0."""
        size = self.plan.stack.grid.shape_kji[1:]
        box = filled_box(list(fields))
        return self._sampled(
            torch.stack(list(fields))[None], size, (size[0] - 1.0, size[1] - 1.0), near=box, gain=False
        )

    def coil(self) -> torch.Tensor:
        """(K, J, I) the coil's sensitivity on the final grid, about 1 in the head's middle."""
        device = self.scene.static_field.device
        count = self.plan.stack.grid.shape_kji[0]
        gains = (torch.from_numpy(self._sensitivity(self._middle_plane(k))).to(device) for k in range(count))
        return torch.stack([self._fine(gain) for gain in gains])

    def _middle_plane(self, k: int) -> np.ndarray:
        """(1, nj, ni, 3) LPS at nodes of a slice's middle plane, on the final grid."""
        rows, columns = self.plan.stack.grid.shape_kji[1:]
        return self._points(k, np.zeros(1), (rows - 1.0, columns - 1.0))

    def _fine(self, nodes: torch.Tensor) -> torch.Tensor:
        """(J, I) values at nodes (1, nj, ni), interpolated to the final grid."""
        size = self.plan.stack.grid.shape_kji[1:]
        return F.interpolate(nodes[None], size=size, mode="bilinear", align_corners=True)[0, 0]

    def _sampled(
        self,
        layers: torch.Tensor,
        size: tuple[int, int],
        extent: tuple[float, float],
        *,
        near: torch.Tensor | None = None,
        gain: bool,
    ) -> torch.Tensor:
        stack = self.plan.stack
        out = torch.zeros((layers.shape[1], stack.grid.shape_kji[0], *size), device=layers.device)
        per_pass = max(1, PIXELS_AT_ONCE // (size[0] * size[1]))
        for k, (offsets, weights) in enumerate(sub_planes(stack, STEP_MM)):
            for at in range(0, len(offsets), per_pass):
                nodes = self._nodes(k, offsets[at : at + per_pass], extent)
                if near is not None and not meets(nodes[:, :3], near):
                    continue
                window = _head_window(nodes, size)
                fine = F.interpolate(nodes, size=size, mode="bilinear", align_corners=True)[:, :, window[0], window[1]]
                place = fine[None, :, :3].permute(0, 1, 3, 4, 2)
                part = F.grid_sample(layers, place, padding_mode="border", align_corners=True)[0]
                if gain:
                    part = part * fine[None, :, 3]
                share = torch.tensor(weights[at : at + per_pass], dtype=torch.float32, device=layers.device)
                out[:, k, window[0], window[1]] += torch.einsum("cpji,p->cji", part, share)
        return out

    def _nodes(self, k: int, offsets_mm: np.ndarray, extent: tuple[float, float]) -> torch.Tensor:
        """(P, 4, nj, ni): place to fetch from in grid_sample units i, j, k, and the factor on the signal."""
        lps = self._points(k, offsets_mm, extent)
        source, squeeze = self._undistorted(lps)
        place = self._units(source)
        total = self.scene.deformation.total
        moved = F.grid_sample(total, place[None], padding_mode="border", align_corners=True)[0]
        factor = torch.from_numpy(squeeze * self._sensitivity(lps)).to(place.device) * self._left(place)
        below_mm = (-1.0 - place[..., 2]).clamp(min=0.0) * (self.scene.shape[0] - 1) / 2.0
        factor = factor * torch.exp(-((below_mm / NECK_FADE_MM) ** 2))
        return torch.cat([place.permute(0, 3, 1, 2) + moved.permute(1, 0, 2, 3), factor[:, None]], 1)

    def _points(self, k: int, offsets_mm: np.ndarray, extent: tuple[float, float]) -> np.ndarray:
        """(P, nj, ni, 3) LPS at nodes; extent is the last row and column, in pixels of the final grid."""
        grid = self.plan.stack.grid
        step = FIELD_STEP if self.plan.readout_s else COORDINATE_STEP
        nodes_j, nodes_i = (np.linspace(0.0, e, max(2, round(e / step))) for e in extent)
        return (
            grid.origins_lps_mm[k]
            - self.plan.stack.moves_lps_mm[k]
            + offsets_mm[:, None, None, None] * grid.normal
            + nodes_j[None, :, None, None] * grid.spacing_j_mm * grid.direction_j
            + nodes_i[None, None, :, None] * grid.spacing_i_mm * grid.direction_i
        )

    def _units(self, lps: np.ndarray) -> torch.Tensor:
        place = map_units(self.plan.pose.to_map(lps), self.scene.shape)
        return torch.from_numpy(place).to(self.scene.static_field.device)

    def _undistorted(self, lps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where an echo-planar image fetches from, and how many pixels fall onto one (P, nj, ni); else unchanged."""
        plan = self.plan
        if plan.readout_s == 0.0:
            return lps, np.ones(lps.shape[:-1], dtype=np.float32)
        grid = plan.stack.grid
        direction = (grid.direction_j, grid.direction_i)[plan.phase_axis]
        length = (
            grid.spacing_j_mm * grid.shape_kji[1] if plan.phase_axis == 0 else grid.spacing_i_mm * grid.shape_kji[2]
        )
        pixel_mm = length / plan.acquired[plan.phase_axis]
        mm_per_ppm = GYROMAGNETIC_HZ_PER_PPM_TESLA * self.scene.field_tesla * plan.readout_s * pixel_mm
        source = lps
        for _ in range(2):
            shift = mm_per_ppm * self._field(self._units(source))[:, 0].cpu().numpy()
            source = lps - shift[..., None] * direction
        axis = 1 + plan.phase_axis
        step = float(np.linalg.norm(np.diff(lps, axis=axis).reshape(-1, 3)[0]))
        squeeze = 1.0 - np.gradient(shift, step, axis=axis)
        return source, np.clip(squeeze, 0.1, PILE_UP_LIMIT).astype(np.float32)

    def _field(self, place: torch.Tensor) -> torch.Tensor:
        """(P, 4, nj, ni) ppm and its slopes."""
        field = F.grid_sample(self.scene.static_field, place[None], padding_mode="border", align_corners=True)
        return field[0].permute(1, 0, 2, 3)

    def _left(self, place: torch.Tensor) -> torch.Tensor:
        """(P, nj, ni) what dephasing across the slice leaves of a gradient echo: a sinc of slope, width and time."""
        sequence = self.plan.sequence
        if not sequence.reads_gradient_echoes:
            return torch.ones(place.shape[:-1], device=place.device)
        slope = self._field(place)[:, 1:]
        across = torch.einsum(
            "pcji,c->pji", slope, torch.tensor(self._normal_map, dtype=torch.float32, device=place.device)
        )
        hertz = GYROMAGNETIC_HZ_PER_PPM_TESLA * self.scene.field_tesla * across
        cycles = hertz * self.plan.stack.grid.slice_thickness_mm * sequence.te_ms / 1000.0
        return torch.sinc(cycles).abs()

    def _sensitivity(self, lps: np.ndarray) -> np.ndarray:
        """(P, nj, ni) root of the sum of squares of a ring of small coils, each falling off with the distance."""
        total = np.zeros(lps.shape[:-1])
        for n in range(COIL_COUNT):
            angle = self._coil_angle + 2.0 * np.pi * n / COIL_COUNT
            center = np.array([COIL_RADIUS_MM * np.cos(angle), COIL_RADIUS_MM * np.sin(angle), 30.0 * (-1.0) ** n])
            total += 1.0 / (1.0 + ((lps - center) ** 2).sum(-1) / 70.0**2) ** 3
        middle = COIL_COUNT / (1.0 + (COIL_RADIUS_MM**2 + 30.0**2) / 70.0**2) ** 3
        return np.sqrt(total / middle).astype(np.float32)


def _head_window(nodes: torch.Tensor, size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of an image of that size which the map's box can reach; the rest is air."""
    # Below the map the neck goes on: that axis has no end there.
    near = ((nodes[:, :2].abs() < 1.02).all(1) & (nodes[:, 2] < 1.02)).any(0)
    windows = []
    for axis, count in ((1, size[0]), (0, size[1])):
        used = near.any(axis).nonzero().flatten()
        if not len(used):
            return slice(0, 0), slice(0, 0)
        step = (count - 1) / max(near.shape[1 - axis] - 1, 1)
        low, high = (int(used[0]) - 1) * step, (int(used[-1]) + 1) * step + 1
        windows.append(slice(max(0, int(low)), min(count, int(high) + 1)))
    return windows[0], windows[1]


def rest_volume_ml(fields: torch.Tensor, scene: Scene, pose: Pose, step_mm: float = 1.5) -> float:
    """True volume of a field of 0-1 in the deformed head, in mL: sampled all over the map, whatever the slices."""
    axes = [torch.arange(0, n, step_mm, device=fields.device) / (n - 1) * 2.0 - 1.0 for n in scene.shape]
    place = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flip(-1)[None]
    moved = F.grid_sample(scene.deformation.total, place, padding_mode="border", align_corners=True)
    fetched = place + moved.permute(0, 2, 3, 4, 1)
    share = F.grid_sample(fields[None, None], fetched, padding_mode="border", align_corners=True)
    return float(share.sum()) * step_mm**3 / abs(float(np.linalg.det(pose.matrix))) / 1000.0
