"""What lies around the head in the picture: head holder, foam, wires, and the padding beyond the scanned circle."""

from __future__ import annotations

import torch

from .canvas import HeadCanvas
from .settings import HeadCtSettings

HEAD_HU, EMPTY_HU = -500.0, -900.0


def add_surroundings(canvas: HeadCanvas, hu: torch.Tensor, pixel_mm: float, settings: HeadCtSettings) -> torch.Tensor:
    """(K, J, I) with head holder and wires painted into the air; their names go into canvas.truth["surroundings"]."""
    done: list[str] = []
    canvas.truth["surroundings"] = done
    used = (hu[:: max(1, len(hu) // 8)] > HEAD_HU).any(0)
    rows, columns = torch.nonzero(used.any(1)).flatten(), torch.nonzero(used.any(0)).flatten()
    if len(rows) < 2:
        return hu
    layer = torch.full(hu.shape[1:], -1000.0, device=hu.device)
    if canvas.chance(settings.head_rest_probability):
        _paint_holder(canvas, layer, rows * pixel_mm, columns * pixel_mm, pixel_mm, done)
    if canvas.chance(settings.wire_probability):
        _paint_wires(canvas, layer, pixel_mm)
        done.append("wires")
    # Only the air around the head takes it; the margin leaves the skin's partial volume alone.
    return torch.where((layer > -999.0) & (hu < EMPTY_HU), layer.expand_as(hu), hu)


def _paint_holder(
    canvas: HeadCanvas,
    layer: torch.Tensor,
    rows_mm: torch.Tensor,
    columns_mm: torch.Tensor,
    pixel_mm: float,
    done: list[str],
) -> None:
    """A U-shaped shell behind the head, mostly of plastic or carbon round foam (all numbers ours, by eye)."""
    gap, width = canvas.uniform((4.0, 20.0)), canvas.uniform((0.7, 3.0))
    half = float(columns_mm[-1] - columns_mm[0]) / 2.0 + gap + canvas.uniform((0.0, 14.0))
    stretch = canvas.uniform((1.0, 1.6))
    y, x = _axes(layer, pixel_mm)
    y = y - (float(rows_mm[-1]) + gap - stretch * half)
    x = x - float(columns_mm[0] + columns_mm[-1]) / 2.0 - canvas.uniform((-6.0, 6.0))
    radius = ((x / half) ** 2 + (y / (stretch * half)) ** 2).sqrt() * half
    open_above = y > canvas.uniform((-0.1, 0.7)) * half
    if canvas.chance(0.45):
        layer[(radius < half) & open_above] = canvas.uniform((-985.0, -905.0))
        done.append("foam")
    shells = [(half, canvas.uniform((-300.0, 350.0)))]
    if canvas.chance(0.4):
        shells.append((half + canvas.uniform((4.0, 14.0)), canvas.uniform((-500.0, 200.0))))
    for at, value in shells:
        share = ((width - (radius - at).abs()) / pixel_mm + 0.5).clamp(0.0, 1.0) * open_above
        layer += share * (value - layer)
    done.append("head rest")


def _paint_wires(canvas: HeadCanvas, layer: torch.Tensor, pixel_mm: float) -> None:
    """Tubes and wires that cross the slices outside the head."""
    y, x = _axes(layer, pixel_mm)
    height, width = (n * pixel_mm for n in layer.shape)
    for _ in range(int(canvas.rng.integers(1, 4))):
        at_y, at_x = canvas.uniform((0.55, 0.95)) * height, canvas.uniform((0.05, 0.95)) * width
        radius = canvas.uniform((0.8, 4.0))
        away = ((y - at_y) ** 2 + (x - at_x) ** 2).sqrt()
        share = ((radius - away) / pixel_mm + 0.5).clamp(0.0, 1.0)
        layer += share * (canvas.log_uniform(100.0, 2500.0) - 500.0 - layer)


def _axes(layer: torch.Tensor, pixel_mm: float) -> tuple[torch.Tensor, torch.Tensor]:
    rows, columns = layer.shape
    y = torch.arange(rows, device=layer.device, dtype=torch.float32)[:, None] * pixel_mm
    return y, torch.arange(columns, device=layer.device, dtype=torch.float32)[None, :] * pixel_mm


def pad_outside_circle(canvas: HeadCanvas, hu: torch.Tensor, settings: HeadCtSettings) -> torch.Tensor:
    """Clamped to what 12 bits hold above -1024; outside the scanned circle the padding that was drawn."""
    padding = float(canvas.rng.choice(settings.padding_hu))
    canvas.truth["padding_hu"] = padding
    hu = hu.clamp(-1024.0, 3071.0)
    if padding == 0.0:  # the whole square was reconstructed
        return hu
    _, rows, columns = hu.shape
    y = torch.linspace(-1, 1, rows, device=hu.device)[:, None]
    x = torch.linspace(-1, 1, columns, device=hu.device)[None, :]
    return torch.where(x * x + y * y <= 1.0, hu, padding)
