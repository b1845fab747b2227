"""A key slice as one picture for archives: outlines beside the heatmap, with what was found; it names no patient."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .heatmap import heat_words
from .key_slices import KeySlice
from .pictures import HEAT_FROM_PERCENT, PictureMaker, heat_palette
from .report import LINE_COLORS, millilitres

# Pixels, ours: two panels of this height side by side, bands of text above and below.
PANEL_HEIGHT, BAND_HEIGHT, LINE_HEIGHT, GAP = 560, 58, 24, 6
TITLE_SIZE, TEXT_SIZE, LETTER_SIZE, SMALLEST_SIZE = 20, 16, 18, 10
OUTLINE_PIXELS = 2
_INK, _SOFT, _LETTERS = (255, 255, 255), (170, 178, 188), (215, 221, 228)


def key_image(maker: PictureMaker, key: KeySlice, notice: str) -> np.ndarray:
    """(rows, columns, 3) uint8 of a key slice.

    Args:
        maker: of the exam.
        key: the slice and what was found there.
        notice: one line that stands on every picture.
    """
    panels = [_panel(maker, key.k, heat=heat) for heat in (False, True)]
    width = 2 * panels[0].width + GAP
    legend = _legend(maker, key)
    height = BAND_HEIGHT + PANEL_HEIGHT + LINE_HEIGHT * len(legend) + GAP
    picture = Image.new("RGB", (width, height))
    for number, panel in enumerate(panels):
        picture.paste(panel, (number * (panel.width + GAP), BAND_HEIGHT))
    draw = ImageDraw.Draw(picture)
    slices = maker.result.grid.shape_kji[0]
    title = f"{key.title}: slice {key.k + 1} of {slices}"
    draw.text((GAP, 5), title, _INK, _fitting_font(draw, title, width - 2 * GAP))
    draw.text((GAP, 33), f"{notice} NeuroTriage, automatic.", _SOFT, ImageFont.load_default(TEXT_SIZE))
    for line, (color, words) in enumerate(legend):
        y = BAND_HEIGHT + PANEL_HEIGHT + 3 + line * LINE_HEIGHT
        if color is not None:
            draw.rectangle((GAP, y + 4, GAP + 12, y + 16), fill=color)
        draw.text((GAP + (20 if color is not None else 0), y), words, _INK, ImageFont.load_default(TEXT_SIZE))
    return np.asarray(picture)


def _fitting_font(draw: ImageDraw.ImageDraw, words: str, width: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The largest font up to TITLE_SIZE in which the words fit into a width; many types make a long title."""
    for size in range(TITLE_SIZE, SMALLEST_SIZE, -1):
        if draw.textlength(words, ImageFont.load_default(size)) <= width:
            return ImageFont.load_default(size)
    return ImageFont.load_default(SMALLEST_SIZE)


def _panel(maker: PictureMaker, k: int, *, heat: bool) -> Image.Image:
    """The part of slice k that holds the head, in square pixels, with outlines or with the heatmap."""
    grey = _cut(maker, maker.page(k), Image.Resampling.BILINEAR).convert("RGB")
    if heat:
        layer = _cut(maker, maker.heat_page(k), Image.Resampling.NEAREST)
        rgba = heat_palette()[np.minimum(np.asarray(layer), 100)]
        grey.paste(Image.fromarray(rgba[..., :3]), mask=Image.fromarray(rgba[..., 3]))
    else:
        label = np.asarray(_cut(maker, maker.label_page(k), Image.Resampling.NEAREST))
        pixels = np.array(grey)
        for mask in maker.masks:
            pixels[_edge(label == mask.value)] = _rgb(mask.entry.color_rgb)
        grey = Image.fromarray(pixels)
        _draw_lines(maker, k, grey)
    _draw_letters(maker, grey)
    return grey


def _cut(maker: PictureMaker, page: np.ndarray, resampling: Image.Resampling) -> Image.Image:
    """The view box of a page, scaled to PANEL_HEIGHT."""
    x, y, width, height = maker.view_box_mm
    plane = maker.plane
    box = (
        x / plane.spacing_x_mm,
        y / plane.spacing_y_mm,
        min((x + width) / plane.spacing_x_mm, page.shape[1]),
        min((y + height) / plane.spacing_y_mm, page.shape[0]),
    )
    size = (max(round(width * PANEL_HEIGHT / height), 1), PANEL_HEIGHT)
    return Image.fromarray(np.ascontiguousarray(page)).resize(size, resampling, box=box)


def _edge(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask that lie within OUTLINE_PIXELS of its border."""
    inner = np.pad(mask, OUTLINE_PIXELS)
    for _ in range(OUTLINE_PIXELS):
        shrunk = inner.copy()
        for axis in (0, 1):
            for step in (-1, 1):
                shrunk &= np.roll(inner, step, axis)
        inner = shrunk
    return mask & ~inner[OUTLINE_PIXELS:-OUTLINE_PIXELS, OUTLINE_PIXELS:-OUTLINE_PIXELS]


def _draw_lines(maker: PictureMaker, k: int, panel: Image.Image) -> None:
    x0, y0, _, height = maker.view_box_mm
    scale = PANEL_HEIGHT / height
    draw = ImageDraw.Draw(panel)
    for letter, x1, y1, x2, y2 in maker.lines(k):
        ends = [((x - x0) * scale, (y - y0) * scale) for x, y in ((x1, y1), (x2, y2))]
        draw.line(ends, fill=LINE_COLORS[letter], width=1)
        draw.text((ends[1][0] + 3, ends[1][1] - 12), letter, LINE_COLORS[letter], ImageFont.load_default(TEXT_SIZE))


def _draw_letters(maker: PictureMaker, panel: Image.Image) -> None:
    draw, font = ImageDraw.Draw(panel), ImageFont.load_default(LETTER_SIZE)
    letters, (width, height) = maker.plane.letters, panel.size
    draw.text((5, height / 2), letters.left, _LETTERS, font, anchor="lm")
    draw.text((width - 5, height / 2), letters.right, _LETTERS, font, anchor="rm")
    draw.text((width / 2, 4), letters.top, _LETTERS, font, anchor="mt")
    draw.text((width / 2, height - 4), letters.bottom, _LETTERS, font, anchor="mb")


def _legend(maker: PictureMaker, key: KeySlice) -> list[tuple[tuple[int, int, int] | None, str]]:
    """Lines below the pictures: colour and words."""
    shown = np.unique(maker.label_page(key.k))
    volumes = {finding.code: finding.volume_ml for finding in maker.result.findings}
    lines: list[tuple[tuple[int, int, int] | None, str]] = [
        (_rgb(mask.entry.color_rgb), f"{mask.name}: {millilitres(volumes.get(mask.entry.code))} mL in all")
        for mask in maker.masks
        if mask.value in shown
    ]
    if key.note:
        lines.append((None, key.note))
    lines.append((None, f"Right: {heat_words(maker.reading)}, coloured from {HEAT_FROM_PERCENT} %."))
    lines.append((None, maker.window.words))
    return lines


def _rgb(color: tuple[float, float, float]) -> tuple[int, int, int]:
    red, green, blue = (round(255 * part) for part in color)
    return red, green, blue
