"""A process that rebuilds table t and is killed at a place of that, or rebuilds it and writes until it is killed.

Usage: generation_child.py PLACE embedded DATA_DIR | PLACE opensearch URL PREFIX. PLACE is ``step`` (rows were copied),
``last`` (writes are held), what to kill instead of calling, as ``module:attribute``, or ``never``. Under ``never`` it
says each write once it is acknowledged: ``+ KEY VERSION`` upserted, ``- KEY`` deleted.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from itertools import count
from pathlib import Path

from engine_rebuild import nothing, rebuild
from engine_samples import CHANGED, make_row, make_spec

from havengate.errors import Busy

KEYS = 60


def kill(*_arguments, **_named):
    os.kill(os.getpid(), signal.SIGKILL)


def opened(kind, place, *rest):
    if kind == "embedded":
        from engines.embedded.engine import EmbeddedEngine

        return EmbeddedEngine.open(Path(place), wait_s=10)
    from engines.opensearch.engine import OpenSearchEngine
    from havengate.setting_groups import EngineSettings

    return OpenSearchEngine.open(EngineSettings(hosts=place, index_prefix=rest[0], timeout_s=60))


def killed_at(place):
    """Makes that place one where the process dies."""
    module, _, attribute = place.partition(":")
    *owners, name = attribute.split(".")
    owner = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    setattr(owner, name, kill)


def write(engine):
    """Rows come, change and go; no acknowledgement is told by half."""
    for version in count(int.from_bytes(os.urandom(4), "big")):
        key = version * 7 % KEYS
        try:
            engine.upsert("t", [make_row(key, (key, 0), s=str(version))])
            told = f"+ {key} {version}"
            if version % 3 == 0:
                engine.delete("t", [str(key)])
                told = f"- {key}"
        except Busy:
            continue
        sys.stdout.write(f"{told}\n")
        sys.stdout.flush()


def main(place, *where):
    engine = opened(*where)
    if place == "never":
        threading.Thread(target=write, args=(engine,), daemon=True).start()
        while True:
            rebuild(engine, make_spec(schema=CHANGED))
            # One older generation is kept.
            for each in engine.generations("t")[:-2]:
                engine.drop_generation("t", each.name)
    if ":" in place:
        killed_at(place)
    rebuild(
        engine,
        make_spec(schema=CHANGED),
        step=kill if place == "step" else nothing,
        last=kill if place == "last" else nothing,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
