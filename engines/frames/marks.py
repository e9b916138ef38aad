"""Marks: Boolean columns that say by row whether conditions hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from engines.frames.filters import compile_filter
from havengate.types import (
    MARK,
    And,
    Arith,
    AtLeast,
    Call,
    Compare,
    Contains,
    Exists,
    Expr,
    Field,
    In,
    InPolygon,
    Literal,
    Match,
    Not,
    Operand,
    Or,
    Range,
)

if TYPE_CHECKING:
    import polars as pl

    from schemas.table import TableSchema


def mark_columns(frame: pl.DataFrame, marks: Sequence[Expr], schema: TableSchema) -> pl.DataFrame:
    """The marks' columns ``#mark:0`` and so on over a frame of the fields that they look at, and of their words.

    Raises RequestError as ``compile_filter`` does.
    """
    return frame.select(compile_filter(mark, schema).alias(f"{MARK}{place}") for place, mark in enumerate(marks))


def fields_of(node: Expr | Operand) -> Iterator[str]:
    """Names of the fields that a condition or a value looks at; some come more than once."""
    nodes: list[Expr | Operand] = [node]
    while nodes:
        match nodes.pop():
            case Field(name) | In(Field(name)) | Range(Field(name)) | Contains(Field(name)) | Exists(Field(name)):
                yield name
            case Match(Field(name)):
                yield name
            case Compare(_, left, right) | Arith(_, left, right):
                nodes += (left, right)
            case And(items) | Or(items) | AtLeast(items) | Call(_, items):
                nodes += items
            case InPolygon(x, y, polygon):
                nodes += (x, y, polygon) if isinstance(polygon, Field) else (x, y)
            case Not(item):
                nodes.append(item)
            case Literal():
                pass
