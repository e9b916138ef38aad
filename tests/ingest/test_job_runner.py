"""What becomes of a job that is done, cannot go on, or is told to stop; and the worker that runs many."""

import os
import signal
import threading

import pytest
from job_samples import counting

from havengate.errors import EngineError, JobError, ModelAway, SourceAway, SourceChanged
from ingest.history_store import HistoryStore
from ingest.jobs.control import JobControl, quiet
from ingest.jobs.foreground import run_in_foreground
from ingest.jobs.model import Paused
from ingest.jobs.runner import Runner, Stop
from ingest.jobs.store import JobStore
from ingest.jobs.worker import Worker


@pytest.fixture
def now():
    return [1000.0]


@pytest.fixture
def store(services, now):
    store = JobStore(services.settings.data_dir, lambda: now[0])
    yield store
    store.close()


@pytest.fixture
def changes(services, now):
    changes = HistoryStore(services.settings.data_dir, now=lambda: now[0])
    yield changes
    changes.close()


@pytest.fixture
def run(services, changes, store):
    def run(job, kinds, **options):
        return Runner(services, changes, store, kinds).run(job.id, **options)

    return run


@pytest.fixture
def job(store):
    return store.add("counting", "t", {"until": 3}, "me")


def failing(*errors):
    """Kinds whose runs raise these, one after the other, and then are done."""
    left = list(errors)

    def run(_services, _changes, control):
        control.save({"begun": True}) if not control.job.checkpoint else control.save()
        if left:
            raise left.pop(0)
        return "done at last"

    return counting(run)


def test_a_job_is_run_to_its_end_and_told_of(run, job, changes, store):
    told = []
    done = run(job, counting(), show=told.append)
    assert (done.state, done.message, done.checkpoint, done.owner) == ("done", "counted", {"number": 3}, "")
    assert [each.done for each in told] == [0, 1, 2, 3, 3]
    (entry,) = changes.entries()
    assert (entry.what, entry.table, entry.by, entry.job, entry.state) == ("counting", "t", "me", job.id, "done")
    assert (entry.progress, entry.detail["message"], entry.ended) == (1.0, "counted", done.ended)
    assert not store.is_held(job.id)
    with pytest.raises(JobError, match="is done"):
        run(job, counting())


def test_what_may_pass_is_tried_again_after_longer_and_longer_pauses(run, job, now):
    kinds = failing(SourceAway("one"), ModelAway("two"), EngineError("three"))
    run_once = [run(job, kinds)]
    for _ in range(3):
        now[0] = run_once[-1].not_before
        run_once.append(run(job, kinds))
    assert [each.state for each in run_once] == ["queued", "queued", "queued", "done"]
    assert [each.message for each in run_once] == ["one", "two", "three", "done at last"]
    assert [each.tries for each in run_once[:3]] == [1, 2, 3]
    pauses = [after.not_before - before for after, before in zip(run_once[:3], (1000, 1002, 1006), strict=True)]
    assert pauses == [2, 4, 8]


def test_a_job_that_gets_on_may_be_tried_for_ever(run, job):
    def run_on(_services, _changes, control):
        control.save({"number": control.job.checkpoint.get("number", 0) + 1})
        if control.job.checkpoint["number"] == 20:
            return "there"
        raise SourceAway("again")

    states = [run(job, counting(run_on)).state for _ in range(20)]
    assert states == ["queued"] * 19 + ["done"]


def test_one_that_does_not_get_on_fails_and_can_be_retried(run, job, store, services):
    attempts = services.settings.jobs.attempts
    kinds = failing(*[SourceAway("away") for _ in range(attempts)])
    states = [run(job, kinds).state for _ in range(attempts)]
    assert states == ["queued"] * (attempts - 1) + ["failed"]
    assert store.job(job.id).message == f"away ({attempts} attempts)"
    assert store.ask(job.id, "retry").tries == 0
    assert run(job, kinds).state == "done"


@pytest.mark.parametrize(
    ("error", "message"),
    [(SourceChanged("the file is another"), "the file is another"), (KeyError("x"), "unexpected KeyError: 'x'")],
)
def test_what_does_not_pass_fails_at_once(run, job, changes, error, message):
    failed = run(job, failing(error))
    assert (failed.state, failed.message, failed.owner) == ("failed", message, "")
    (entry,) = changes.entries()
    assert (entry.state, entry.detail["message"]) == ("failed", message)


def test_one_that_takes_its_process_with_it_fails_in_the_end(services, changes, store, job, run):
    kinds, attempts = counting(), services.settings.jobs.attempts
    for _ in range(attempts):
        _, lease = store.claim(kinds)
        lease.release()
    failed = Runner(services, changes, store, kinds).run_next()
    assert (failed.state, failed.attempts) == ("failed", attempts + 1)
    assert f"{attempts} times" in failed.message
    assert [entry.state for entry in changes.entries()] == ["failed"]
    assert run(job, kinds).state == "done"


@pytest.mark.usefixtures("job")
def test_deaths_on_the_way_are_none_at_one_place(services, changes, store):
    for number in range(2 * services.settings.jobs.attempts):
        died, lease = store.claim(counting())
        JobControl(store, died, quiet, threading.Event()).save({"number": number % 3})
        lease.release()
    assert Runner(services, changes, store, counting()).run_next().state == "done"


