"""One slice of an exam as SVG: the image alone, and beside it what a system outlined and its heatmap."""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np

from NeuroTriageLib.core.findings import ExamResult, Reading
from NeuroTriageLib.core.volume import Volume
from NeuroTriageLib.measurements.volume import largest_slice
from NeuroTriageLib.outputs.pictures import PictureMaker

CAPTION_MM, FONT_MM, PIXELS_PER_MM = 10, 4.5, 3


def draw_exam(volume: Volume, reading: Reading, caption: str, path: Path) -> None:
    """The slice to look at, in the brain window: the one with the largest mask, else with the hottest voxel."""
    result = ExamResult(volume, caption, "", (), (), (reading,), (), (), "", {})
    maker = PictureMaker(result, reading)
    k = largest_slice(reading.label_kji > 0)
    if k is None:
        k = int(np.argmax(reading.heatmap_kji.max(axis=(1, 2))))
    picture = maker.picture(k)
    width, height = picture.size_mm
    size = f'width="{width:.2f}" height="{height:.2f}" preserveAspectRatio="none"'
    image = f'<image href="{picture.image}" {size}/>'
    heat = f'<image href="{picture.heat}" {size}/>' if picture.heat else ""
    outlines = "".join(
        f'<path d="{o.path}" fill="none" stroke="{o.color}" stroke-width="0.8"><title>{escape(o.name)}</title></path>'
        for o in picture.outlines
    )
    style = f'x="3" y="{0.7 * CAPTION_MM:.2f}" font-family="sans-serif" font-size="{FONT_MM}" fill="#dddddd"'
    text = f"<text {style}>{escape(caption)}, slice {k + 1}</text>"
    full = 2 * width, height + CAPTION_MM
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {full[0]:.2f} {full[1]:.2f}" '
        f'width="{PIXELS_PER_MM * full[0]:.0f}" height="{PIXELS_PER_MM * full[1]:.0f}">'
        f'<rect width="{full[0]:.2f}" height="{full[1]:.2f}" fill="black"/>{text}'
        f'<g transform="translate(0 {CAPTION_MM})">{image}</g>'
        f'<g transform="translate({width:.2f} {CAPTION_MM})">{image}{heat}{outlines}</g></svg>\n',
        encoding="utf-8",
    )
