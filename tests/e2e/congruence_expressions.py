"""Random conditions and values over the fields of a case, in the plan's JSON."""

from __future__ import annotations

import random
from typing import Any

from congruence_cases import KEYS, TEXTS, WORDS, Case, Field, Json

OPS = ("=", "!=", "<", "<=", ">", ">=")
PARTS = ("", "a", "AZ", "头", "\U0001f3cd", "0123456789", "b%_*?\\")


class Expressions:
    def __init__(self, case: Case, chance: random.Random) -> None:
        self.case = case
        self.random = chance
        self.singles = [field for field in case.fields if not field.multi and field.type != "MAP"]
        self.numbers = [field for field in self.singles if field.is_number]
        self.texts = [field for field in self.singles if not field.is_number]
        self.lists = [field for field in case.fields if field.multi and field.is_number]
        self.measured = [field for field in case.fields if field.multi or field in self.texts]

    # --- conditions

    def condition(self, depth: int) -> Json:
        kind = self.random.choice(("and", "or", "not", "atleast", "leaf", "leaf", "leaf", "leaf"))
        if kind == "leaf" or not depth:
            return self._leaf(self.random.choice(self.case.fields))
        if kind == "not":
            return {"not": self.condition(depth - 1)}
        items = [self.condition(depth - 1) for _ in range(self.random.randint(1, 3))]
        if kind == "atleast":
            return {kind: {"count": self.random.randint(0, len(items) + 1), "items": items}}
        return {kind: items}

    def _leaf(self, field: Field) -> Json:
        name = f"{field.name}.{self.random.choice(KEYS)}" if field.type == "MAP" else field.name
        leaves: list[Json] = [
            {"in": {"field": name, "values": [self.literal(field) for _ in range(self.random.randint(1, 3))]}},
            {"exists": {"field": self.random.choice((name, field.name))}},
            {"compare": self._compare(field, name)},
            {"compare": self._compare(field, name)},
        ]
        if field.multi or not field.is_number:
            leaves.append({"contains": {"field": name, "value": self.literal(field)}})
        if field.is_number:
            ends = {"low": self.literal(field), "include_low": self.random.random() < 0.5}
            leaves.append({"range": {"field": name, **ends}})
            leaves.append({"in_polygon": self._in_polygon()})
        if field.type == "TEXT":
            words = {"text": self.random.choice(WORDS), "phrase": self.random.random() < 0.3}
            leaves.append({"match": {"field": name, **words}})
        return self.random.choice(leaves)

    def _compare(self, field: Field, name: str) -> Json:
        op = self.random.choice(OPS)
        if field in self.numbers and self.random.random() < 0.6:
            other = self.random.choice((self.number(1), self.literal(field)))
            return {"op": op, "left": self.number(2), "right": other}
        if field in self.texts and self.random.random() < 0.4:
            other = self.random.choice((self.text(1), self.literal(field)))
            return {"op": op, "left": self.text(2), "right": other}
        return {"op": op, "left": {"field": name}, "right": self.literal(field)}

    def _in_polygon(self) -> Json:
        polygon: Any = [self.random.choice((0, 1, 2, 3, 0.5)) for _ in range(2 * self.random.randint(3, 6))]
        if self.lists and self.random.random() < 0.5:
            polygon = {"field": self.random.choice(self.lists).name}
        return {"x": self.number(1), "y": self.number(0), "polygon": polygon, "edge": self.random.random() < 0.5}

    # --- values

    def number(self, depth: int) -> Any:
        if depth and self.random.random() < 0.6:
            if self.random.random() < 0.4:
                return self._call(depth - 1)
            op = self.random.choice(("+", "-", "*", "/", "&", "|", "^"))
            return {"arith": {"op": op, "left": self.number(depth - 1), "right": self.number(0)}}
        if not self.numbers or self.random.random() < 0.2:
            return self.random.choice((0, 1, 2, -3, 0.5, 7))
        return {"field": self.random.choice(self.numbers).name}

    def _call(self, depth: int) -> Json:
        name = self.random.choice(("pow", "log", "distance", "fieldlen"))
        if name == "fieldlen" and self.measured:
            return {"call": {"name": name, "args": [{"field": self.random.choice(self.measured).name}]}}
        args = [self.number(depth) for _ in range(4 if name == "distance" else 2)]
        return {"call": {"name": "pow" if name == "fieldlen" else name, "args": args}}

    def text(self, depth: int) -> Any:
        if depth and self.random.random() < 0.7:
            if self.random.random() < 0.5:
                argument = self.random.choice((self.number, self.text))(depth - 1)
                return {"call": {"name": "to_string", "args": [argument]}}
            args = [self.text(depth - 1), self.random.choice(PARTS), self.random.choice("ab 9")]
            return {"call": {"name": "string_replace", "args": args}}
        if not self.texts or self.random.random() < 0.1:
            return self.random.choice(TEXTS)
        return {"field": self.random.choice(self.texts).name}

    def key(self) -> Any:
        """What rows are sorted, grouped and told apart by: a field by its name, or what is computed."""
        if self.random.random() < 0.6:
            return self.random.choice([*(field.name for field in self.singles), "id"])
        if self.texts and self.random.random() < 0.4:
            part = self.random.choice(PARTS)
            field = {"field": self.random.choice(self.texts).name}
            return {"call": {"name": "string_replace", "args": [field, part, "9"]}}
        if self.measured and self.random.random() < 0.4:
            return {"call": {"name": "fieldlen", "args": [{"field": self.random.choice(self.measured).name}]}}
        return self.computed() if self.numbers else "id"

    def computed(self) -> Any:
        """A number: a field by its name, or what is computed."""
        name = self.random.choice(self.numbers).name
        if self.random.random() < 0.4:
            return name
        if self.random.random() < 0.4:
            return self._call(1)
        op = self.random.choice(("+", "-", "*", "/"))
        return {"arith": {"op": op, "left": {"field": name}, "right": self.number(1)}}

    def literal(self, field: Field) -> Any:
        if field.type == "MAP":
            return self.random.choice((1, 1.5, "a", "b", "头", 2**63))
        value = self.case.value(field)
        if field.is_integer and self.random.random() < 0.2:
            return self.random.choice((2.5, -1.0, 1e20))
        return value[:2] if isinstance(value, str) and self.random.random() < 0.3 else value
