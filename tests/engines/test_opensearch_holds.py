"""Writes held back: by every shard, as long as whoever does it lives, and by exactly one of those who contend."""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack

import pytest
from engine_rebuild import rebuild
from engine_samples import CHANGED, make_row, make_spec
from opensearch_server.proxy import Proxy
from opensearchpy import exceptions

from engines.opensearch.engine import OpenSearchEngine
from engines.opensearch.names import Names
from havengate.errors import Busy, EngineError
from havengate.setting_groups import EngineSettings
from schemas.settings import TableSettings


@pytest.fixture
def settings(opensearch_url):
    return EngineSettings(hosts=opensearch_url, index_prefix=f"test-{uuid.uuid4().hex[:12]}-", timeout_s=60)


@pytest.fixture
def engine(settings):
    """Table t with rows 0 to 4, and beside it an empty g2."""
    with OpenSearchEngine.open(settings) as engine:
        engine.create_table(make_spec())
        engine.upsert("t", [make_row(key, (key, 0), s=str(key), f=0.1) for key in range(5)])
        engine.build_generation("t", make_spec(schema=CHANGED))
        yield engine
        engine.drop_table("t")


@pytest.fixture
def other(settings):
    with OpenSearchEngine.open(settings) as other:
        yield other


@pytest.fixture
def proxy(opensearch_url):
    with Proxy(opensearch_url) as proxy:
        yield proxy


@pytest.fixture
def hindered(settings, engine, proxy):  # noqa: ARG001  its table
    """The same through the proxy."""
    with OpenSearchEngine.open(settings.model_copy(update={"hosts": proxy.url, "timeout_s": 20})) as hindered:
        yield hindered


def current(engine):
    (found,) = [each.name for each in engine.generations("t") if each.current]
    return found


