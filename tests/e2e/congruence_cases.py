"""Random schemas and rows for two engines that must agree; everything follows from one seed.

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
    """One table with what comes into it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.fields = [self._field(place) for place in range(self.random.randint(3, 9))]
        self.key = self.random.choice(("INT64", "INT32", "UINT64", "STRING"))
        self.distances = self.random.choices(("SquaredEuclidean", "InnerProduct"), k=self.random.randint(1, 2))
        self.rows = self.random.choice((0, 1, 7, 40, 60, 60, 60, 60))

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
                row[f"v{place}"] = self.vector()
        return row

    def vector(self) -> list[float]:
        return [self.random.randint(-6, 6) / 4 for _ in range(3)]

    def _stored(self, field: Field) -> Any:
        if field.type == "MAP":
            return {key: self._map_value() for key in self.random.sample(KEYS, self.random.randint(0, 3))}
        if field.multi:
            if field.is_number and self.random.random() < 0.4:
                return [self.random.choice((0, 1, 2, 3)) for _ in range(self.random.choice((6, 7, 8, 12)))]
            return [self.value(field) for _ in range(self.random.randint(0, 3))]
        return self.value(field)

    def _map_value(self) -> Any:
        item = self.random.choice((1, 2, 1.5, "a", "ab", "头盔", 2**63, -1))
        return [item, self.random.choice((1, "b"))] if self.random.random() < 0.3 else item

    def value(self, field: Field) -> Any:
        if field.type == "TEXT":
            return self.random.choice(SENTENCES)
        if field.type == "STRING":
            return self.random.choice(TEXTS)
        if not field.is_integer:
            return self.random.choice(FLOATS)
        bits = INTEGERS.get(field.type)
        low, high = (-(2**bits), 2**bits - 1) if bits is not None else (0, 2 ** UNSIGNED[field.type] - 1)
        return self.random.choice((0, 1, 2, 3, 3, 5, low, high, high - 1))
