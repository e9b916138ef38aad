"""The functions of ``expr.Call``: what each takes and gives. Engines compute exactly this.

==========================  =======================================================================================
``pow(x, y)``               x to the power of y.
``log(base, x)``            ln(x) / ln(base); 0 where base or x is not above 0, and where base is 1.
``distance(x1, y1, x2, y2)``  Great-circle kilometres between two points of longitude and latitude in degrees.
``fieldlen(field)``         Number of values of a multi-value field, of code points of a text; 0 where it has none.
``to_string(x)``            An integer in decimal; a text as it is.
``string_replace(x, a, b)``  The text x where each character that is in ``a`` has become ``b``.
==========================  =======================================================================================

Numbers are read as arithmetic reads them (64 bits with a sign, or double precision) and then as double precision.
``real`` results are computed in double precision and rounded to FLOAT once, at the end: a literal beside one is read
as beside a FLOAT field, in arithmetic it is widened again. They are missing where that is NaN or infinite, and every
result is missing where an argument is; fieldlen alone never is.

``to_string`` takes an integer's own value (a UINT64 field without a sign); a real has no one form and is refused.
In ``string_replace`` a and b are literals, b one character of ASCII. In ``distance`` each step is rounded to double
precision, in this order, with r = 0.017453292519943295 (radians of a degree)::

    s = sin((y2*r - y1*r) / 2)      t = sin((x2*r - x1*r) / 2)
    h = s*s + cos(y1*r) * cos(y2*r) * (t*t)
    2 * EARTH_RADIUS_KM * asin(min(1, sqrt(h)))

Sources: havenask, suez/turing/expression/function (pow and log of two numbers each with a float result, log 0 where
undefined, to_string of one single value, string_replace of a set of bytes by one); for fieldlen and distance (float,
kilometres) the vendor's pages of these names, on which clients write the point of ``distance`` in quotes: reading
such texts as numbers is the dialect's part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal as OneOf

from havengate.expr import FunctionName

EARTH_RADIUS_KM = 6371.0088
"""Mean radius R1 = (2a + b) / 3 of the WGS 84 ellipsoid."""
RADIANS = 0.017453292519943295
"""Of one degree, in double precision."""

ArgumentKind = OneOf["number", "text", "constant", "integer or text", "several or text"]
"""``number`` and ``text``: single values or literals. ``constant``: a literal text. ``several or text``: a field."""
ResultKind = OneOf["integer", "real", "text"]
"""INT64, FLOAT, STRING."""


@dataclass(frozen=True, slots=True)
class Function:
    arguments: tuple[ArgumentKind, ...]
    result: ResultKind


FUNCTIONS: Mapping[FunctionName, Function] = {
    "pow": Function(("number", "number"), "real"),
    "log": Function(("number", "number"), "real"),
    "distance": Function(("number", "number", "number", "number"), "real"),
    "fieldlen": Function(("several or text",), "integer"),
    "to_string": Function(("integer or text",), "text"),
    "string_replace": Function(("text", "constant", "constant"), "text"),
}
