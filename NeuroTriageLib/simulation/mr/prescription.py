"""Draws a study: scanner, head's pose, and for each series its sequence, slices, and how far the patient has moved."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from ...core.geometry import SliceGrid
from ..anatomy import Anatomy
from ..stack import Pose, Stack, rotation
from .profiles import ROLES, Profile, SequenceRange
from .settings import BrainMrSettings
from .signal_equations import PulseSequence

MR_PLANE_DEG = -8.0
"""Usual angle of brain MRI's axial planes to the label maps' axial plane, front up (ours, by eye)."""

POST_FAT_LEFT = 0.12  # of the fat's signal after suppression (ours)
READOUT_SHIFT_SIGNS = (-1.0, 1.0)


@dataclass(frozen=True, eq=False)
class StudyPlan:
    """What all series of a study share.

    Args:
        profile, field_tesla: of the scanner.
        pose: of the head at rest.
        plane: (3, 3) rows: the axial slices' i, j and normal in LPS.
        field_of_view_mm: of the axial series, give or take a little.
        movement: (translation mm, rotation deg) standard deviations of the patient between series.
        stripped: images are zero outside the brain's envelope.
        partial: whether one series misses a part of the brain.
        susceptibility: "SWI" or "T2star".
        sagittal_post: the post-contrast series is sagittal.
    """

    profile: Profile
    field_tesla: float
    pose: Pose
    plane: np.ndarray
    field_of_view_mm: float
    movement: tuple[float, float]
    stripped: bool
    partial: bool
    susceptibility: str
    sagittal_post: bool


@dataclass(frozen=True, eq=False)
class SeriesPlan:
    """One series.

    Args:
        role: of profiles.ROLES; TRACE and ADC come from one diffusion series and have equal plans.
        plane: "axial" or "sagittal".
        sequence: what is played.
        stack: its slices.
        pose: the head's pose while it runs.
        movement_lps: (4, 4) how the head moved from its place at rest, in LPS millimetres.
        acquired: rows and columns of k-space.
        phase_axis: 0 when rows are phase-encoded, 1 when columns are.
        readout_s: of an echo-planar image, signed by its polarity; 0 for others.
        snr, bias, filter_strength, ghost, motion_mm: of image_formation.
        rng: for noise and whatever else is drawn while the image forms.
    """

    role: str
    plane: str
    sequence: PulseSequence
    stack: Stack
    pose: Pose
    movement_lps: np.ndarray
    acquired: tuple[int, int]
    phase_axis: int
    readout_s: float
    snr: float
    bias: float
    filter_strength: float
    ghost: float
    motion_mm: float
    rng: np.random.Generator

    def grid_extent(self, count: tuple[int, int]) -> tuple[float, float]:
        """Last row and column, in pixels of the final grid, of a coarser grid over the same field of view."""
        rows, columns = self.stack.grid.shape_kji[1:]
        return (count[0] - 1) * rows / count[0], (count[1] - 1) * columns / count[1]


def draw_study(anatomy: Anatomy, rng: np.random.Generator, settings: BrainMrSettings) -> StudyPlan:
    """Scanner and pose; the same for any choice of series."""
    profile = settings.profiles[int(rng.integers(len(settings.profiles)))]
    field = float(rng.choice(profile.fields_tesla))
    pose = _draw_pose(anatomy, rng, settings)
    axes = np.linalg.inv(pose.matrix)  # columns: the map's i, j, k in LPS
    head = np.linalg.qr(axes)[0]
    head = head * np.sign(np.diag(head))[None, :]  # i to the left, j to the back, k up, also in a mirrored head
    if rng.random() < 0.35:  # straight through the scanner
        plane = np.eye(3)
    else:  # along the head, as the technologist sees it
        off = [rng.normal(0.0, profile.off_plane_deg) for _ in range(3)]
        turned = rotation(0, off[0] + MR_PLANE_DEG) @ rotation(2, 0.4 * off[1]) @ rotation(1, 0.5 * off[2])
        plane = (head @ turned).T
        plane[2] = np.cross(plane[0], plane[1])
    moves = rng.random() < settings.movement_probability
    return StudyPlan(
        profile=profile,
        field_tesla=field,
        pose=pose,
        plane=plane,
        field_of_view_mm=float(rng.uniform(*profile.field_of_view_mm)),
        movement=(settings.movement_mm / 2, settings.movement_deg / 2)
        if moves
        else (settings.still_mm, settings.still_deg),
        stripped=bool(rng.random() < settings.stripped_probability),
        partial=bool(rng.random() < settings.partial_probability),
        susceptibility="SWI" if rng.random() < profile.swi else "T2star",
        sagittal_post=bool(rng.random() < profile.sagittal_post),
    )


def _draw_pose(anatomy: Anatomy, rng: np.random.Generator, settings: BrainMrSettings) -> Pose:
    # Heads nod more than they turn, and turn more than they lean (ours).
    angles = rng.normal(0.0, settings.head_rotation_deg, 3) * (1.0, 0.7, 0.5)
    turned = rotation(0, angles[0]) @ rotation(2, angles[1]) @ rotation(1, angles[2])
    mirror = np.array([rng.choice([-1.0, 1.0]), 1.0, 1.0])
    matrix = np.diag(mirror / rng.uniform(*settings.scale, 3)) @ turned
    off_center = np.array([rng.normal(0.0, 5.0), rng.normal(8.0, 6.0), rng.normal(0.0, 8.0)])
    return Pose(center_ijk=anatomy.brain_center_kji[::-1] - matrix @ off_center, matrix=matrix)


def series_roles(study: StudyPlan, settings: BrainMrSettings) -> tuple[str, ...]:
    """The series to make, in the order of ROLES."""
    other = "SWI" if study.susceptibility == "T2star" else "T2star"
    wanted = settings.roles or tuple(role for role in ROLES if role != other)
    return tuple(role for role in ROLES if role in wanted)


def draw_series(role: str, anatomy: Anatomy, study: StudyPlan, seed: int, settings: BrainMrSettings) -> SeriesPlan:
    """One series; it does not depend on which other series are made. TRACE and ADC share their draws."""
    name = "DIFFUSION" if role in ("TRACE", "ADC") else role
    rng = np.random.default_rng([seed, 7, zlib.crc32(name.encode())])
    ways = study.profile.ways[name]
    shares = np.array([way.weight for way in ways])
    way = ways[int(rng.choice(len(ways), p=shares / shares.sum()))]
    sagittal = role == "T1_sagittal" or (role == "T1_post" and study.sagittal_post)
    sequence = _sequence(name, way, rng)
    pose, movement = _moved(study, rng)
    partial = study.partial and rng.random() < 0.3
    stack = _stack(anatomy, study, way, sagittal, rng, settings, partial)
    planar = way.technique == "diffusion"
    # Echo-planar images are phase-encoded from front to back; others from side to side, where the head is narrower.
    phase_axis = 0 if planar or (sagittal and rng.random() < 0.5) else 1
    gain = float(rng.uniform(*settings.artefact_gain))
    readout = (
        float(rng.uniform(*study.profile.echo_planar_readout_ms)) / 1000.0 * gain * rng.choice(READOUT_SHIFT_SIGNS)
    )
    disturbed = rng.random() < settings.motion_probability
    return SeriesPlan(
        role=role,
        plane="sagittal" if sagittal else "axial",
        sequence=sequence,
        stack=stack,
        pose=pose,
        movement_lps=movement,
        acquired=_acquired(way, stack, phase_axis, rng),
        phase_axis=phase_axis,
        readout_s=readout if planar else 0.0,
        snr=_snr(way, stack, rng, settings),
        bias=float(rng.uniform(*study.profile.bias)),
        filter_strength=float(rng.uniform(*study.profile.filter_strength)),
        ghost=float(rng.uniform(*study.profile.ghost)) * gain,
        motion_mm=float(rng.uniform(0.5, 3.0)) if disturbed else 0.0,
        rng=rng,
    )


def _snr(way: SequenceRange, stack: Stack, rng: np.random.Generator, settings: BrainMrSettings) -> float:
    """Of white matter: the way's range holds for its usual thickness; it grows with the root of the slice's, as thin
    slices are averaged more."""
    share = (stack.grid.slice_thickness_mm / float(np.median(way.thickness_mm))) ** 0.5
    return float(rng.uniform(*way.snr)) * share / float(rng.uniform(*settings.noise_gain))


def _sequence(name: str, way: SequenceRange, rng: np.random.Generator) -> PulseSequence:
    return PulseSequence(
        technique=way.technique,
        tr_ms=round(float(rng.uniform(*way.tr_ms)), 1),
        te_ms=round(float(rng.uniform(*way.te_ms)), 2),
        ti_ms=round(float(rng.uniform(*way.ti_ms)), 1),
        flip_deg=round(float(rng.uniform(*way.flip_deg)), 1),
        b_s_per_mm2=1000.0 if name == "DIFFUSION" else 0.0,
        fat_left=POST_FAT_LEFT * float(rng.uniform(0.2, 2.0)) if rng.random() < way.fat_suppressed else 1.0,
        contrast_medium=name == "T1_post",
        susceptibility_gain=float(rng.uniform(*way.susceptibility_gain)),
    )


def _moved(study: StudyPlan, rng: np.random.Generator) -> tuple[Pose, np.ndarray]:
    """The head's pose after a small rigid movement about the isocentre, and the movement as a 4x4 in LPS."""
    shift, turn = rng.normal(0.0, study.movement[0], 3), rng.normal(0.0, study.movement[1], 3)
    turned = rotation(0, turn[0]) @ rotation(1, turn[1]) @ rotation(2, turn[2])
    movement = np.eye(4)
    movement[:3, :3], movement[:3, 3] = turned, shift
    # A point of the head at rest p comes to q = R p + t, so the map's place of q is that of p = R^T (q - t).
    matrix = study.pose.matrix @ turned.T
    return Pose(center_ijk=study.pose.center_ijk - matrix @ shift, matrix=matrix), movement


