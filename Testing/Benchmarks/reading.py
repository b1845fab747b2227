"""How long a series takes from disk to Hounsfield units: 40 and 300 slices in several transfer syntaxes.

python Testing/Benchmarks/reading.py [--json FILE] [--slices 40 300]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from NeuroTriageLib.io.inputs import open_input, read_volume
from NeuroTriageLib.series_selection import select_head_ct
from Testing.Lib.io.dicom_builder import CtStack, compressed, enhanced, slices, write

SYNTAXES = {"uncompressed": None, "RLE": RLELossless, "JPEG-LS": JPEGLSLossless, "JPEG 2000": JPEG2000Lossless}
MATRIX, PIXEL_MM, REPEATS = 512, 0.48, 3


def head(count: int) -> CtStack:
    """An ellipsoid head with 4 HU of noise, 512 x 512."""
    origins = np.array([[-123.0, -123.0, -75.0 + 150.0 / count * k] for k in range(count)])
    axis = -123.0 + PIXEL_MM * np.arange(MATRIX)
    in_plane = (axis[None, :] / 70) ** 2 + (axis[:, None] / 88) ** 2
    noise = np.random.default_rng(0)
    hu = np.empty((count, MATRIX, MATRIX), dtype=np.int16)
    for k, z in enumerate(origins[:, 2]):
        depth = np.sqrt(in_plane + (z / 78) ** 2)
        hu[k] = np.select([depth < 0.9, depth < 1, depth < 1.06], [32, 1100, 20], -1000)
        hu[k] += np.rint(noise.normal(0, 4, hu[k].shape)).astype(np.int16)
    return CtStack(origins, spacing_ji_mm=(PIXEL_MM, PIXEL_MM), shape_ji=(MATRIX, MATRIX), hu=hu)


def measure(folder: Path, stack: CtStack) -> dict[str, float]:
    """Median seconds for headers and choice, and for pixels; the values are compared with what was written."""
    headers, pixels = [], []
    for _ in range(REPEATS):
        start = time.perf_counter()
        with open_input(folder) as (study,):
            series = select_head_ct(study).series
            chosen = time.perf_counter()
            volume, _ = read_volume(series)
            pixels.append(time.perf_counter() - chosen)
        headers.append(chosen - start)
        assert np.array_equal(volume.array_kji, stack.hu), "the values that were read differ"
    return {"headers_s": round(statistics.median(headers), 3), "pixels_s": round(statistics.median(pixels), 3)}


def main() -> None:
    """Print a table, and write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--slices", type=int, nargs="+", default=[40, 300])
    options = parser.parse_args()
    rows = []
    print(f"{'slices':>6}  {'objects':<12}{'syntax':<14}{'headers s':>10}{'pixels s':>10}")
    for count in options.slices:
        stack = head(count)
        for kind in ("classic", "multi-frame"):
            for name, syntax in SYNTAXES.items():
                with tempfile.TemporaryDirectory() as folder:
                    items = slices(stack) if kind == "classic" else [enhanced(stack)]
                    write(Path(folder), [compressed(item, syntax) if syntax else item for item in items])
                    row = {"slices": count, "objects": kind, "syntax": name} | measure(Path(folder), stack)
                rows.append(row)
                print(f"{count:>6}  {kind:<12}{name:<14}{row['headers_s']:>10.3f}{row['pixels_s']:>10.3f}", flush=True)
    if options.json:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        machine = {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count(), "load": load}
        options.json.write_text(json.dumps({"commit": commit, "machine": machine, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
