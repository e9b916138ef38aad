"""A table of random goods, open to HA3 requests, and the same rows for judges in plain Python."""

import json
import random

from havengate.documents import Command
from havengate.services import open_services
from query_parser.parse import parse_request
from query_parser.plan import plan_request
from schemas.settings import TableSettings
from schemas.vendor import read_schema

FIELDS = [
    {"field_name": "id", "field_type": "INT64"},
    {"field_name": "title", "field_type": "TEXT"},
    {"field_name": "body", "field_type": "TEXT"},
    {"field_name": "shop", "field_type": "STRING"},
    {"field_name": "size", "field_type": "INT32"},
    {"field_name": "price", "field_type": "DOUBLE"},
    {"field_name": "cost", "field_type": "FLOAT"},
    {"field_name": "labels", "field_type": "STRING", "multi_value": True},
    {"field_name": "sizes", "field_type": "INT32", "multi_value": True},
    {"field_name": "near", "field_type": "FLOAT", "multi_value": True},
    {"field_name": "like", "field_type": "FLOAT", "multi_value": True},
]


def _vectors(name, distance):
    return {
        "index_name": name,
        "index_type": "CUSTOMIZED",
        "index_fields": [{"field_name": "id"}, {"field_name": name}],
        "parameters": {"dimension": 2, "distance_type": distance},
    }


SCHEMA = {
    "fields": FIELDS,
    "indexs": [
        {"index_name": "id", "index_type": "PRIMARYKEY64", "index_fields": "id"},
        _vectors("near", "SquaredEuclidean"),
        _vectors("like", "InnerProduct"),
        {"index_name": "titles", "index_type": "TEXT", "index_fields": "title"},
        {
            "index_name": "words",
            "index_type": "PACK",
            "index_fields": [{"field_name": "title"}, {"field_name": "body"}],
        },
        {"index_name": "shops", "index_type": "STRING", "index_fields": "shop"},
        {"index_name": "all_sizes", "index_type": "NUMBER", "index_fields": "size"},
    ],
}
SHOPS = ["a", "b", "B", "", "é", "红"]
WORDS = ["x", "y", "z"]


class Goods:
    """``rows``: dicts of fields, some of which any row may lack. Numbers are such that sums of them are exact."""

    def __init__(self, settings, *, seed, count):
        self.rows = list(_rows(random.Random(seed), count))
        self._services = open_services(settings)
        spec = self._services.tables.create("goods", read_schema(json.dumps(SCHEMA)), TableSettings())
        report = self._services.documents.push(spec, [Command("add", row) for row in self.rows])
        assert report.failures == ()

    def search(self, request):
        """The answer to a HA3 request, as the gateway gets it."""
        limits = self._services.settings.limits
        plan = plan_request(
            parse_request(request), self._services.tables.resolve, index_aliases=frozenset(), window=limits.window
        )
        return self._services.searcher.search(plan)

    def close(self):
        self._services.tables.drop("goods")
        self._services.close()


def _rows(numbers, count):
    for key in numbers.sample(range(-count, 2 * count), count):
        row = {name: make(numbers) for name, make in _MAKERS.items() if numbers.random() < _THERE}
        yield {"id": key} | row


_THERE = 0.85
_MAKERS = {
    "title": lambda numbers: " ".join(numbers.choices(WORDS, k=numbers.randint(0, 3))),
    "body": lambda numbers: " ".join(numbers.choices(WORDS, k=numbers.randint(0, 3))),
    "shop": lambda numbers: numbers.choice(SHOPS),
    "size": lambda numbers: numbers.randint(-3, 3),
    "price": lambda numbers: numbers.randint(-8, 8) / 4,
    "cost": lambda numbers: numbers.randint(0, 6) / 2,
    "labels": lambda numbers: numbers.choices(["l", "m", "n"], k=numbers.randint(0, 3)),
    "sizes": lambda numbers: numbers.choices(range(-2, 3), k=numbers.randint(0, 3)),
    "near": lambda numbers: [float(numbers.randint(-3, 3)), float(numbers.randint(-3, 3))],
    "like": lambda numbers: [float(numbers.randint(-3, 3)), float(numbers.randint(-3, 3))],
}
