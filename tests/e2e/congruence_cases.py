"""Random schemas, rows and plans for two engines that must agree; everything follows from one seed.

Vectors are made of quarters, so that every score is exact in double precision and ties are common.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

INTEGERS = {"INT8": 7, "INT16": 15, "INT32": 31, "INT64": 63}
UNSIGNED = {"UINT8": 8, "UINT16": 16, "UINT32": 32, "UINT64": 64}
TEXTS = ("", "a\x00b", "a", "A", "ab", "b%_*?\\", "头盔", "摩托车头盔", "é", "e\u0301", "\U0001f3cd", "\uffff", "Z z")
SENTENCES = ("摩托车头盔 red", "Red helmet", "头的盔", "ＨＥＬＭＥＴ 300", "red-helmet, blue", "", "ヘルメット 赤", "x")
WORDS = ("头盔", "red", "helmet", "摩托 red", "300", "赤", "red helmet", "nothing here")
FLOATS = (0.1, 0.5, -1.5, 2.0, 1e30, -0.0, 3.0, 16777217.0)
KEYS = ("colour", "size", "a.b", "头")


@dataclass(frozen=True)
class Field:
    name: str
    type: str
    multi: bool

    @property
    def is_number(self) -> bool:
        return self.type not in ("STRING", "TEXT", "MAP")

    @property
    def is_integer(self) -> bool:
        return "INT" in self.type


class Case:
    """One table and endless plans for it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.fields = [self._field(place) for place in range(self.random.randint(3, 9))]
        self.key = self.random.choice(("INT64", "INT32", "UINT64", "STRING"))
        self.distances = self.random.choices(("SquaredEuclidean", "InnerProduct"), k=self.random.randint(1, 2))
        self.rows = self.random.choice((0, 1, 7, 40, 60))

    def _field(self, place: int) -> Field:
        kind = self.random.choice((*INTEGERS, *UNSIGNED, "FLOAT", "DOUBLE", "STRING", "STRING", "TEXT", "TEXT", "MAP"))
        return Field(f"f{place}", kind, kind != "MAP" and self.random.random() < 0.25)

    def schema(self) -> str:
        fields = [{"field_name": "id", "field_type": self.key}]
        fields += [{"field_name": f.name, "field_type": f.type, "multi_value": f.multi} for f in self.fields]
        indexs: list[Json] = [{"index_name": "pk", "index_type": "PRIMARYKEY64", "index_fields": "id"}]
        for place, distance in enumerate(self.distances):
            fields.append({"field_name": f"v{place}", "field_type": "FLOAT", "multi_value": True})
            indexs.append(
                {
                    "index_name": f"index{place}",
                    "index_type": "CUSTOMIZED",
                    "index_fields": [{"field_name": "id"}, {"field_name": f"v{place}"}],
                    "parameters": {"dimension": "3", "distance_type": distance},
                }
            )
        for field in self.fields:
            kind = self.index_kind(field)
            if kind is not None:
                indexs.append({"index_name": f"on_{field.name}", "index_type": kind, "index_fields": field.name})
        if self.packed:
            members = [{"field_name": field.name, "boost": 1} for field in self.packed]
            indexs.append({"index_name": "on_all", "index_type": "PACK", "index_fields": members})
        return json.dumps({"fields": fields, "indexs": indexs})

    @staticmethod
    def index_kind(field: Field) -> str | None:
        if field.type == "MAP":
            return None
        return "NUMBER" if field.is_number else "TEXT" if field.type == "TEXT" else "STRING"

    @property
    def packed(self) -> list[Field]:
        texts = [field for field in self.fields if field.type == "TEXT"]
        return texts if len(texts) > 1 else []

    def changes(self) -> list[Json]:
        """What a client does to some of the rows later, and to some that are not there."""
        commands: list[Json] = []
        for key in self.random.sample(range(self.rows + 5), min(self.rows + 5, 15)):
            row = self._document(key)
            cmd = self.random.choice(("add", "delete", "update_field"))
            commands.append({"cmd": cmd, "fields": {"id": row["id"]} if cmd == "delete" else row})
        return commands

    def documents(self) -> list[Json]:
        return [{"cmd": "add", "fields": self._document(key)} for key in range(self.rows)]

    def _document(self, key: int) -> Json:
        row: Json = {"id": f"k{key}" if self.key == "STRING" else key * 3}
        for field in self.fields:
            if self.random.random() < 0.8:
                row[field.name] = self._stored(field)
        for place in range(len(self.distances)):
            if self.random.random() < 0.9:
                row[f"v{place}"] = self._vector()
        return row

    def _vector(self) -> list[float]:
        return [self.random.randint(-6, 6) / 4 for _ in range(3)]

    def _stored(self, field: Field) -> Any:
        if field.type == "MAP":
            return {key: self._map_value() for key in self.random.sample(KEYS, self.random.randint(0, 3))}
        if field.multi:
            return [self._value(field) for _ in range(self.random.randint(0, 3))]
        return self._value(field)

    def _map_value(self) -> Any:
        item = self.random.choice((1, 2, 1.5, "a", "ab", "头盔", 2**63, -1))
        return [item, self.random.choice((1, "b"))] if self.random.random() < 0.3 else item

    def _value(self, field: Field) -> Any:
        if field.type == "TEXT":
            return self.random.choice(SENTENCES)
        if field.type == "STRING":
            return self.random.choice(TEXTS)
        if not field.is_integer:
            return self.random.choice(FLOATS)
        bits = INTEGERS.get(field.type)
        low, high = (-(2**bits), 2**bits - 1) if bits is not None else (0, 2 ** UNSIGNED[field.type] - 1)
        return self.random.choice((0, 1, 2, 3, 3, 5, low, high, high - 1))

    # --- plans

    def plan(self) -> Json:
        plan: Json = {"limit": self.random.choice((0, 1, 5, 10, 100)), "offset": self.random.choice((0, 0, 0, 1, 4))}
        if self.random.random() < 0.8:
            plan["query"] = self._node(2)
        if self.random.random() < 0.6:
            plan["filter"] = self._expr(2)
        if self.random.random() < 0.15:
            plan["filter_mode"] = "post"
        if self.random.random() < 0.5:
            plan["sort"] = self._sort()
        if self.random.random() < 0.3:
            plan["distinct"] = self._distinct()
        if self.random.random() < 0.4:
            plan["aggregates"] = [self._aggregate() for _ in range(self.random.randint(1, 2))]
        if self.random.random() < 0.2:
            plan["output_fields"] = ["id", "v0"]
        return plan

    def _node(self, depth: int) -> Json:
        kind = self.random.choice(("vector", "vector", "text", "number", "and", "or", "andnot", "rank"))
        if kind in ("and", "or") and depth:
            return {kind: [self._node(depth - 1) for _ in range(self.random.randint(1, 3))]}
        if kind == "andnot" and depth:
            return {kind: [self._node(depth - 1), self._node(depth - 1)]}
        if kind == "rank" and depth:
            return {kind: [self._node(depth - 1), *(self._node(depth - 1) for _ in range(self.random.randint(1, 2)))]}
        if kind in ("text", "number"):
            return self._term(kind) or self._vector_term()
        return self._vector_term()

    def _term(self, kind: str) -> Json | None:
        fields = [f for f in self.fields if (self.index_kind(f) == "NUMBER") == (kind == "number") and f.type != "MAP"]
        if not fields:
            return None
        field = self.random.choice(fields)
        weight = {"weight": self.random.choice((0.0, 0.5, 1.0, 2.0))}
        if kind == "number":
            low, high = sorted((self.random.randint(-2, 4), self.random.randint(0, 6)))
            ends = self.random.choice(({"low": low, "high": high}, {"low": low}, {"high": high}))
            return {
                "number": {"index": f"on_{field.name}", **ends, "include_low": self.random.random() < 0.7, **weight}
            }
        if self.packed and self.random.random() < 0.3:
            return {"text": {"index": "on_all", "text": self.random.choice(WORDS), **weight}}
        text = self.random.choice(WORDS if field.type == "TEXT" else TEXTS)
        return {"text": {"index": f"on_{field.name}", "text": text, "phrase": self.random.random() < 0.3, **weight}}

    def _vector_term(self) -> Json:
        place = self.random.randrange(len(self.distances))
        term: Json = {"index": f"index{place}", "n": self.random.choice((1, 3, 10, 100))}
        if self.random.random() < 0.1:
            term["stored_id"] = "k1" if self.key == "STRING" else "3"
        else:
            term["vectors"] = [self._vector() for _ in range(self.random.choice((1, 1, 2)))]
        if self.random.random() < 0.2:
            term["score_threshold"] = self.random.choice((-1.0, 0.0, 1.0, 2.5))
        return {"vector": term}

    def _expr(self, depth: int) -> Json:
        kind = self.random.choice(("and", "or", "not", "leaf", "leaf", "leaf"))
        if kind == "leaf" or not depth:
            return self._leaf(self.random.choice(self.fields))
        if kind == "not":
            return {"not": self._expr(depth - 1)}
        return {kind: [self._expr(depth - 1) for _ in range(self.random.randint(1, 3))]}

    def _leaf(self, field: Field) -> Json:
        name = f"{field.name}.{self.random.choice(KEYS)}" if field.type == "MAP" else field.name
        leaves: list[Json] = [
            {"in": {"field": name, "values": [self._literal(field) for _ in range(self.random.randint(1, 3))]}},
            {"exists": {"field": self.random.choice((name, field.name))}},
            {"compare": self._compare(field, name)},
            {"compare": self._compare(field, name)},
        ]
        if field.multi or not field.is_number:
            leaves.append({"contains": {"field": name, "value": self._literal(field)}})
        if field.is_number:
            ends = {"low": self._literal(field), "include_low": self.random.random() < 0.5}
            leaves.append({"range": {"field": name, **ends}})
        if field.type == "TEXT":
            words = {"text": self.random.choice(WORDS), "phrase": self.random.random() < 0.3}
            leaves.append({"match": {"field": name, **words}})
        return self.random.choice(leaves)

    def _compare(self, field: Field, name: str) -> Json:
        op = self.random.choice(("=", "!=", "<", "<=", ">", ">="))
        numbers = [f for f in self.fields if f.is_number and not f.multi]
        if field in numbers and self.random.random() < 0.5:
            left, right = (
                self._operand(numbers, 2),
                self.random.choice((self._operand(numbers, 1), self._literal(field))),
            )
            return {"op": op, "left": left, "right": right}
        return {"op": op, "left": {"field": name}, "right": self._literal(field)}

    def _operand(self, numbers: list[Field], depth: int) -> Any:
        if depth and self.random.random() < 0.6:
            op = self.random.choice(("+", "-", "*", "/", "&", "|", "^"))
            return {"arith": {"op": op, "left": self._operand(numbers, depth - 1), "right": self._operand(numbers, 0)}}
        if self.random.random() < 0.3:
            return self.random.choice((0, 1, 2, -3, 0.5, 7))
        return {"field": self.random.choice(numbers).name}

    def _computed(self, numbers: list[Field]) -> Any:
        """What sorts and aggregates take: a field by its name, or arithmetic with a field in it."""
        name = self.random.choice(numbers).name
        if self.random.random() < 0.5:
            return name
        op = self.random.choice(("+", "-", "*", "/"))
        return {"arith": {"op": op, "left": {"field": name}, "right": self._operand(numbers, 1)}}

    def _literal(self, field: Field) -> Any:
        if field.type == "MAP":
            return self.random.choice((1, 1.5, "a", "b", "头", 2**63))
        value = self._value(field)
        if field.is_integer and self.random.random() < 0.2:
            return self.random.choice((2.5, -1.0, 1e20))
        return value[:2] if isinstance(value, str) and self.random.random() < 0.3 else value

    def _singles(self) -> list[Field]:
        return [field for field in self.fields if not field.multi and field.type != "MAP"]

    def _sort(self) -> list[Json]:
        keys: list[Any] = [field.name for field in self._singles()] + ["RANK"]
        chosen = self.random.sample(keys, min(len(keys), self.random.randint(1, 2)))
        numbers = [field for field in self._singles() if field.is_number]
        if numbers and self.random.random() < 0.3:
            chosen = [self._computed(numbers)]
        return [{"by": key, "descending": self.random.random() < 0.5} for key in chosen]

    def _distinct(self) -> Json:
        singles = self._singles()
        key = self.random.choice(singles).name if singles else "id"
        distinct: Json = {"key": key, "count": self.random.randint(1, 2), "times": self.random.randint(1, 2)}
        distinct |= {"reserved": self.random.random() < 0.5, "update_total": self.random.random() < 0.5}
        if self.random.random() < 0.3:
            distinct["grades"] = [0.5, 1.5]
        if self.random.random() < 0.3:
            distinct["filter"] = self._expr(1)
        return distinct

    def _aggregate(self) -> Json:
        keyed = [field for field in self.fields if field.type != "MAP"]
        keys = self.random.sample(keyed, min(len(keyed), self.random.randint(1, 2)))
        numbers = [field for field in self._singles() if field.is_number]
        functions: list[Json] = [{"name": "count"}]
        for _ in range(self.random.randint(0, 2)):
            if numbers:
                name = self.random.choice(("sum", "max", "min", "distinct_count"))
                functions.append({"name": name, "value": self._computed(numbers)})
        aggregate: Json = {"keys": [key.name for key in keys], "functions": functions}
        if len(keys) == 1 and keys[0] in numbers and self.random.random() < 0.4:
            aggregate["ranges"] = [0, 2, 5.5]
        if self.random.random() < 0.3:
            aggregate["filter"] = self._expr(1)
        if self.random.random() < 0.3:
            aggregate["max_group"] = self.random.randint(1, 3)
        return aggregate
