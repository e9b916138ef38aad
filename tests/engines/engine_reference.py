"""The contract once more, row by row in plain Python, as slow and as plain as can be."""

from __future__ import annotations

import operator
from fractions import Fraction

import numpy as np

from havengate.types import And, Compare, Field, In, Literal, Not, Or, Row
from schemas.table import FieldType

_OPERATORS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


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
        if isinstance(node, And | Or):
            decisive = isinstance(node, Or)
            truths = [self.truth(item, row) for item in node.items]
            return decisive if decisive in truths else None if None in truths else not decisive
        if isinstance(node, In):
            return self._some([self._compare("=", node.field, value, row) for value in node.values], node.field, row)
        assert isinstance(node, Compare)
        return self._compare(node.op, node.left, node.right, row)

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
            other = self.schema.fields[beside.name].type if isinstance(beside, Field) else None
            return [_rounded(other, operand.value)]
        held = row.fields.get(operand.name)
        if operand.path is not None:
            held = (held or {}).get(operand.path)
        values = held if isinstance(held, list) else [] if held is None else [held]
        return [_rounded(self.schema.fields[operand.name].type, value) for value in values]


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
