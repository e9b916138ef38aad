import threading
from concurrent.futures import wait

import pytest

from embedding.batcher import MicroBatcher
from havengate.errors import ModelError


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

    def make(size=4, deadline_s=0.0):
        batchers.append(MicroBatcher("test", recorder, size, deadline_s))
        return batchers[-1]

    yield make
    recorder.release()
    for batcher in batchers:
        batcher.close()


def test_answers_come_back_in_the_order_of_the_items(make_batcher, recorder):
    recorder.release()
    futures = make_batcher().submit([3, 1, 2, 5, 4])
    assert [future.result(30) for future in futures] == [9, 1, 4, 25, 16]


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
    batcher = MicroBatcher("test", lambda items: items * 2 if items == [1] else items, 1, 0.0)
    with pytest.raises(ValueError, match="zip"):
        batcher.submit([1])[0].result(30)
    assert batcher.submit([2])[0].result(30) == 2
    batcher.close()


def test_closing_answers_what_was_submitted_and_refuses_more(recorder):
    batcher = MicroBatcher("closing", recorder, 2, 0.0)
    futures = batcher.submit([1, 2, 3])
    recorder.release()
    batcher.close()
    assert [future.result(0) for future in futures] == [1, 4, 9]
    assert "closing" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ModelError, match="closed"):
        batcher.submit([4])
