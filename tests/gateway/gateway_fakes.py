"""Services without engine and model: they write down what they are asked and answer what a test gives them."""

from pathlib import Path

import numpy as np
import pytest

from embedding.load import Load
from embedding.readiness import Readiness
from engines.contract import TableSpec
from gateway.app import create_app
from havengate.documents import PushReport
from havengate.errors import ModelError, UnknownTable
from havengate.settings import Settings
from havengate.types import Certificate, Hit, Row, SearchResult
from schemas.settings import TableSettings
from schemas.table import FieldSpec, FieldType, TableSchema, VectorIndex

SCHEMA = TableSchema(
    fields={
        "id": FieldSpec("id", FieldType.INT64),
        "title": FieldSpec("title", FieldType.STRING),
        "cate_id": FieldSpec("cate_id", FieldType.INT32),
        "vector": FieldSpec("vector", FieldType.FLOAT, multi_value=True),
    },
    primary_key="id",
    vector_indexes={"vector": VectorIndex("vector", "vector", 2, "SquaredEuclidean", model="builtin")},
)
TABLE = TableSpec("photos", SCHEMA, {}, TableSettings(), {})
VECTOR = np.array([0.1, -2.5], np.float32)
HIT = Hit(
    pk="7",
    fields={"id": 7, "title": "摩托车", "price": 0.1, "tags": ["a", "b"], "extra": {"color": "red"}},
    score=0.25,
    sort_values=(0.25, None),
)
RESULT = SearchResult(
    hits=(HIT,), total=3, certificates=(Certificate("vector", 10, 3, 3, "exact"),), timings={"embed": 0.5}
)


class FakeTables:
    def __init__(self, spec=TABLE):
        self.spec = spec

    def names(self):
        return [self.spec.name]

    def resolve(self, cluster, span=None, judge=lambda _: None):
        if cluster in (None, "general", self.spec.name):
            judge(self.spec.name)
            return self.spec
        raise UnknownTable(f"no table {cluster!r}; there are: {self.spec.name}", span=span)

    def push_target(self, data_source):
        return self.resolve(data_source.rpartition("_")[2])


class FakeSearcher:
    def __init__(self):
        self.plans = []
        self.result = RESULT

    def search(self, plan):
        self.plans.append(plan)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class FakeDocuments:
    def __init__(self):
        self.pushed = []
        self.fetched = []
        self.report = PushReport(written=1, deleted=0, failures=())
        self.rows = [Row("7", {"id": 7, "title": "a"}, {"vector": VECTOR})]

    def push(self, table, commands):
        self.pushed.append((table.name, list(commands)))
        return self.report

    def fetch(self, table, ids, *, include_vector, output_fields):
        self.fetched.append((table.name, ids, include_vector, output_fields))
        return self.rows


class FakeEmbedding:
    """``failed`` says why by name; of all other models it says that they are loaded, or are still being ``loaded``."""

    def __init__(self):
        self.loaded = True
        self.failed = {}
        self.warmed = []

    def warm_up(self, models):
        self.warmed += sorted(models)
        if self.failed:
            raise ModelError("one of them")

    def load(self):
        return Load({("builtin", "texts"): 2}, text_hits=3, text_misses=4)

    def readiness(self, models):
        failed = {name: self.failed[name] for name in models if name in self.failed}
        return Readiness(frozenset() if self.loaded else frozenset(models) - failed.keys(), failed)


class FakeServices:
    def __init__(self, **settings):
        self.settings = Settings(data_dir=Path("unused"), **settings)
        self.tables = FakeTables()
        self.searcher = FakeSearcher()
        self.documents = FakeDocuments()
        self.embedding = FakeEmbedding()

    def models(self):
        return {"builtin"}


def client_of(services):
    return create_app(services).test_client()


@pytest.fixture
def services():
    return FakeServices()


@pytest.fixture
def client(services):
    return client_of(services)
