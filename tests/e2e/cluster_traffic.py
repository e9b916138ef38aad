"""Writers that know what was acknowledged, and readers that check every answer against it."""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from engines.contract import PoolQuery, TableSpec
from havengate.types import PK, SCORE, Compare, Field, Literal, Row
from schemas.settings import TableSettings
from schemas.table import FieldSpec, FieldType, TableSchema, VectorIndex

SIZE, CATEGORIES, BEST = 8, 5, 40
VENDOR = {
    "fields": [
        {"field_name": "id", "field_type": "INT64"},
        {"field_name": "category", "field_type": "INT32"},
        {"field_name": "version", "field_type": "INT32"},
        {"field_name": "v", "field_type": "FLOAT", "multi_value": True},
    ],
    "indexs": [
        {"index_name": "id", "index_type": "PRIMARYKEY64", "index_fields": "id", "has_primary_key_attribute": True},
        {
            "index_name": "vector",
            "index_type": "CUSTOMIZED",
            "index_fields": [{"field_name": "id", "boost": 1}, {"field_name": "v", "boost": 1}],
            "indexer": "aitheta2_indexer",
            "parameters": {"dimension": str(SIZE), "distance_type": "SquaredEuclidean", "enable_rt_build": "true"},
        },
    ],
}


def vector_of(key, version):
    return np.random.default_rng([key, version]).standard_normal(SIZE, dtype=np.float32)


def distance(key, version, asked):
    difference = vector_of(key, version).astype(np.float64) - asked.astype(np.float64)
    return float(difference @ difference)


class EngineStore:
    """A table of the engine, in this process."""

    def __init__(self, engine, table="t"):
        self._engine, self._table = engine, table
        specs = [FieldSpec("id", FieldType.INT64), FieldSpec("category", FieldType.INT32)]
        specs += [FieldSpec("version", FieldType.INT32), FieldSpec("v", FieldType.FLOAT, multi_value=True)]
        index = VectorIndex("vector", "v", SIZE, "SquaredEuclidean")
        schema = TableSchema({spec.name: spec for spec in specs}, "id", {"vector": index})
        engine.create_table(TableSpec(table, schema, {}, TableSettings(), {}))

    def upsert(self, versions):
        rows = [
            Row(str(key), {"id": key, "category": key % CATEGORIES, "version": version}, {"v": vector_of(key, version)})
            for key, version in versions.items()
        ]
        self._engine.upsert(self._table, rows)

    def update(self, versions):
        patches = [Row(str(key), {"version": v}, {"v": vector_of(key, v)}) for key, v in versions.items()]
        assert self._engine.update_fields(self._table, patches) == []

    def delete(self, keys):
        assert self._engine.delete(self._table, map(str, keys)) == len(keys)

    def search(self, asked, category):
        condition = Compare("=", Field("category"), Literal(category))
        query = PoolQuery("vector", asked[None], BEST, filter=condition, columns=("category", "version"))
        frame = self._engine.pool(self._table, query).frame
        return [(int(pk), v, c, score) for pk, v, c, score in frame[[PK, "version", "category", SCORE]].iter_rows()]

    def fetch(self, keys):
        found = self._engine.fetch(self._table, list(map(str, keys)), ["v"])
        return {int(pk): (row.fields["version"], row.vectors["v"]) for pk, row in found.items()}


