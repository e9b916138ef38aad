"""`python -m havengate.demo.tied PID ...`: the command line in a process that ends when its parent PID does."""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def tie(parent: int) -> None:
    """Has the kernel end this process with its parent, however that dies; a parent that is gone ends it here."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    tie(int(sys.argv.pop(1)))
    runpy.run_module("havengate", run_name="__main__", alter_sys=True)
