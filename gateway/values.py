"""Stored values as the dialects write them."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from havengate.expr import operand_text

if TYPE_CHECKING:
    from havengate.types import AggregateFunction, Scalar, Value, Vector

VALUES_JOINED_BY = "\t"
"""Between the values of a multi-value field in ``fields``, as the vendor's page of the JSON format shows it."""


def text(value: Value) -> str:
    """A value of items[].fields, where everything is a string; a MAP is JSON."""
    if isinstance(value, list):
        return VALUES_JOINED_BY.join(scalar_text(item) for item in value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else scalar_text(value)


def scalar_text(value: Scalar) -> str:
    """Floats in the shortest form that reads back as the same number."""
    return value if isinstance(value, str) else repr(value)


def sort_text(value: Scalar | None) -> str:
    """A value of sortExprValues. Clients call float() on it, so a missing one is the vendor's default, 0."""
    return "0" if value is None else scalar_text(value)


def function_text(function: AggregateFunction) -> str:
    """``sum(price)``, ``count()``."""
    return f"{function.name}({'' if function.value is None else operand_text(function.value)})"


def vector_text(vector: Vector) -> str:
    """Comma-joined, as clients send vectors; each number the shortest that reads back as the same float32."""
    return ",".join(vector.astype("U").tolist())


def short_floats(vector: Vector) -> list[float]:
    """For JSON arrays: 0.1 instead of 0.10000000149011612, the same float32."""
    return [float(number) for number in vector.astype("U").tolist()]


def finite(value: Scalar | None) -> Scalar | None:
    """JSON has no infinity; distances of huge vectors reach it."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
