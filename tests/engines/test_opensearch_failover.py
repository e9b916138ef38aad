"""A node killed under a rebuild and its writers: every acknowledged write is in the generation that takes over."""

from __future__ import annotations

import itertools
import threading

import pytest
from engine_rebuild import copy, current, finish
from engine_samples import CHANGED, make_row, make_spec

from engines.opensearch.engine import OpenSearchEngine
from havengate.errors import EngineError
from havengate.setting_groups import EngineSettings

KEYS = 40


@pytest.fixture
def engine(opensearch_cluster):
    hosts = ",".join(opensearch_cluster.urls)
    settings = EngineSettings(hosts=hosts, shards=3, replicas="1", index_prefix="failover-", timeout_s=60)
    with OpenSearchEngine.open(settings) as engine:
        engine.create_table(make_spec())
        yield engine
        engine.drop_table("t")


class Writer:
    """Writes and deletes rows of its own, each again until it is acknowledged."""

    def __init__(self, engine, first):
        self.engine, self.first = engine, first
        self.there: dict[str, str] = {}
        self.touched: set[str] = set()
        self.stop, self.acknowledged = threading.Event(), threading.Semaphore(0)
        self.thread = threading.Thread(target=self.run)

    def run(self):
        for turn in itertools.takewhile(lambda _: not self.stop.is_set(), itertools.count()):
            key = str(self.first + turn % KEYS)
            insist(lambda key=key, turn=turn: self.write(key, turn))
            self.touched.add(key)
            self.acknowledged.release()

    def write(self, key, turn):
        if turn % 4:
            self.engine.upsert("t", [make_row(int(key), (turn % 7, 0), s=str(turn))])
            self.there[key] = str(turn)
        else:
            self.engine.delete("t", [key])
            self.there.pop(key, None)

    def wait_for(self, writes):
        for _ in range(writes):
            assert self.acknowledged.acquire(timeout=120)


def insist(call):
    """As a job does, for which a node that is away passes."""
    for _ in range(100):
        try:
            return call()
        except EngineError:
            continue
    return call()


def test_a_killed_cluster_manager_hides_no_write_from_a_rebuild(opensearch_cluster, engine):
    writers = [Writer(engine, 1000 * number) for number in (1, 2)]
    for writer in writers:
        writer.thread.start()
    try:
        for writer in writers:
            writer.wait_for(30)
        mark = engine.mark("t")
        built = engine.build_generation("t", make_spec(schema=CHANGED))
        # A shard whose copy is still on its way goes with its node, and comes back with it.
        opensearch_cluster.wait_until_green()
        for writer in writers:
            writer.touched.clear()
            writer.wait_for(10)
        place = opensearch_cluster.manager()
        opensearch_cluster.kill(place)
        try:
            for writer in writers:
                writer.wait_for(20)
            seen = {writer: set(writer.touched) for writer in writers}
            touched = set(insist(lambda: engine.touched("t", mark)))
            assert all(keys <= touched for keys in seen.values())
            insist(lambda: copy(engine, "t", f"t@{built}"))
        finally:
            opensearch_cluster.restart(place)
        insist(lambda: finish(engine, "t@g1", built, mark))
        assert current(engine) == built
        for writer in writers:
            writer.wait_for(10)
    finally:
        for writer in writers:
            writer.stop.set()
            writer.thread.join()
    opensearch_cluster.wait_until_green()
    found = {row.pk: row.fields["s"] for row in engine.scan("t", None, 1000)}
    assert found == {**writers[0].there, **writers[1].there}
