"""The contract once more, row by row in plain Python, as slow and as plain as can be."""

from __future__ import annotations

import math
import operator
from fractions import Fraction

import numpy as np
from engine_functions import REAL, call, in_polygon

from engines.frames.words import phrases, words
from havengate.types import (
    And,
    Arith,
    AtLeast,
    Call,
    Compare,
    Contains,
    Exists,
    Field,
    In,
    InPolygon,
    Literal,
    Match,
    Not,
    Or,
    Range,
    Row,
)
from schemas.table import FieldType

_OPERATORS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_ARITHMETIC = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "&": operator.and_, "|": operator.or_, "^": operator.xor,
}  # fmt: skip


class Reference:
    """Rows by key, and what the contract says of them."""

    def __init__(self, schema):
        self.schema = schema
        self.rows = {}

    def upsert(self, rows):
        self.rows |= {row.pk: row for row in rows}

    def update_fields(self, patches):
        missing = [patch.pk for patch in patches if patch.pk not in self.rows]
        for patch in patches:
            if patch.pk in self.rows:
                old = self.rows[patch.pk]
                kept = {field: source for field, source in old.sources.items() if field not in patch.vectors}
                self.rows[patch.pk] = Row(
                    patch.pk,
                    {**old.fields, **patch.fields},
                    {**old.vectors, **patch.vectors},
                    {**kept, **patch.sources},
                )
        return list(dict.fromkeys(missing))

    def delete(self, pks):
        return sum(self.rows.pop(pk, None) is not None for pk in set(pks))

    def matching(self, filter):
        rows = [row for row in self.rows.values() if filter is None or self.truth(filter, row) is True]
        return sorted(rows, key=self.key)

    def pool(self, query):
        """[(pk, score)] best first, and how many rows match."""
        index = self.schema.vector_indexes[query.index]
        sign = -1 if index.distance == "InnerProduct" else 1
        there = [row for row in self.rows.values() if index.field in row.vectors]
        fitting = {row.pk for row in self.matching(query.filter)}
        judged = there if query.filter_mode == "post" else [row for row in there if row.pk in fitting]
        scored = [(score(row.vectors[index.field], query.vectors, index.distance), row) for row in judged]
        best = sorted(scored, key=lambda item: (sign * item[0], self.key(item[1])))[: query.n]
        limit = query.score_threshold
        return [
            (row.pk, float(number))
            for number, row in best
            if row.pk in fitting and (limit is None or sign * number < sign * limit)
        ], sum(row.pk in fitting for row in there)

    def key(self, row):
        return int(row.pk) if self.schema.key_type.is_integer else row.pk

    def truth(self, node, row):
        """True, False or None."""
        if isinstance(node, Not):
            inner = self.truth(node.item, row)
            return None if inner is None else not inner
        if isinstance(node, AtLeast):
            return [self.truth(item, row) for item in node.items].count(True) >= node.count
        if isinstance(node, And | Or):
            decisive = isinstance(node, Or)
            truths = [self.truth(item, row) for item in node.items]
            return decisive if decisive in truths else None if None in truths else not decisive
        return self._leaf(node, row)

    def _leaf(self, node, row):
        match node:
            case Compare(op, left, right):
                return self._compare(op, left, right, row)
            case In(field, values):
                return self._some([self._compare("=", field, value, row) for value in values], field, row)
            case Range(field):
                return self._some([self._between(node, value) for value in self._values(field, row)], field, row)
            case Contains(field):
                return self._some([self._contains(node, row)], field, row)
            case Exists(field):
                held = self._held(field, row)
                held = [value for value in held.values() if value != []] if isinstance(held, dict) else held
                return held not in (None, [])
            case Match() | InPolygon():
                return self._match(node, row) if isinstance(node, Match) else self._in_polygon(node, row)

    def ordered(self, query):
        """Keys in the query's order, and how many rows match."""
        found = self.matching(query.filter)
        for key in reversed(query.order):
            there = [row for row in found if key.by.name in row.fields]
            there.sort(key=lambda row, field=key.by: self._values(field, row)[0], reverse=key.descending)
            found = there + [row for row in found if key.by.name not in row.fields]
        return [row.pk for row in found][: query.limit], len(found)

    def _between(self, node, value):
        low, high = (bound and self._values(bound, None, node.field)[0] for bound in (node.low, node.high))
        return (low is None or value > low or (node.include_low and value == low)) and (
            high is None or value < high or (node.include_high and value == high)
        )

    def _contains(self, node, row):
        held = self._held(node.field, row)
        (sought,) = self._values(node.value, row, node.field)
        if isinstance(held, str):
            return isinstance(sought, str) and sought in held
        return any(
            isinstance(value, str) == isinstance(sought, str) and value == sought
            for value in self._values(node.field, row)
        )

    def _match(self, node, row):
        held = row.fields.get(node.field.name, [])
        texts = [words(text) for text in (held if isinstance(held, list) else [held])]
        sought = phrases(node.text, node.phrase)
        return bool(sought) and all(
            any(phrase == text[start : start + len(phrase)] for text in texts for start in range(len(text)))
            for phrase in sought
        )

    def _in_polygon(self, node, row):
        x, y = self._number(node.x, row), self._number(node.y, row)
        corners = [node.polygon] if isinstance(node.polygon, Field) else node.polygon
        numbers = [_signed(value) for corner in corners for value in self._values(corner, row)]
        if x is None or y is None or not numbers:
            return None
        return in_polygon(float(x), float(y), numbers, edge=node.edge)

    def _some(self, truths, field, row):
        return None if not self._values(field, row) else any(truths)

    def _compare(self, op, left, right, row):
        if op == "!=":
            equal = self._compare("=", left, right, row)
            return None if equal is None else not equal
        lefts, rights = self._values(left, row, right), self._values(right, row, left)
        if not lefts or not rights:
            return None
        pairs = [(a, b) for a in lefts for b in rights if isinstance(a, str) == isinstance(b, str)]
        return any(_OPERATORS[op](a, b) for a, b in pairs)

    def _values(self, operand, row, beside=None):
        if isinstance(operand, Literal):
            return [_rounded(self._kind(beside), operand.value)]
        if isinstance(operand, Arith | Call):
            value = self._number(operand, row) if isinstance(operand, Arith) else self._call(operand, row)
            return [] if value is None else [value]
        held = self._held(operand, row)
        values = held if isinstance(held, list) else [] if held is None else [held]
        return [_rounded(self.schema.fields[operand.name].type, value) for value in values]

    def _held(self, field, row):
        held = row.fields.get(field.name)
        return held if field.path is None else (held or {}).get(field.path)

    def _kind(self, operand):
        """The type that a literal beside it takes; None where it takes none."""
        if isinstance(operand, Arith):
            return FieldType.DOUBLE if self._is_real(operand) else None
        if isinstance(operand, Call):
            return FieldType.FLOAT if operand.name in REAL else None
        return self.schema.fields[operand.name].type if isinstance(operand, Field) else None

    def _is_real(self, operand):
        if isinstance(operand, Arith):
            return self._is_real(operand.left) or self._is_real(operand.right)
        if isinstance(operand, Field):
            return self.schema.fields[operand.name].type in (FieldType.FLOAT, FieldType.DOUBLE)
        if isinstance(operand, Call):
            return operand.name in REAL
        return isinstance(operand.value, float)

    def _call(self, node, row):
        if node.name == "fieldlen":
            held = row.fields.get(node.args[0].name)
            return len(held) if held else 0
        read = self._number if node.name in REAL else self._one
        args = [read(arg, row) for arg in node.args]
        return None if None in args else call(node.name, args)

    def _one(self, operand, row):
        (value,) = self._values(operand, row) or [None]
        return value

    def _number(self, operand, row):
        """What arithmetic gives, None where a value is missing."""
        if not isinstance(operand, Arith):
            return _signed(self._one(operand, row))
        left, right = self._number(operand.left, row), self._number(operand.right, row)
        if left is None or right is None or (operand.op == "/" and right == 0):
            return None
        if self._is_real(operand):
            left, right = float(left), float(right)
            number = left / right if operand.op == "/" else _ARITHMETIC[operand.op](left, right)
            return None if math.isnan(number) else number
        if operand.op == "/":
            return _signed(abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1))
        return _signed(_ARITHMETIC[operand.op](left, right))


def _signed(value):
    """An integer as 64 bits in two's complement, anything else as it is."""
    return (value + 2**63) % 2**64 - 2**63 if isinstance(value, int) else value


def _rounded(kind, value):
    if isinstance(value, str) or kind not in (FieldType.FLOAT, FieldType.DOUBLE):
        return value
    try:
        with np.errstate(over="ignore"):
            return float(np.float32(float(value)) if kind is FieldType.FLOAT else value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def score(row, queries, distance):
    """An exact fraction: the best over the query vectors."""
    pairs = [[(Fraction(float(a)), Fraction(float(b))) for a, b in zip(row, query, strict=True)] for query in queries]
    if distance == "InnerProduct":
        return max(sum(a * b for a, b in pair) for pair in pairs)
    return min(sum((a - b) ** 2 for a, b in pair) for pair in pairs)
