"""Functions and polygons once more, of one row's values in plain Python."""

from __future__ import annotations

import math

import numpy as np

RADIUS = 6371.0088
REAL = ("pow", "log", "distance")


def call(name, args):
    """What a function of present values gives; None where that is no finite number."""
    if name in REAL:
        return _single(_FORMULAS[name], [float(arg) for arg in args])
    if name == "to_string":
        return str(args[0])
    text, characters, by = args
    return "".join(by if character in characters else character for character in text)


def _single(formula, args):
    try:
        number = formula(*args)
    except (OverflowError, ValueError, ZeroDivisionError):
        return None
    if not math.isfinite(number):
        return None
    with np.errstate(over="ignore"):
        number = float(np.float32(number))
    return number if math.isfinite(number) else None


def _log(base, x):
    return 0.0 if base <= 0 or x <= 0 or base == 1 else math.log(x) / math.log(base)


def _distance(x1, y1, x2, y2):
    x1, y1, x2, y2 = map(math.radians, (x1, y1, x2, y2))
    h = math.sin((y2 - y1) / 2) ** 2 + math.cos(y1) * math.cos(y2) * math.sin((x2 - x1) / 2) ** 2
    return 2 * RADIUS * math.asin(min(1.0, math.sqrt(h)))


_FORMULAS = {"pow": math.pow, "log": _log, "distance": _distance}


def in_polygon(x, y, numbers, *, edge):
    if len(numbers) % 2 or len(numbers) < 6:
        return False
    numbers = [float(number) for number in numbers]
    corners = list(zip(numbers[::2], numbers[1::2], strict=True))
    odd = False
    for (ax, ay), (bx, by) in zip(corners, [*corners[1:], corners[0]], strict=True):
        c = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        if c == 0 and min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by):
            return edge
        odd ^= (ay > y) != (by > y) and (c > 0) == (by > ay)
    return odd
