"""Random plans over a case's table, in their JSON form."""

from __future__ import annotations

from typing import Any

from congruence_cases import TEXTS, WORDS, Case, Json
from congruence_expressions import Expressions


class Plans:
    """Endless plans; they follow from the case and how far its chance went."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.random = case.random
        self.expressions = Expressions(case, case.random)

    def plan(self) -> Json:
        plan: Json = {
            "limit": self.random.choice((0, 1, 5, 10, 100, 100)),
            "offset": self.random.choice((0, 0, 0, 1, 4)),
        }
        if self.random.random() < 0.8:
            plan["query"] = self._node(2)
        if self.random.random() < 0.6:
            plan["filter"] = self.expressions.condition(2)
        if self.random.random() < 0.15:
            plan["filter_mode"] = "post"
        if self.random.random() < 0.5:
            plan["sort"] = self._sort()
        if self.random.random() < 0.3:
            plan["distinct"] = [self._distinct() for _ in range(self.random.choice((1, 1, 1, 2, 2, 2, 2, 3)))]
        if self.random.random() < 0.4:
            plan["aggregates"] = [self._aggregate() for _ in range(self.random.randint(1, 2))]
        if self.random.random() < 0.3:
            plan["variables"] = [
                {"name": f"x{place}", "value": self._variable()} for place in range(self.random.randint(1, 3))
            ]
        if self.random.random() < 0.2:
            plan["output_fields"] = ["id", "v0"]
        return plan

    def _variable(self) -> Any:
        ask = self.expressions
        return self.random.choice((lambda: ask.number(2), lambda: ask.text(2), lambda: ask.condition(1)))()

    def _node(self, depth: int) -> Json:
        kind = self.random.choice(("vector", "vector", "text", "number", "and", "or", "andnot", "rank", "atleast"))
        if kind == "atleast":
            return self._at_least() or self._vector_term()
        if kind in ("and", "or") and depth:
            return {kind: [self._node(depth - 1) for _ in range(self.random.randint(1, 3))]}
        if kind == "andnot" and depth:
            return {kind: [self._node(depth - 1), self._node(depth - 1)]}
        if kind == "rank" and depth:
            return {kind: [self._node(depth - 1), *(self._node(depth - 1) for _ in range(self.random.randint(1, 2)))]}
        if kind in ("text", "number"):
            return self._term(kind) or self._vector_term()
        return self._vector_term()

    def _at_least(self) -> Json | None:
        """Of terms without vectors."""
        found = [self._term(self.random.choice(("text", "number"))) for _ in range(self.random.randint(1, 4))]
        items = [term for term in found if term is not None]
        return {"atleast": {"count": self.random.randint(1, len(items)), "items": items}} if items else None

    def _term(self, kind: str) -> Json | None:
        fields = [
            f
            for f in self.case.fields
            if (self.case.index_kind(f) == "NUMBER") == (kind == "number") and f.type != "MAP"
        ]
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
        if self.case.packed and self.random.random() < 0.3:
            return {"text": {"index": "on_all", "text": self.random.choice(WORDS), **weight, **self._narrowed()}}
        text = self.random.choice(WORDS if field.type == "TEXT" else TEXTS)
        return {"text": {"index": f"on_{field.name}", "text": text, "phrase": self.random.random() < 0.3, **weight}}

    def _narrowed(self) -> Json:
        names = [field.name for field in self.case.packed]
        chosen = self.random.sample(names, self.random.randint(0, len(names)))
        return {"fields": chosen, "all_fields": self.random.random() < 0.5} if chosen else {}

    def _vector_term(self) -> Json:
        place = self.random.randrange(len(self.case.distances))
        term: Json = {"index": f"index{place}", "n": self.random.choice((1, 3, 10, 100))}
        if self.random.random() < 0.1:
            term["stored_id"] = "k1" if self.case.key == "STRING" else "3"
        else:
            term["vectors"] = [self.case.vector() for _ in range(self.random.choice((1, 1, 2)))]
        if self.random.random() < 0.3:
            term["weight"] = self.random.choice((0.0, 0.5, 2.0))
        if self.random.random() < 0.2:
            term["score_threshold"] = self.random.choice((-1.0, 0.0, 1.0, 2.5))
        return {"vector": term}

    def _sort(self) -> list[Json]:
        keys: list[Any] = [field.name for field in self.expressions.singles] + ["RANK"]
        chosen = self.random.sample(keys, min(len(keys), self.random.randint(1, 2)))
        if self.random.random() < 0.3:
            chosen = [self.expressions.key()]
        return [{"by": key, "descending": self.random.random() < 0.5} for key in chosen]

    def _distinct(self) -> Json:
        distinct: Json = {
            "key": self.expressions.key(),
            "count": self.random.randint(1, 2),
            "times": self.random.randint(1, 2),
        }
        distinct |= {"reserved": self.random.random() < 0.5, "update_total": self.random.random() < 0.5}
        if self.random.random() < 0.3:
            distinct["grades"] = [0.5, 1.5]
        if self.random.random() < 0.3:
            distinct["filter"] = self.expressions.condition(1)
        return distinct

    def _aggregate(self) -> Json:
        keyed = [field for field in self.case.fields if field.type != "MAP"]
        keys = self.random.sample(keyed, min(len(keyed), self.random.randint(1, 2)))
        numbers = self.expressions.numbers
        functions: list[Json] = [{"name": "count"}]
        for _ in range(self.random.randint(0, 2)):
            if numbers:
                name = self.random.choice(("sum", "max", "min", "distinct_count"))
                functions.append({"name": name, "value": self.expressions.computed()})
        aggregate: Json = {"keys": [key.name for key in keys], "functions": functions}
        if self.random.random() < 0.2:
            aggregate["keys"] = [self.expressions.key()]
        elif len(keys) == 1 and keys[0] in numbers and self.random.random() < 0.4:
            aggregate["ranges"] = [0, 2, 5.5]
        if self.random.random() < 0.3:
            aggregate["filter"] = self.expressions.condition(1)
        if self.random.random() < 0.3:
            aggregate["max_group"] = self.random.randint(1, 3)
        return aggregate
