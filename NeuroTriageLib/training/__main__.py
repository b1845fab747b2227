"""Runs a training from a terminal."""

from __future__ import annotations

import argparse
from pathlib import Path

from .kuo2019_training import TrainOptions, train_kuo2019


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description="Train Kuo 2019.")
    parser.add_argument("--simulate", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--variant", default="compact")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--exams", type=int)
    parser.add_argument("--validation-exams", type=int, default=80)
    parser.add_argument("--validate-minutes", type=float, default=6.0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    options = TrainOptions(**vars(parser.parse_args()))
    train_kuo2019(options, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
