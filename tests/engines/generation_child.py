"""A process that changes table t and is killed at a place of that change.

Usage: generation_child.py PLACE embedded DATA_DIR | PLACE opensearch URL PREFIX. PLACE is ``progress``, or what to kill
instead of calling, as ``module:attribute``.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path

from engine_samples import CHANGED, make_spec


def kill(*_arguments, **_named):
    os.kill(os.getpid(), signal.SIGKILL)


def opened(kind, place, *rest):
    if kind == "embedded":
        from engines.embedded.engine import EmbeddedEngine

        return EmbeddedEngine.open(Path(place))
    from engines.opensearch.engine import OpenSearchEngine
    from havengate.settings import EngineSettings

    return OpenSearchEngine.open(EngineSettings(hosts=place, index_prefix=rest[0], timeout_s=60))


def main(place, *where):
    engine = opened(*where)
    progress = kill
    if place != "progress":
        progress = len
        module, _, attribute = place.partition(":")
        *owners, name = attribute.split(".")
        owner = importlib.import_module(module)
        for each in owners:
            owner = getattr(owner, each)
        setattr(owner, name, kill)
    engine.change_table("t", make_spec(schema=CHANGED), lambda done, of: progress((done, of)))


if __name__ == "__main__":
    main(*sys.argv[1:])
