"""How the C library handles memory that was freed."""

from __future__ import annotations

import ctypes
from contextlib import suppress

_MMAP_THRESHOLD = -3
_LARGE = 8 << 20


def give_back_large_blocks() -> None:
    """From now on freed blocks of 8 MiB and more are the system's again at once.

    glibc would keep those of up to 32 MiB in heaps of its threads (mallopt(3), M_MMAP_THRESHOLD), and pixels come in
    blocks of 16 MiB: thumbnails of one picture of 49 Mpx left 6 GiB behind. Other C libraries have no such function.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE)
