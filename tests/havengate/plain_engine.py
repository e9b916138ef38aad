"""An engine in plain Python over a few rows, which keeps what it was asked."""

import json

import polars as pl

from engines.contract import TableSpec
from engines.frames.columns import columns
from havengate.types import FIELDS, KEY, MARK, PK, SCORE, And, AtLeast, Compare, Exists, In, Match, Not, Or, Pool, Range
from schemas.settings import TableSettings
from schemas.table import FieldSpec, FieldType, TableSchema, TermIndex, VectorIndex

_FIELDS = (
    FieldSpec("id", FieldType.INT64),
    FieldSpec("title", FieldType.TEXT),
    FieldSpec("body", FieldType.TEXT),
    FieldSpec("shop", FieldType.STRING),
    FieldSpec("size", FieldType.INT64),
    FieldSpec("tags", FieldType.MAP),
    FieldSpec("near", FieldType.FLOAT, multi_value=True),
    FieldSpec("like", FieldType.FLOAT, multi_value=True),
)
SCHEMA = TableSchema(
    {spec.name: spec for spec in _FIELDS},
    "id",
    {
        "near": VectorIndex("near", "near", 2, "SquaredEuclidean", category_field="shop"),
        "like": VectorIndex("like", "like", 2, "InnerProduct"),
    },
    {
        "title": TermIndex("title", "TEXT", ("title",)),
        "words": TermIndex("words", "TEXT", ("title", "body")),
        "shop": TermIndex("shop", "STRING", ("shop",)),
        "size": TermIndex("size", "NUMBER", ("size",)),
    },
)


class PlainEngine:
    """``rows``: dicts of fields, vectors among them. Texts are ASCII words between blanks."""

    def __init__(self, rows):
        self.rows_there = rows
        self.asked = []

    def table(self, name):
        return TableSpec(name, SCHEMA, {}, TableSettings(), {})

    def pool(self, _name, query):
        self.asked.append(query)
        sign = 1 if query.index == "near" else -1
        there = [row for row in self.rows_there if query.index in row and holds(query.within, row)]
        judged = there if query.filter_mode == "post" else [row for row in there if holds(query.filter, row)]
        scored = sorted(((sign * score(query, row), row["id"], row) for row in judged), key=lambda item: item[:2])
        best = [(row, sign * loss) for loss, _, row in scored[: query.n] if holds(query.filter, row)]
        frame = self._frame([row for row, _ in best], query)
        frame = frame.with_columns(pl.Series(SCORE, [number for _, number in best], dtype=pl.Float64))
        return Pool(frame, sum(holds(query.filter, row) for row in there))

    def rows(self, _name, query):
        self.asked.append(query)
        found = [row for row in self.rows_there if holds(query.filter, row)]
        assert query.limit is not None or len(found) <= query.most
        # Stable sorts, the last key first, are one sort by all keys.
        found.sort(key=lambda row: row["id"])
        for key in reversed(query.order):
            having = [row for row in found if key.by.name in row]
            lacking = [row for row in found if key.by.name not in row]
            found = sorted(having, key=lambda row: row[key.by.name], reverse=key.descending) + lacking
        return Pool(_shuffled(self._frame(found[: query.limit], query)), len(found))

    def _frame(self, rows, query):
        keys = [row["id"] for row in rows]
        stored = [json.dumps({name: value for name, value in row.items() if name in _STORED}) for row in rows]
        marks = [
            pl.Series(f"{MARK}{place}", [holds(mark, row) for row in rows], dtype=pl.Boolean)
            for place, mark in enumerate(query.marks)
        ]
        return pl.DataFrame(
            [
                pl.Series(PK, [str(key) for key in keys], dtype=pl.String),
                pl.Series(KEY, keys, dtype=pl.Int64),
                pl.Series(FIELDS, stored, dtype=pl.String),
                *columns(SCHEMA, query.columns, rows),
                *marks,
            ]
        )


def _shuffled(frame):
    """No order of an engine's may decide."""
    return frame.sample(fraction=1, shuffle=True, seed=frame.height)


_STORED = frozenset(SCHEMA.attribute_fields)


def score(query, row):
    """Best over the query's vectors, as plain floats."""
    pairs = [[(float(a), float(b)) for a, b in zip(vector, row[query.index], strict=True)] for vector in query.vectors]
    if query.index == "near":
        return min(sum((a - b) ** 2 for a, b in pair) for pair in pairs)
    return max(sum(a * b for a, b in pair) for pair in pairs)


def holds(condition, row):
    return condition is None or truth(condition, row) is True


def truth(condition, row):  # noqa: C901, PLR0911  one for each kind
    """True, False or None, as havengate.expr says."""
    match condition:
        case And(items):
            found = [truth(item, row) for item in items]
            return False if False in found else None if None in found else True
        case Or(items):
            found = [truth(item, row) for item in items]
            return True if True in found else None if None in found else False
        case AtLeast(items, count):
            return sum(truth(item, row) is True for item in items) >= count
        case Not(item):
            inner = truth(item, row)
            return None if inner is None else not inner
        case Exists(field):
            return field.name in row
        case Match(field, text, phrase):
            return has_words(row.get(field.name, ""), text, phrase)
        case Compare("=", left, right):
            return row[left.name] == right.value if left.name in row else None
        case In(field, values):
            return row[field.name] in [one.value for one in values] if field.name in row else None
        case Range(field, low, high, include_low, include_high):
            if field.name not in row:
                return None
            value = row[field.name]
            above = low is None or value > low.value or (include_low and value == low.value)
            return above and (high is None or value < high.value or (include_high and value == high.value))
    raise AssertionError(condition)


def has_words(text, sought, phrase):
    return f" {sought} " in f" {text} " if phrase else set(sought.split()) <= set(text.split())
