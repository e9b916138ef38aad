"""A process that writes to a data folder and says each call once it is acknowledged, until it is killed.

Usage: engine_child.py DATA_DIR ROUND. Lines: ``+ KEY VERSION`` upserted, ``~ KEY VERSION`` updated, ``- KEY`` deleted.
"""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from engine_samples import make_row

from engines.embedded.engine import EmbeddedEngine
from havengate.types import Row

BATCH = 3


def main(data_dir: Path, kill: int) -> None:
    engine = EmbeddedEngine.open(data_dir, wait_s=10)
    for step in count():
        version = kill * 1_000_000 + step
        keys = [(step * BATCH + place) % 100 for place in range(BATCH)]
        engine.upsert("t", [make_row(key, (key, version % 1000), f"h{version}", i64=version) for key in keys])
        say(f"+ {key} {version}" for key in keys)
        engine.update_fields("t", [Row(str(keys[0]), {"i64": -version})])
        say([f"~ {keys[0]} {-version}"])
        engine.delete("t", [str(keys[1])])
        say([f"- {keys[1]}"])


def say(lines) -> None:
    # One write for a whole call: the parent must never see half of an acknowledgement.
    sys.stdout.write(";".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
