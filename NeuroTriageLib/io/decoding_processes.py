"""Many frames of a slow transfer syntax, decoded by several Python processes; what fails there is left to the caller.

The decoders hold the interpreter's lock, so threads do not help. A process costs about 0.4 s to start, as much as 30
frames of JPEG 2000; the pool of the standard library is not used because it runs the caller's script again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

MIN_FRAMES_PER_PROCESS = 60
"""Fewer frames are decoded sooner than a second process has started (ours, measured with JPEG 2000)."""

MAX_PROCESSES = 8

_CHILD = "import sys; sys.path.insert(0, sys.argv[1]); from NeuroTriageLib.io.decoding_processes import main; main()"

Job = tuple[Path, list[int]]
"""A file and the numbers of the frames wanted from it."""

Decoder = Callable[[Path, list[int]], Sequence[np.ndarray]]


def process_count(frames: int) -> int:
    """How many processes are worth while on this machine, this one included."""
    if not Path(sys.executable or "").name.lower().startswith("python"):
        return 1  # inside a program with an embedded interpreter, sys.executable is that program
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, MAX_PROCESSES, frames // MIN_FRAMES_PER_PROCESS))


def decode_jobs(jobs: Sequence[Job], decode: Decoder, processes: int) -> list[np.ndarray]:
    """Frames of all jobs in order. The first share is decoded here, by `decode`, and so is what a process failed at."""
    shares = _shares(jobs, processes)
    with tempfile.TemporaryDirectory(prefix="neurotriage-decoding-") as folder:
        targets = [Path(folder) / f"{number}.npy" for number in range(len(shares))]
        children = []
        try:
            for share, target in zip(shares[1:], targets[1:], strict=True):
                children.append(_start(share, target))
            frames = _decode_here(shares[0], decode)
            for child, share, target in zip(children, shares[1:], targets[1:], strict=True):
                done = child.wait() == 0
                frames += list(np.load(target, allow_pickle=False)) if done else _decode_here(share, decode)
        finally:
            for child in children:
                child.kill()
                child.wait()
    return frames


def _shares(jobs: Sequence[Job], count: int) -> list[list[Job]]:
    """The frames in order, in about equal shares; a file's frames may fall into two shares."""
    single = [(path, frame) for path, frames in jobs for frame in frames]
    bounds = np.linspace(0, len(single), count + 1).astype(int)
    shares = []
    for start, stop in pairwise(bounds):
        share: list[Job] = []
        for path, frame in single[start:stop]:
            if share and share[-1][0] == path:
                share[-1][1].append(frame)
            else:
                share.append((path, [frame]))
        shares.append(share)
    return shares


def _decode_here(share: list[Job], decode: Decoder) -> list[np.ndarray]:
    return [frame for path, frames in share for frame in decode(path, frames)]


def _start(share: list[Job], target: Path) -> subprocess.Popen:
    root = Path(__file__).resolve().parents[2]
    order = target.with_suffix(".json")
    order.write_text(json.dumps([[str(path.absolute()), frames] for path, frames in share]), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(root), str(order), str(target)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def main() -> None:
    """A child's whole work: read its share from a JSON file, save the frames (N, J, I) as one .npy file."""
    from .dicom_headers import quiet_pydicom
    from .dicom_pixels import decode_file

    share = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    with quiet_pydicom():
        frames = _decode_here([(Path(path), numbers) for path, numbers in share], decode_file)
    np.save(sys.argv[3], np.stack(frames))
