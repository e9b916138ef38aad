"""A process that backs up or restores table photos and is killed on the way.

Usage: backup_child.py backup|restore DATA_DIR FILE STEP: it dies when its progress was told STEP times.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from pathlib import Path

from engines.embedded.engine import EmbeddedEngine
from havengate.blobs import FolderBlobStore
from ingest import backup, restore


def main(what, data_dir, file, step):
    steps = count(1)

    def progress(_done, _of):
        if next(steps) == int(step):
            os.kill(os.getpid(), signal.SIGKILL)

    engine, blobs = EmbeddedEngine.open(Path(data_dir), wait_s=10), FolderBlobStore(Path(data_dir) / "blobs")
    backup._ROWS_PER_MEMBER = restore._ROWS_PER_CALL = 3
    if what == "backup":
        backup.backup(engine, blobs, "photos", Path(file), progress)
    else:
        restore.restore(engine, blobs, Path(file), progress=progress)


if __name__ == "__main__":
    main(*sys.argv[1:])
