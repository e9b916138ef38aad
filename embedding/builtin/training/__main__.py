"""Trains what ``builtin`` adds to ImageNet: ``make builtin-data``, ``make builtin-train``, ``make builtin-eval``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from havengate.errors import HavengateError


def main() -> None:
    """``data``, ``train`` or ``eval``; all of them go on where they were stopped."""
    parser = argparse.ArgumentParser(prog="python -m embedding.builtin.training", description=__doc__)
    parser.add_argument("stage", choices=["data", "train", "eval"])
    parser.add_argument("--clothing", required=True, help="clothing-dataset-small: train, validation and test")
    parser.add_argument("--work", type=Path, default=Path("build/builtin"), help="what is fetched and computed")
    parser.add_argument("--part", default="test", choices=["validation", "test"], help="photos that eval asks")
    given = parser.parse_args()
    if not given.clothing:
        parser.error("where are the photos of clothes? CLOTHING=DIR, or --clothing DIR")
    try:
        run(given.stage, given.work, Path(given.clothing), given.part)
    except HavengateError as error:
        sys.exit(f"error: {error}")


def run(stage: str, work: Path, clothing: Path, part: str = "test") -> None:
    """Raises HavengateError where a source is missing or is not the pinned one."""
    if stage == "data":
        from embedding.builtin.training.data import training_data

        training_data(work, clothing)
    elif stage == "train":
        from embedding.builtin.training.train import train

        train(work, clothing)
    else:
        from embedding.builtin.training.evaluate import evaluate

        evaluate(work, clothing, part)


if __name__ == "__main__":
    main()