class GatewayStore:
    """A table behind a gateway's HTTP, which has no users."""

    def __init__(self, endpoint, table):
        self._root, self._table = f"http://{endpoint}", table

    def upsert(self, versions):
        self._push("add", [{"category": key % CATEGORIES, **self._patch(key, v)} for key, v in versions.items()])

    def update(self, versions):
        self._push("update_field", [self._patch(key, version) for key, version in versions.items()])

    def delete(self, keys):
        self._push("delete", [{"id": key} for key in keys])

    def search(self, asked, category):
        condition = {"compare": {"op": "=", "left": {"field": "category"}, "right": category}}
        term = {"index": "vector", "vectors": [asked.tolist()], "n": BEST}
        plan = {"query": {"vector": term}, "filter": condition, "limit": BEST}
        hits = self._post(f"/v1/tables/{self._table}/search", plan)["hits"]
        return [(int(hit["pk"]), hit["fields"]["version"], hit["fields"]["category"], hit["score"]) for hit in hits]

    def fetch(self, keys):
        body = {"tableName": self._table, "ids": list(map(str, keys)), "includeVector": True}
        rows = self._post("/vector-service/fetch", body)["result"]
        return {int(row["id"]): (row["fields"]["version"], np.array(row["vector"], np.float32)) for row in rows}

    def _patch(self, key, version):
        return {"id": key, "version": version, "v": vector_of(key, version).tolist()}

    def _push(self, cmd, documents):
        body = [{"cmd": cmd, "fields": fields} for fields in documents]
        answer = self._post(f"/update/{self._table}/actions/bulk", body)
        assert answer["status"] == "OK", answer

    def _post(self, path, body):
        request = urllib.request.Request(
            self._root + path, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


@dataclass
class Ledger:
    """By key: the version that was sent last and the one that was acknowledged last; an odd one is a deletion."""

    sent: dict[int, int] = field(default_factory=dict)
    acknowledged: dict[int, int] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def writing(self, versions):
        with self.guard:
            self.sent |= versions
        yield
        with self.guard:
            self.acknowledged |= versions

    def now(self):
        with self.guard:
            return dict(self.sent), dict(self.acknowledged)


def gone(version):
    return version is None or version % 2 == 1


class Traffic:
    """One writer and one reader on a store, until ``stop``; ``errors`` is what went wrong."""

    def __init__(self, store, name, seed):
        self.ledger, self.errors, self.done, self.slowest = Ledger(), [], {"write": 0, "search": 0}, 0.0
        self._store, self._name, self._seed = store, name, seed
        self._stopping = threading.Event()
        jobs = (("write", self._write()), ("search", self._search()))
        self._threads = [threading.Thread(target=self._repeat, args=job, daemon=True) for job in jobs]
        for thread in self._threads:
            thread.start()

    def _repeat(self, kind, steps):
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                next(steps)
            except Exception as error:  # noqa: BLE001 - whatever it is, a client would have seen it
                said = error.read()[:500] if isinstance(error, urllib.error.HTTPError) else ""
                self.errors.append(f"{self._name} {kind} after {time.monotonic() - began:.1f} s: {error!r} {said}")
                return
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.done[kind] += 1

    def wait_for(self, more, seconds=60):
        """Until so many more calls of both kinds were answered."""
        wanted = {kind: count + more for kind, count in self.done.items()}
        deadline = time.monotonic() + seconds
        while any(self.done[kind] < count for kind, count in wanted.items()):
            assert not self.errors, self.errors
            assert time.monotonic() < deadline, f"{self._name}: {self.done} instead of {wanted}"
            time.sleep(0.05)

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def check(self):
        """Nothing went wrong, and what is stored now is what was acknowledged last, of every key ever written."""
        assert not self.errors, self.errors
        assert not any(thread.is_alive() for thread in self._threads)
        sent, acknowledged = self.ledger.now()
        assert sent == acknowledged
        keys = list(acknowledged)
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            found = self._store.fetch(part)
            assert {key: version for key, (version, _) in found.items()} == {
                key: acknowledged[key] for key in part if not gone(acknowledged[key])
            }
            for key, (version, vector) in found.items():
                assert np.array_equal(vector, vector_of(key, version)), key

    def _write(self):
        rng = random.Random(self._seed)
        live = {}
        for first in itertools.count(0, 4):
            new = dict.fromkeys(range(first, first + 4), 0)
            with self.ledger.writing(new):
                self._store.upsert(new)
            live |= new
            yield
            changed = {key: live[key] + 2 for key in rng.sample(sorted(live), 2)}
            with self.ledger.writing(changed):
                rng.choice((self._store.upsert, self._store.update))(changed)
            live |= changed
            yield
            dead = {key: live.pop(key) + 1 for key in rng.sample(sorted(live), 1)}
            with self.ledger.writing(dead):
                self._store.delete(list(dead))
            yield

    def _search(self):
        rng = np.random.default_rng(self._seed)
        while True:
            asked, category = rng.standard_normal(SIZE, dtype=np.float32), int(rng.integers(CATEGORIES))
            _, before = self.ledger.now()
            hits = self._store.search(asked, category)
            after, _ = self.ledger.now()
            check_answer(hits, asked, category, before, after)
            yield


def check_answer(hits, asked, category, before, after):
    """Hits are rows as they were at some moment of the search, in order; no better row was left out."""
    for key, version, shown, score in hits:
        assert key % CATEGORIES == shown == category, (key, shown)
        assert not gone(version), (key, version)
        assert before.get(key, 0) <= version <= after[key], (key, before.get(key), version, after[key])
        assert np.isclose(score, distance(key, version, asked), rtol=1e-6), (key, version, score)
    order = [(score, key) for key, _, _, score in hits]
    assert order == sorted(order)
    assert len({key for _, key in order}) == len(order)
    still = {key: v for key, v in before.items() if after[key] == v and not gone(v) and key % CATEGORIES == category}
    required = {key for key, v in still.items() if len(hits) < BEST or distance(key, v, asked) < order[-1][0] - 1e-6}
    missing = required - {key for _, key in order}
    assert not missing, {key: (before[key], distance(key, before[key], asked), order[-1:]) for key in missing}
