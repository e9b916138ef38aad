import threading
from concurrent.futures import wait
from contextvars import copy_context

import pytest

from embedding.batcher import MicroBatcher
from havengate.errors import ModelError, Overloaded
from havengate.request_id import REQUEST_ID


class Recorder:
    """Squares numbers, holds every batch until told to go on, and refuses 13."""

    def __init__(self):
        self.batches = []
        self.started = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def __call__(self, items):
        self.batches.append(list(items))
        self.started.release()
        assert self.go.acquire(timeout=30)
        if 13 in items:
            raise ValueError("13")
        return [n * n for n in items]

    def release(self, times=1000):
        self.go.release(times)


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def make_batcher(recorder):
    batchers = []

    def make(size=4, deadline_s=0.0, most=100, threads=1):
        batchers.append(MicroBatcher("test", recorder, size, deadline_s, most, threads=threads))
        return batchers[-1]

    yield make
    recorder.release()
    for batcher in batchers:
        batcher.close()


def test_answers_come_back_in_the_order_of_the_items(make_batcher, recorder):
    recorder.release()
    futures = make_batcher().submit([3, 1, 2, 5, 4])
    assert [future.result(30) for future in futures] == [9, 1, 4, 25, 16]


def test_a_batch_has_the_ids_of_all_requests_that_it_serves(make_batcher, recorder, monkeypatch):
    seen = []
    batcher = make_batcher(size=3)
    monkeypatch.setattr(batcher, "_run", lambda items: [seen.append(REQUEST_ID.get()), *recorder(items)][1:])
    futures = []
    for number, request_id in enumerate(["first", "a", "b", "a", ""]):
        copy_context().run(lambda: (REQUEST_ID.set(request_id), futures.extend(batcher.submit([number]))))  # noqa: B023
        if number == 0:
            assert recorder.started.acquire(timeout=30)
    recorder.release()
    wait(futures, 30)
    assert seen == ["first", "a,b", ""]


def test_several_threads_run_a_batch_each(make_batcher, recorder):
    futures = make_batcher(size=2, threads=2).submit([1, 2, 3, 4, 5])
    for _ in range(2):
        assert recorder.started.acquire(timeout=30)
    assert not any(future.done() for future in futures)
    recorder.release()
    assert [future.result(30) for future in futures] == [1, 4, 9, 16, 25]


def test_what_arrives_during_a_batch_goes_together_in_batches_of_at_most_the_size(make_batcher, recorder):
    batcher = make_batcher(size=4)
    futures = batcher.submit([0])
    assert recorder.started.acquire(timeout=30)
    for n in range(1, 7):
        futures += batcher.submit([n])
    recorder.release()
    wait(futures, 30)
    assert recorder.batches == [[0], [1, 2, 3, 4], [5, 6]]


def test_a_lone_caller_does_not_wait_for_the_deadline(make_batcher, recorder):
    recorder.release()
    batcher = make_batcher(deadline_s=600)
    for n in range(3):
        assert batcher.submit([n])[0].result(30) == n * n


def test_callers_who_came_together_are_waited_for_next_time(make_batcher, recorder):
    recorder.release()
    batcher = make_batcher(deadline_s=600)
    wait(batcher.submit([1, 2]), 30)
    futures = batcher.submit([3])
    wait(futures, 0.05)
    assert recorder.batches == [[1, 2]]
    futures += batcher.submit([4])
    assert [future.result(30) for future in futures] == [9, 16]
    assert recorder.batches == [[1, 2], [3, 4]]


def test_the_deadline_ends_the_wait(make_batcher, recorder):
    recorder.release()
    batcher = make_batcher(deadline_s=0.01)
    wait(batcher.submit([1, 2]), 30)
    assert batcher.submit([3])[0].result(30) == 9


def test_an_item_that_fails_takes_nobody_with_it(make_batcher, recorder):
    batcher = make_batcher()
    first = batcher.submit([0])
    assert recorder.started.acquire(timeout=30)
    good, bad, other = (batcher.submit([n])[0] for n in (2, 13, 3))
    recorder.release()
    assert (first[0].result(30), good.result(30), other.result(30)) == (0, 4, 9)
    with pytest.raises(ValueError, match="13"):
        bad.result(30)


def test_the_thread_outlives_an_answer_of_the_wrong_length():
    batcher = MicroBatcher("test", lambda items: items * 2 if items == [1] else items, 1, 0.0, 9)
    with pytest.raises(ValueError, match="zip"):
        batcher.submit([1])[0].result(30)
    assert batcher.submit([2])[0].result(30) == 2
    batcher.close()


def test_closing_answers_what_was_submitted_and_refuses_more(recorder):
    batcher = MicroBatcher("closing", recorder, 2, 0.0, 9)
    futures = batcher.submit([1, 2, 3])
    recorder.release()
    batcher.close()
    assert [future.result(0) for future in futures] == [1, 4, 9]
    assert "closing" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ModelError, match="closed"):
        batcher.submit([4])


@pytest.fixture
def full(make_batcher, recorder):
    """A batcher of three places, with one item running and three waiting, and their futures."""
    batcher = make_batcher(size=2, most=3)
    running = batcher.submit([0])
    assert recorder.started.acquire(timeout=30)
    return batcher, [*running, *batcher.submit([1, 2, 3])]


def test_who_finds_the_queue_full_is_turned_away_and_costs_the_others_nothing(full, recorder):
    batcher, futures = full
    with pytest.raises(Overloaded, match="3 are waiting, the most is 3") as caught:
        batcher.submit([4])
    assert (caught.value.http_status, caught.value.retry_after_s) == (429, 1)
    recorder.release()
    assert [future.result(30) for future in futures] == [0, 1, 4, 9]
    assert batcher.submit([4])[0].result(30) == 16


def test_several_items_are_taken_together_or_not_at_all(make_batcher, recorder):
    batcher = make_batcher(most=3)
    futures = batcher.submit([0])
    assert recorder.started.acquire(timeout=30)
    futures += batcher.submit([1, 2])
    with pytest.raises(Overloaded):
        batcher.submit([3, 4])
    recorder.release()
    assert [future.result(30) for future in futures] == [0, 1, 4]
    assert [4] not in recorder.batches
    assert all(3 not in batch for batch in recorder.batches)


def test_a_caller_that_gave_up_makes_room_and_its_item_does_not_run(full, recorder):
    batcher, futures = full
    assert futures[2].cancel()
    futures += batcher.submit([5])
    recorder.release()
    assert [future.result(30) for future in futures if not future.cancelled()] == [0, 1, 9, 25]
    assert recorder.batches == [[0], [1, 3], [5]]


def test_the_thread_outlives_a_batch_that_all_callers_gave_up(full, recorder):
    batcher, futures = full
    assert all(future.cancel() for future in futures[1:])
    recorder.release()
    assert batcher.submit([6])[0].result(30) == 36


def test_an_item_that_runs_cannot_be_given_up(full, recorder):
    _, futures = full
    assert not futures[0].cancel()
    recorder.release()
    assert futures[0].result(30) == 0
