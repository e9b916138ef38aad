"""How many requests a second a caller may send: a bucket of tokens for each, filled over ten seconds."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from havengate.errors import AccessError

_BURST_S = 10.0
_MOST_CALLERS = 10_000


class TooManyRequests(AccessError):
    """The caller's bucket is empty."""

    http_status = 429

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"too many requests; try again in {wait_s} s")
        self.retry_after_s = wait_s


class Buckets:
    """What is left to each caller. Any thread; the callers that were heard least lately are forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str, rate_per_s: float) -> None:
        """Raises TooManyRequests saying when there is a token again. A rate of 0 is none."""
        if rate_per_s <= 0:
            return
        # Less than one token would never let anybody in.
        most = max(1.0, rate_per_s * _BURST_S)
        with self._lock:
            now = self._clock()
            left, at = self._left.pop(caller, (most, now))
            left = min(most, left + (now - at) * rate_per_s)
            taken = left >= 1
            self._left[caller] = (left - 1 if taken else left, now)
            if len(self._left) > _MOST_CALLERS:
                self._left.popitem(last=False)
        if not taken:
            raise TooManyRequests(math.ceil((1 - left) / rate_per_s))


def network_of(address: str) -> str:
    """Whom an address stands for: one of IPv6 for its network of 64 bits, which one customer has whole."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, IPv6Address):
        return str(known.ipv4_mapped or IPv6Address(int(known) >> 64 << 64))
    return str(known)