def _stack(
    anatomy: Anatomy,
    study: StudyPlan,
    way: SequenceRange,
    sagittal: bool,
    rng: np.random.Generator,
    settings: BrainMrSettings,
    partial: bool,
) -> Stack:
    """Slices over the brain as it lay when they were planned, at rest."""
    tilt = rotation(0, rng.normal(0.0, 1.0)) if rng.random() < 0.3 else np.eye(3)
    i, j, normal = study.plane @ tilt.T
    if sagittal:
        i, j, normal = j, -normal, -i
    brain = study.pose.to_lps(anatomy.points["space"][:, ::-1].astype(np.float64))
    along = brain @ normal
    thickness = float(rng.choice(way.thickness_mm))
    spacing = thickness * (1.0 + float(rng.uniform(*way.gap_share)))
    if sagittal:
        margin_low, margin_high = rng.uniform(-8.0, 6.0, 2)
    else:
        margin_low = rng.uniform(*study.profile.coverage_below_mm)
        margin_high = rng.uniform(*study.profile.coverage_above_mm)
    start, end = float(along.min()) - margin_low, float(along.max()) + margin_high
    if partial:
        missing = float(rng.uniform(0.1, 0.35)) * (end - start)
        start, end = (start + missing, end) if rng.random() < 0.5 else (start, end - missing)
    count = max(3, int(np.ceil((end - start) / spacing)))
    heights = (start + end) / 2.0 + (np.arange(count) - (count - 1) / 2.0) * spacing
    columns = settings.matrix
    pixel = round(study.field_of_view_mm * float(rng.uniform(0.97, 1.03)) * (1.05 if sagittal else 1.0) / columns, 5)
    rows = columns
    if not sagittal and rng.random() < 0.4:  # a narrower field from side to side
        columns = 4 * round(columns * float(rng.uniform(0.8, 0.95)) / 4)
    middle = np.median(brain, axis=0) + rng.normal(0.0, 3.0, 3) + (-8.0 * j if sagittal else 0.0)
    corner = middle - (middle @ normal) * normal - pixel * ((columns - 1) / 2.0 * i + (rows - 1) / 2.0 * j)
    origins = corner + heights[:, None] * normal
    if rng.random() < 0.15:  # written from the top down
        origins = origins[::-1]
    grid = SliceGrid(
        shape_kji=(count, rows, columns),
        origins_lps_mm=np.round(origins, 4),
        direction_i=i,
        direction_j=j,
        spacing_i_mm=pixel,
        spacing_j_mm=pixel,
        slice_thickness_mm=thickness,
    )
    flank = float(rng.uniform(0.1, 0.5))  # slice profiles are no boxes (ours)
    return Stack(grid, np.full(count, thickness), 0.0, flank, np.zeros((count, 3)), 0.0)


def _acquired(way: SequenceRange, stack: Stack, phase_axis: int, rng: np.random.Generator) -> tuple[int, int]:
    """Rows and columns of k-space, never more than the image has."""
    rows, columns = stack.grid.shape_kji[1:]
    frequency = float(rng.choice(way.acquired)) / 256.0 * max(rows, columns)
    share = float(rng.uniform(*way.phase_share))
    # Pixels are about square but for the phase share; a narrower field needs fewer lines.
    sizes = [frequency * rows / max(rows, columns), frequency * columns / max(rows, columns)]
    sizes[phase_axis] *= share
    found = [min(full, 2 * max(8, round(size / 2))) for size, full in zip(sizes, (rows, columns), strict=True)]
    return found[0], found[1]
