"""PNG images as data URIs, written with zlib alone."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

_GREY, _PALETTE = 0, 3  # colour types (PNG 1.2, 4.1.1)


def grey_png(pixels: np.ndarray) -> str:
    """A grey image (rows, columns) uint8 as a data URI."""
    return _data_uri(pixels, _GREY)


def palette_png(pixels: np.ndarray, palette_rgba: np.ndarray) -> str:
    """An image of palette indices (rows, columns) uint8 as a data URI.

    Args:
        pixels: indices into the palette.
        palette_rgba: (N, 4) uint8, N up to 256.
    """
    colors = _chunk(b"PLTE", np.ascontiguousarray(palette_rgba[:, :3]).tobytes())
    return _data_uri(pixels, _PALETTE, colors + _chunk(b"tRNS", palette_rgba[:, 3].tobytes()))


def _data_uri(pixels: np.ndarray, color_type: int, before_data: bytes = b"") -> str:
    rows, columns = pixels.shape
    header = struct.pack(">IIBBBBB", columns, rows, 8, color_type, 0, 0, 0)
    lines = np.zeros((rows, columns + 1), np.uint8)  # a filter byte starts every line
    lines[:, 1:] = pixels
    if color_type == _GREY and columns > 1:
        lines[:, 0] = 1  # filter Sub: the difference to the left neighbour packs better in a photograph
        lines[:, 2:] = pixels[:, 1:] - pixels[:, :-1]
    content = (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + before_data
        + _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9))
        + _chunk(b"IEND", b"")
    )
    return "data:image/png;base64," + base64.b64encode(content).decode("ascii")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
