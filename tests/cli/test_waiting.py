"""What a command says of the job that it waits for, wherever that runs."""

import threading

import click
import pytest
from colour_model import picture

from havengate.cli.waiting import finished, tell
from havengate.errors import EngineError, JobError
from ingest.jobs.worker import Worker
from ingest.kinds import KINDS
from ingest.table_administration import LocalAdministration, open_administration

JOB = {
    "id": 3,
    "table": "t",
    "state": "done",
    "message": "2 rows in, 0 rejected",
    "phase": "ingest",
    "done": 2,
    "total": 2,
    "counts": {"read": 2, "written": 2, "deleted": 0, "rejected": 0},
    "report": {},
    "rejects_file": None,
}


class Desk:
    """Gives out a job's states one after the other, errors among them."""

    def __init__(self, *states, rejects=()):
        self._states = list(states)
        self._rejects = list(rejects)

    def job(self, number):
        assert number == 3
        state = self._states.pop(0)
        if isinstance(state, BaseException):
            raise state
        return state

    def rejects(self, number, *, after=0):
        assert number == 3
        return [reject for reject in self._rejects if reject["id"] > after]


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for colour in ("red", "green", "blue"):
        (folder / f"{colour}.png").write_bytes(picture(colour))
    return folder


@pytest.fixture
def desk(services):
    opened = open_administration(services, "cli:ada")
    yield opened
    opened.close()


def rejected(count, **other):
    return {**JOB, "counts": {**JOB["counts"], "rejected": count}, **other}


def test_a_watched_job_shows_each_reject_once(capsys):
    rejects = [{"id": n, "place": f"line {n}", "pk": None, "reason": "bad"} for n in (4, 5)]
    desk = Desk(rejected(1, state="running"), rejected(2, state="running"), rejected(2), rejects=rejects)
    assert finished(desk, {**JOB, "state": "queued"})["state"] == "done"
    said = capsys.readouterr().err
    assert [said.count(f"rejected line {n}: bad") for n in (4, 5)] == [1, 1]


def test_rejects_of_an_earlier_attempt_are_not_shown_again(capsys):
    desk = Desk(rejected(1), rejects=[{"id": 4, "place": "line 4", "pk": "7", "reason": "bad"}])
    finished(desk, rejected(1, state="running"))
    assert "line 4" not in capsys.readouterr().err


def test_a_job_that_waits_for_a_service_says_so_once(capsys):
    waiting = {**JOB, "state": "queued", "message": "the bucket is away"}
    finished(Desk(waiting, waiting, JOB), {**JOB, "state": "running"})
    assert capsys.readouterr().err.count("the bucket is away; it is tried again") == 1


def test_a_server_that_goes_away_leaves_the_job():
    with pytest.raises(EngineError, match="gone; job 3 goes on when the folder is served again"):
        finished(Desk(EngineError("gone")), {**JOB, "state": "running"})


def test_a_job_that_a_server_was_faster_to_take_is_watched(desk, services, photos, pictures):
    reading, go_on = threading.Event(), threading.Event()

    class Watching(LocalAdministration):
        def job(self, number):
            go_on.set()
            return super().job(number)

    def show(_job):
        reading.set()
        assert go_on.wait(60)

    job = desk.ingest("photos", str(pictures))
    worker = Worker(services, desk.history, desk.store, KINDS, show=show)
    worker.start()
    try:
        assert reading.wait(60)
        watching = Watching(desk.store, desk.history, desk.by, services)
        assert finished(watching, job)["message"] == "3 rows in, 0 rejected"
    finally:
        go_on.set()
        assert worker.stop()
    assert services.engine.stats(photos.name).rows == 6


def test_the_end_is_told(capsys):
    tell({**JOB, "report": {"left_out": 2}})
    out, err = capsys.readouterr()
    assert (out, err) == ("2 rows in, 0 rejected\n", "2 other files left out (no picture's suffix)\n")


def test_rejects_are_exit_code_1():
    with pytest.raises(click.exceptions.Exit) as ended:
        tell(rejected(1))
    assert ended.value.exit_code == 1


@pytest.mark.parametrize(
    ("state", "message", "said"),
    [
        ("failed", "no colour", "job 3 is failed after 2 rows: no colour; the same command goes on where it stopped"),
        ("paused", "no colour", "job 3 is paused after 2 rows: no colour; the same command goes on where it stopped"),
        ("cancelled", "no colour", "job 3 is cancelled after 2 rows: no colour"),
        ("failed", "changed: use --restart", "job 3 is failed after 2 rows: changed: use --restart"),
    ],
)
def test_what_is_not_done_is_an_error(state, message, said):
    with pytest.raises(JobError) as refused:
        tell({**JOB, "state": state, "message": message})
    assert refused.value.message == said