def heal(other, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("engines.opensearch.stored.LIFELESS_S", 0)
        other.upsert("t", [make_row(9, (9, 0), f=0.1)])


def test_a_swap_whose_hold_others_ended_is_not_made(engine, other, monkeypatch):
    with pytest.raises(Busy, match="no sign of life"):
        engine.use_generation("t", "g2", lambda: heal(other, monkeypatch))
    assert current(engine) == "g1"
    engine.upsert("t", [make_row(10, (10, 0))])
    assert engine.stats("t").rows == 7


def test_a_call_during_which_others_ended_the_hold_was_not_of_one_moment(engine, other, monkeypatch):
    with pytest.raises(Busy, match="no sign of life"):
        engine.hold("t", lambda: heal(other, monkeypatch))
    assert engine.stats("t").rows == 6


def test_whoever_was_given_up_leaves_the_hold_of_the_next_one(engine, other, monkeypatch):
    def next_one():
        with monkeypatch.context() as patch:
            patch.setattr("engines.opensearch.stored.LIFELESS_S", 0)
            other._holds.require_free("t")
        holding.enter_context(other._holds.held(other._catalog.current("t")))

    holding = ExitStack()
    with pytest.raises(Busy, match="no sign of life"):
        engine.use_generation("t", "g2", next_one)
    now = engine._catalog.read("t")
    assert (now.generation, now.held, now.blocked) == ("g1", True, True)
    with pytest.raises(ZeroDivisionError), holding:
        raise ZeroDivisionError
    now = engine._catalog.read("t")
    assert (now.held, now.blocked) == (False, False)


def test_a_hold_is_alive_as_long_as_its_holder(engine, other, monkeypatch):
    """The clock goes on by a minute between any two signs of life: without them, the hold would be over."""
    monkeypatch.setattr("engines.opensearch.holds._BEAT_S", 0.05)
    seconds = iter(range(1_000_000, 2_000_000, 60))
    monkeypatch.setattr("engines.opensearch.holds.time.time", lambda: next(seconds))
    seen = set()

    def watch():
        deadline = time.monotonic() + 30
        while len(seen) < 3 and time.monotonic() < deadline:
            seen.add(other._catalog.read("t").held_since)

    engine.hold("t", watch)
    assert len(seen) == 3
    assert other._catalog.read("t").held_since is None


def test_a_holder_that_cannot_say_that_it_lives_goes_on(engine, other, monkeypatch, caplog):
    monkeypatch.setattr("engines.opensearch.holds._BEAT_S", 0.01)
    exchange, failed = engine._holds.exchange, []

    def fail(stored, old, new, also):
        if old == new:
            failed.append(old)
            raise exceptions.TransportError(503, "no node", {})
        exchange(stored, old, new, also)

    monkeypatch.setattr(engine._holds, "exchange", fail)

    def last():
        deadline = time.monotonic() + 30
        while not failed and time.monotonic() < deadline:
            other.fetch("t", ["1"])

    engine.use_generation("t", "g2", last)
    assert current(engine) == "g2"
    assert "no sign of life of its hold" in caplog.text


def test_writes_are_not_held_back_where_a_shard_did_not_answer(engine, monkeypatch):
    answer = {"acknowledged": True, "shards_acknowledged": False, "indices": [{"name": "t", "blocked": False}]}
    with monkeypatch.context() as patch:
        patch.setattr(engine._client.indices, "add_block", lambda **_: answer)
        for call in (
            lambda: engine.use_generation("t", "g2", lambda: pytest.fail("writes go on")),
            lambda: engine.hold("t", lambda: pytest.fail("writes go on")),
        ):
            with pytest.raises(EngineError, match="some shards did not answer"):
                call()
    assert current(engine) == "g1"
    engine.upsert("t", [make_row(9, (9, 0), f=0.1)])


def test_a_hold_that_could_not_be_ended_is_ended_by_the_next_writer(engine, monkeypatch, caplog):
    def fail(*_):
        raise exceptions.TransportError(503, "no node", {})

    with monkeypatch.context() as patch:
        patch.setattr(engine._holds, "lift", fail)
        with pytest.raises(ZeroDivisionError):
            engine.use_generation("t", "g2", lambda: 1 // 0)
    assert "writes are held back for another 60 s" in caplog.text
    heal(engine, monkeypatch)
    assert engine.stats("t").rows == 6


def test_a_block_that_goes_while_writes_are_held_lets_no_writer_in(engine, other, settings):
    """Whoever lifts it late, having found a hold dead that was somebody else's."""

    def last():
        other._holds.lift(other._catalog.read("t").index)
        with OpenSearchEngine.open(settings.model_copy(update={"timeout_s": 0.5})) as hasty:
            for call in (
                lambda: hasty.upsert("t", [make_row(9, (9, 0))]),
                lambda: hasty.delete("t", ["1"]),
            ):
                with pytest.raises(Busy):
                    call()

    before = other._catalog.opened("t")
    engine.use_generation("t", "g2", last)
    other._catalog._known["t"] = (float("inf"), before)
    other.upsert("t", [make_row(9, (9, 0))])
    assert set(engine.fetch("t", ["9"])) == {"9"}
    assert set(engine.fetch("t@g1", ["1", "9"])) == {"1"}


def test_a_block_of_somebody_else_is_left_alone(engine, other):
    index = engine._catalog.read("t").index
    engine._client.indices.add_block(index=index, block="write")
    for call in (
        lambda: engine.hold("t", lambda: pytest.fail("it may be lifted at any time")),
        lambda: engine.use_generation("t", "g2"),
        lambda: engine.upsert("t", [make_row(1)]),
        lambda: engine.upsert("t@g1", [make_row(1)]),
    ):
        with pytest.raises(EngineError, match="somebody else set"):
            call()
    assert other._catalog.read("t").blocked


def test_settings_set_while_another_generation_takes_over_are_its_own(engine, other, monkeypatch):
    put = engine._client.indices.put_mapping
    swapped = []

    def late(**arguments):
        if not swapped:
            swapped.append(other.use_generation("t", "g2"))
        return put(**arguments)

    monkeypatch.setattr(engine._client.indices, "put_mapping", late)
    engine.set_settings("t", TableSettings(strict=True))
    assert other.table("t@g2").settings == TableSettings(strict=True)


def times(what, number, *parts):
    """Trouble of that many requests whose path has one of the parts, from the first on."""
    left = [what] * number
    return lambda path: left.pop() if left and any(part in path for part in parts) else None


@pytest.mark.parametrize("what", ["drop", "lose", (503, {})])
@pytest.mark.parametrize("way", ["use", "hold"])
def test_a_lost_answer_of_a_hold_or_a_swap_changes_nothing_of_what_they_do(engine, hindered, proxy, what, way):
    troubled = times(what, 1, "_aliases")
    calls = []

    def call():
        calls.append(way)
        proxy.trouble = times(what, 1, "_aliases")

    proxy.trouble = troubled
    if way == "use":
        hindered.use_generation("t", "g2", call)
    else:
        hindered.hold("t", call)
    assert calls == [way]
    assert current(engine) == ("g2" if way == "use" else "g1")
    assert not engine._catalog.read("t").held
    engine.upsert("t", [make_row(9, (9, 0))])


def test_a_swap_that_nobody_answers_is_made_or_not_and_never_later(engine, hindered, proxy):
    """Each request is lost on its way, and the hold's end too, so that it is not made."""

    def last():
        proxy.trouble = lambda path: "drop" if "_aliases" in path else None

    with pytest.raises(EngineError, match="cannot be reached"):
        hindered.use_generation("t", "g2", last)
    assert current(engine) == "g1"
    assert engine._catalog.read("t").held


def test_a_swap_whose_every_answer_is_lost_is_made(engine, hindered, proxy):
    def last():
        proxy.trouble = lambda path: "lose" if "_aliases" in path else None

    hindered.use_generation("t", "g2", last)
    assert current(engine) == "g2"
    engine.upsert("t", [make_row(9, (9, 0))])


def test_rows_that_were_to_be_shown_later_are_shown_by_the_swap(settings, engine, monkeypatch):
    monkeypatch.setattr("engines.opensearch.refresh.LATEST_S", 600)
    with OpenSearchEngine.open(settings.model_copy(update={"refresh": "none"})) as loader:
        loader.upsert("t", [make_row(6, (6, 0))])
        loader.upsert("t@g2", [make_row(7, (7, 0))])
        engine.use_generation("t", "g2")
        assert set(engine.fetch("t", ["7"])) == {"7"}
        assert set(engine.fetch("t@g1", ["6"])) == {"6"}


def test_signs_of_life_are_read_from_the_names_of_aliases():
    names = Names("p-")
    assert names.held_alias("t", 17) == "p-t.held.17"
    told = {("p-t", "p-t.g1"): None, ("p-t.held",): 0.0, ("p-t.held.17", "p-t.held.16"): 17.0, ("p-u.held.1",): None}
    assert {aliases: names.held_since("t", aliases) for aliases in told} == told


@pytest.mark.usefixtures("engine")
def test_rebuilds_leave_two_aliases_for_each_generation(other):
    other.drop_generation("t", "g2")
    rebuild(other, make_spec(schema=CHANGED))
    for stored, aliases in ((other._catalog.read(f"t@{each}"), count) for each, count in (("g1", 1), ("g2", 2))):
        assert len(other._client.indices.get_alias(index=stored.index)[stored.index]["aliases"]) == aliases
