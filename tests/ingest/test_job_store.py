"""The job table between threads, processes and versions."""

import multiprocessing
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
from job_samples import counting

from havengate.errors import EngineError, JobError
from ingest.jobs.model import Kind
from ingest.jobs.store import JobStore

KINDS = counting() | counting(name="other") | counting(name="building", writes="next")


@pytest.fixture
def now():
    return [1000.0]


@pytest.fixture
def store(tmp_path, now):
    store = JobStore(tmp_path / "data", lambda: now[0])
    yield store
    store.close()


def add(store, table="t", kind="counting", **params):
    return store.add(kind, table, params, "me")


def test_looking_leaves_no_trace(store, tmp_path):
    assert store.jobs() == []
    assert store.unfinished("counting", "t", {}) is None
    with pytest.raises(JobError, match="no job 7"):
        store.job(7)
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_there_is_not_cannot_be_asked(store, tmp_path):
    add(store)
    for number in (7, 1 << 63):
        with pytest.raises(JobError, match=f"no job {number}"):
            store.ask(number, "pause")
        assert not [*tmp_path.rglob(f"{number}.lock")]


def test_jobs_come_newest_first_by_table_and_state(store):
    first, second, third = add(store), add(store, "u"), add(store)
    store.ask(third.id, "pause")
    assert [job.id for job in store.jobs()] == [third.id, second.id, first.id]
    assert [job.id for job in store.jobs("t")] == [third.id, first.id]
    assert [job.id for job in store.jobs(state="paused")] == [third.id]
    assert [job.id for job in store.jobs(limit=1)] == [third.id]


def test_a_save_is_one_transaction(store):
    job, lease = store.take(add(store).id, KINDS)
    with pytest.raises(EngineError):
        store.save(job.id, {"no such field": 1}, rejects=[("a:1", None, "no")], keys=[("1", "a:1")])
    assert store.rejects(job.id) == []
    assert store.first_places(job.id, ["1"]) == {}
    saved = store.save(job.id, {"checkpoint": {"at": 3}, "read": 3}, rejects=[("a:1", None, "no")], keys=[("1", "a:2")])
    assert (saved.checkpoint, saved.counts.read) == ({"at": 3}, 3)
    assert [(r.place, r.pk, r.reason) for r in store.rejects(job.id)] == [("a:1", None, "no")]
    assert store.first_places(job.id, ["1", "2"]) == {"1": "a:2"}
    lease.release()


def test_a_full_disk_costs_one_save_and_leaves_the_one_before(store):
    job = add(store)
    store.save(job.id, {"checkpoint": {"at": 1}}, rejects=[("a:1", None, "no")])
    file = store._database._connection
    (pages,) = file.execute("PRAGMA page_count").fetchone()
    file.execute(f"PRAGMA max_page_count = {pages}")
    rejects = [(f"a:{n}", str(n), "no" * 1000) for n in range(100)]
    with pytest.raises(EngineError, match="disk is full"):
        store.save(job.id, {"checkpoint": {"at": 2}}, rejects=rejects)
    assert (store.job(job.id).checkpoint, len(store.rejects(job.id))) == ({"at": 1}, 1)
    file.execute("PRAGMA max_page_count = 100000")
    store.save(job.id, {"checkpoint": {"at": 2}}, rejects=rejects)
    assert (store.job(job.id).checkpoint, len(store.rejects(job.id))) == ({"at": 2}, 101)


def test_rejects_are_read_in_parts(store):
    job = add(store)
    store.save(job.id, {}, rejects=[(f"a:{n}", str(n), "no") for n in range(5)])
    first = store.rejects(job.id, limit=3)
    rest = store.rejects(job.id, after=first[-1].id)
    assert [reject.place for reject in first + rest] == [f"a:{n}" for n in range(5)]
    assert store.last_reject(job.id) == rest[-1].id
    assert store.last_reject(job.id + 1) == 0


def test_keys_are_of_one_job_and_gone_with_its_end(store):
    one, two = add(store), add(store)
    keys = [(str(n), f"a:{n}") for n in range(1200)]
    store.save(one.id, {}, keys=keys)
    assert store.first_places(one.id, [key for key, _ in keys]) == dict(keys)
    assert store.first_places(two.id, ["1"]) == {}
    store.finish(one.id, "done", "")
    assert store.first_places(one.id, ["1"]) == {}


def test_the_same_command_finds_its_job(store):
    add(store, source="a", most=1)
    job = add(store, source="b", most=1)
    assert store.unfinished("counting", "t", {"source": "b"}).id == job.id
    assert store.unfinished("counting", "t", {"source": "c"}) is None
    assert store.unfinished("counting", "u", {"source": "b"}) is None
    assert store.amend(job.id, {"most": 2}).params == {"source": "b", "most": 2}
    store.finish(job.id, "done", "")
    assert store.unfinished("counting", "t", {"source": "b"}) is None


def test_what_runs_is_asked_to_stop_at_its_next_checkpoint(store):
    job, lease = store.take(add(store).id, KINDS)
    assert store.is_held(job.id)
    assert store.ask(job.id, "pause").wanted == "pause"
    assert store.ask(job.id, "resume").wanted == ""
    assert store.ask(job.id, "cancel").wanted == "cancel"
    assert store.job(job.id).state == "running"
    lease.release()
    assert not store.is_held(job.id)


