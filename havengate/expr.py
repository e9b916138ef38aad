"""Conditions and values over a row: what filters, sort keys and aggregates are made of. Frozen, of no dialect.

Conditions have three values: true, false, and missing where a field that they look at has no value. Only true lets
a row through, and Not of missing stays missing; Exists and Match are never missing themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar
from typing import Literal as OneOf

Scalar = str | int | float

NodeT = TypeVar("NodeT")


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open character range [start, end) in the text that a request came in."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class And(Generic[NodeT]):
    items: tuple[NodeT, ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Or(Generic[NodeT]):
    items: tuple[NodeT, ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class AtLeast(Generic[NodeT]):
    """At least ``count`` of the items hold; one that is missing does not hold, and the whole is never missing."""

    items: tuple[NodeT, ...]
    count: int
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A stored field, or a path into a MAP field: ``tags.color`` is ``Field("tags", "color")``."""

    name: str
    path: str | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Literal:
    value: Scalar
    span: Span | None = None


ArithOp = OneOf["+", "-", "*", "/", "&", "|", "^"]


@dataclass(frozen=True, slots=True)
class Arith:
    """``left op right`` over fields of one number each.

    Integers have 64 bits and wrap as in two's complement (a UINT64 is read as such), their ``/`` cuts towards zero.
    Beside a FLOAT, a DOUBLE or a literal with a point all is double precision. Division by zero and NaN are missing.
    ``&``, ``|`` and ``^`` (exclusive or) take integers only.
    """

    op: ArithOp
    left: Operand
    right: Operand
    span: Span | None = None


FunctionName = OneOf["pow", "log", "fieldlen", "to_string", "string_replace", "distance"]


@dataclass(frozen=True, slots=True)
class Call:
    """A function of a row's values; havengate/functions.py says what each takes and gives.

    Missing where an argument is (``fieldlen`` is 0 there), or where the result is NaN or infinite.
    """

    name: FunctionName
    args: tuple[Operand, ...]
    span: Span | None = None


CompareOp = OneOf["=", "!=", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Compare:
    """``left op right``; missing when either side is; on a multi-value field any value may match."""

    op: CompareOp
    left: Operand
    right: Operand
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class In:
    field: Field
    values: tuple[Literal, ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """Any one value of a number field lies between; None is an open end."""

    field: Field
    low: Literal | None = None
    high: Literal | None = None
    include_low: bool = True
    include_high: bool = True
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Contains:
    """A single text has ``value`` inside it; of several values (multi-value, a list in a MAP) one equals it."""

    field: Field
    value: Literal
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Exists:
    """The field (or the key of a MAP; of a MAP without a path, any key) has a value; an empty list has none."""

    field: Field
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """The words of ``text`` stand in a TEXT field: each run of ideographs unbroken, under ``phrase`` all in order."""

    field: Field
    text: str
    phrase: bool = False
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class InPolygon:
    """A point lies in a polygon; ``edge`` says whether its edge counts.

    x, y      longitude and latitude, each a number of the row or a literal
    polygon   a multi-value number field, or literals: x0, y0, x1, y1 and so on, of at least three corners

    Missing where x or y is, or where the field has no value; false where the field's values are no polygon: an odd
    number of them, or fewer than six. All numbers become doubles first, and each operation rounds to a double. Of
    each side from a corner (ax, ay) to the next one (bx, by), after the last corner comes the first::

        c = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        the point is on the side where c = 0, min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by)
        the side is crossed where (ay > y) != (by > y) and (c > 0) = (by > ay)

    On any side the answer is ``edge``, else whether an odd number of sides is crossed. A corner given twice changes
    nothing.
    """

    x: Operand
    y: Operand
    polygon: Field | tuple[Literal, ...]
    edge: bool = False
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Not:
    """Three-valued negation: NOT of a comparison with a missing value stays missing."""

    item: Expr
    span: Span | None = None


Operand = Field | Literal | Arith | Call
Expr = Compare | In | Range | Contains | Exists | Match | InPolygon | And["Expr"] | Or["Expr"] | AtLeast["Expr"] | Not


def operand_text(operand: Operand) -> str:
    """The operand as HA3 writes it, arithmetic in parentheses: ``(price*2)``."""
    match operand:
        case Field(name, path):
            return name if path is None else f"{name}.{path}"
        case Literal(value):
            return f'"{value}"' if isinstance(value, str) else str(value)
        case Arith(op, left, right):
            return f"({operand_text(left)}{op}{operand_text(right)})"
        case Call(name, args):
            return f"{name}({','.join(map(operand_text, args))})"