@pytest.mark.parametrize(("asked", "state"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_job_stops_where_it_is_asked_to(run, job, store, asked, state):
    undone = []
    told = lambda each: each.done == 2 and not each.wanted and each.state == "running" and store.ask(job.id, asked)  # noqa: E731
    stopped = run(job, counting(abandon=lambda *given: undone.append(given[-1].id)), show=told)
    assert (stopped.state, stopped.checkpoint, stopped.wanted) == (state, {"number": 3}, "")
    assert undone == ([job.id] if asked == "cancel" else [])
    if asked == "pause":
        assert run(job, counting()).state == "done"


def test_a_cancelled_job_is_tidied_up_by_whoever_takes_it(run, job, store):
    run(job, failing(SourceAway("away")))
    store.ask(job.id, "cancel")
    tries = [EngineError("not now"), None]

    def abandon(*_):
        if error := tries.pop(0):
            raise error

    kinds = counting(lambda *_: pytest.fail("it was cancelled"), abandon)
    assert (run(job, kinds).state, store.job(job.id).wanted) == ("queued", "cancel")
    assert run(job, kinds).state == "cancelled"


@pytest.mark.parametrize("leaves", ["queued", "paused"])
def test_a_job_whose_runner_has_to_go_stays(run, job, leaves):
    stop = Stop(threading.Event(), leaves)
    stopped = run(job, counting(), show=lambda each: each.done == 1 and stop.event.set(), stop=stop)
    assert (stopped.state, stopped.checkpoint) == (leaves, {"number": 1})
    assert run(job, counting()).checkpoint == {"number": 3}


def test_an_entry_goes_on_with_its_job(run, job, changes):
    kinds = failing(SourceAway("away"), Paused())
    states = []
    for _ in range(3):
        run(job, kinds)
        states += [entry.state for entry in changes.entries()]
    assert states == ["queued", "paused", "done"]


def test_a_full_disk_is_like_a_death(run, job, store, monkeypatch):
    def full(*_, **__):
        raise EngineError("the job table: database or disk is full")

    def run_into_it(_services, _changes, control):
        control.save({"number": 1})
        monkeypatch.setattr(store, "save", full)
        control.save({"number": 2})

    with pytest.raises(EngineError, match="disk is full"):
        run(job, counting(run_into_it))
    assert (store.job(job.id).state, store.is_held(job.id)) == ("running", False)
    monkeypatch.undo()
    assert run(job, counting()).checkpoint == {"number": 3}


def test_rejects_come_with_their_checkpoint(run, job, store):
    def reject(_services, _changes, control):
        control.reject("a:1", "1", "bad")
        assert store.rejects(job.id) == []
        assert control.first_places([("1", "a:1"), ("2", "a:2")]) == {}
        control.save({"at": 2})
        assert control.first_places([("2", "a:3"), ("3", "a:3")]) == {"2": "a:2"}
        control.reject("caf\udce9", "\udce9", "no UTF-8")
        raise SourceAway("away")

    run(job, counting(reject))
    assert [(each.place, each.pk) for each in store.rejects(job.id)] == [("a:1", "1")]
    assert store.first_places(job.id, ["1", "2", "3"]) == {"1": "a:1", "2": "a:2"}


def test_in_the_foreground_a_pause_is_waited_for_and_a_signal_pauses(run, job, now, store):
    waits, before = [], signal.getsignal(signal.SIGTERM)

    def wait(waiting, seconds):
        waits.append((waiting.message, pytest.approx(seconds)))

    kinds = failing(SourceAway("away"))
    done = run_in_foreground(lambda stop: run(job, kinds, stop=stop), wait, lambda: now[0] + 1.999)
    assert (done.state, waits) == ("done", [("away", 0.001)])
    again = store.add("counting", "t", {"until": 3}, "me")
    signalled = lambda each: (each.state, each.done) == ("running", 1) and os.kill(os.getpid(), signal.SIGTERM)  # noqa: E731
    paused = run_in_foreground(lambda stop: run(again, counting(), stop=stop, show=signalled), wait, lambda: now[0])
    assert paused.state == "paused"
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.fixture
def worker(services, changes, store):
    workers = []

    def start(kinds, show=lambda _: None):
        # It looks only when it is woken.
        workers.append(Worker(services, changes, store, kinds, show=show, look_s=3600))
        workers[-1].start()
        return workers[-1]

    yield start
    for each in workers:
        assert each.stop()


def test_a_worker_runs_what_there_is_and_what_comes(worker, store, job):
    ended = threading.Semaphore(0)
    other = store.add("counting", "t", {"until": 1}, "me")
    started = worker(counting(), show=lambda each: each.state == "done" and ended.release())
    for _ in range(2):
        assert ended.acquire(timeout=30)
    assert [store.job(each.id).state for each in (job, other)] == ["done", "done"]
    late = store.add("counting", "t", {"until": 1}, "me")
    started.wake()
    assert ended.acquire(timeout=30)
    assert store.job(late.id).state == "done"


def test_a_worker_that_stops_leaves_its_job_queued(worker, store, job):
    reached, go_on = threading.Event(), threading.Event()

    def run(_services, _changes, control):
        control.save({"number": 1})
        reached.set()
        assert go_on.wait(30)
        control.save({"number": 2})
        return "not stopped"

    started = worker(counting(run))
    assert reached.wait(30)
    stopper = threading.Thread(target=started.stop)
    stopper.start()
    go_on.set()
    stopper.join()
    assert (store.job(job.id).state, store.job(job.id).checkpoint) == ("queued", {"number": 2})


def test_a_worker_outlives_a_job_table_that_cannot_be_read(worker, store, job, monkeypatch):
    ended, asked = threading.Event(), threading.Event()
    claim = store.claim

    def away(_):
        monkeypatch.setattr(store, "claim", claim)
        asked.set()
        raise EngineError("the job table is away")

    monkeypatch.setattr(store, "claim", away)
    started = worker(counting(), show=lambda each: each.state == "done" and ended.set())
    assert asked.wait(30)
    while not ended.wait(0.05):
        started.wake()
    assert store.job(job.id).state == "done"