def test_what_does_not_run_changes_at_once(store):
    job = add(store)
    assert store.ask(job.id, "pause").state == "paused"
    assert store.claim(KINDS) is None
    assert store.ask(job.id, "resume").state == "queued"
    assert store.ask(job.id, "cancel").state == "cancelled"
    with pytest.raises(JobError, match=r"is cancelled: there is nothing to resume"):
        store.ask(job.id, "resume")


def test_a_job_that_has_begun_is_cancelled_by_whoever_runs_it(store):
    job, lease = store.take(add(store).id, KINDS)
    lease.release()
    asked = store.ask(job.id, "cancel")
    assert (asked.state, asked.wanted) == ("queued", "cancel")
    claimed, lease = store.claim(KINDS)
    assert claimed.wanted == "cancel"
    lease.release()


def test_a_failed_job_is_retried_from_its_checkpoint(store, now):
    job, lease = store.take(add(store).id, KINDS)
    store.save(job.id, {"checkpoint": {"at": 3}})
    lease.release()
    store.finish(job.id, "failed", "no", tries=5)
    with pytest.raises(JobError, match="has failed"):
        store.ask(job.id, "pause")
    assert store.claim(KINDS) is None
    retried = store.ask(job.id, "retry")
    assert (retried.state, retried.tries, retried.checkpoint) == ("queued", 0, {"at": 3})
    store.finish(job.id, "queued", "away", not_before=now[0] + 10)
    assert store.claim(KINDS) is None
    now[0] += 10
    claimed, lease = store.claim(KINDS)
    assert (claimed.id, claimed.attempts) == (job.id, 2)
    lease.release()


def test_of_jobs_that_write_one_generation_one_runs(store):
    first, second, next_one, elsewhere = (
        add(store),
        add(store, kind="other"),
        add(store, kind="building"),
        add(store, "u"),
    )
    claimed = [store.claim(KINDS) for _ in range(4)]
    assert [each and each[0].id for each in claimed] == [first.id, next_one.id, elsewhere.id, None]
    with pytest.raises(JobError, match=rf"job {second.id} waits for job {first.id} \(counting of t, .+ pid \d+\)"):
        store.take(second.id, KINDS)
    with pytest.raises(JobError, match=rf"job {first.id} is being run by .+ pid \d+"):
        store.take(first.id, KINDS)
    for _, lease in claimed[:3]:
        lease.release()


def test_what_nobody_knows_is_left_alone(store):
    job = add(store, kind="from the future")
    assert store.claim(KINDS) is None
    with pytest.raises(JobError, match="building, counting, other"):
        store.take(job.id, KINDS)


def test_many_claim_and_each_job_runs_once(store, tmp_path):
    jobs = {add(store, f"t{n}").id for n in range(40)}

    def claims(_):
        own, found = JobStore(tmp_path / "data", store.now), []
        while claimed := own.claim(KINDS):
            found.append(claimed)
        own.close()
        return found

    with ThreadPoolExecutor(4) as pool:
        found = [claimed for each in pool.map(claims, range(4)) for claimed in each]
    assert sorted(job.id for job, _ in found) == sorted(jobs)
    for _, lease in found:
        lease.release()


def hold(data_dir, said):
    kind = Kind("counting", "current", lambda *_: "")
    claimed = JobStore(data_dir).claim({"counting": kind})
    said.put(claimed[0].id)
    multiprocessing.Event().wait()


def test_a_dead_owner_is_followed_at_once(store, tmp_path):
    job, waiting = add(store), add(store)
    context = multiprocessing.get_context("spawn")
    said = context.Queue()
    owner = context.Process(target=hold, args=(tmp_path / "data", said))
    owner.start()
    try:
        assert said.get() == job.id
        assert f"pid {owner.pid}" in store.job(job.id).owner
        assert store.claim(KINDS) is None
    finally:
        owner.kill()
        owner.join()
    claimed, lease = store.claim(KINDS)
    assert (claimed.id, claimed.attempts) == (job.id, 2)
    assert store.ask(waiting.id, "pause").state == "paused"
    lease.release()


def test_only_what_ended_long_ago_is_forgotten(store, now, tmp_path):
    done, failed, fresh = add(store), add(store, "u"), add(store, "v")
    _, lease = store.take(done.id, KINDS)
    lease.release()
    store.save(done.id, {}, rejects=[("a", None, "no")])
    store.finish(done.id, "done", "")
    store.finish(failed.id, "failed", "")
    now[0] += 91 * 86_400
    store.finish(fresh.id, "done", "")
    assert store.prune(90) == 1
    assert [job.id for job in store.jobs()] == [fresh.id, failed.id]
    assert store.rejects(done.id) == []
    assert not (tmp_path / "data" / "jobs" / f"{done.id}.lock").exists()


def test_a_table_of_a_newer_version_is_refused(store, tmp_path):
    add(store)
    store.close()
    file = sqlite3.connect(tmp_path / "data" / "jobs.sqlite")
    with file:
        file.execute("UPDATE parts SET version = 99")
    file.close()
    with pytest.raises(JobError, match="version 99"):
        store.jobs()


def test_names_that_are_not_utf8_are_kept(store):
    job = add(store, source="caf\udce9")
    assert store.job(job.id).params == {"source": "caf\udce9"}


def test_a_file_that_is_no_database_is_one_line(store, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "jobs.sqlite").write_text("no database at all, but long enough to look like one" * 30)
    with pytest.raises(EngineError, match="the job table"):
        add(store)
