"""Commands about jobs: look at them, stop them, let them go on."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from havengate.cli.moments import counts, duration, moment

if TYPE_CHECKING:
    from ingest.jobs.model import State
    from ingest.jobs.store import Ask

Json = dict[str, Any]
_STATES = ("queued", "running", "paused", "failed", "cancelled", "done")
_REJECTS = 1000
_SILENT_S = 60.0


@click.group()
def job() -> None:
    """Look at jobs (ingest, rebuild, rollback), stop them, and let them go on.

    A job runs in `havengate serve`, in `havengate worker`, or in the command that began it. Whatever ends it, it goes
    on from its checkpoint: a server or worker takes it up by itself, and so does the same command again.

    Example: havengate job list
    """


@job.command("list")
@click.option("--table", "table_name", help="Only jobs of this table.")
@click.option("--state", type=click.Choice(_STATES), help="Only jobs in this state.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Newest jobs to show.")
@click.option("--json", "as_json", is_flag=True, help="Print each job as a line of JSON.")
def list_jobs(table_name: str | None, state: State | None, limit: int, as_json: bool) -> None:
    """List jobs, the newest first: number, kind, table, state, how far, what came of it.

    Example: havengate job list --table shoes --state running
    """
    from havengate.cli.common import open_job_desk, printable

    with open_job_desk() as desk:
        for each in desk.jobs(table=table_name, state=state, limit=limit):
            click.echo(json.dumps(each, ensure_ascii=False) if as_json else printable(job_line(each)))


@job.command("show")
@click.argument("number", metavar="JOB", type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the job, and its rejected rows.")
def show(number: int, as_json: bool) -> None:
    """Print a job and the rows that it rejected: where they stand in the source, their keys, and why.

    Example: havengate job show 3
    """
    from havengate.cli.common import open_job_desk, printable

    with open_job_desk() as desk:
        found, rejects, after = desk.job(number), [], 0
        while page := desk.rejects(number, after=after, limit=_REJECTS):
            rejects += page
            after = page[-1]["id"]
    if as_json:
        click.echo(json.dumps({**found, "rejects": rejects}, ensure_ascii=False, indent=2))
        return
    for name, value in _shown(found):
        click.echo(printable(f"{name:<9} {value}"))
    for reject in rejects:
        click.echo(printable(reject_line(reject)))


@job.command("pause")
@click.argument("number", metavar="JOB", type=click.IntRange(1))
def pause(number: int) -> None:
    """Stop a job at its next checkpoint; `job resume` lets it go on.

    Example: havengate job pause 3
    """
    _ask(number, "pause")


@job.command("resume")
@click.argument("number", metavar="JOB", type=click.IntRange(1))
def resume(number: int) -> None:
    """Let a paused or failed job go on from its checkpoint.

    Example: havengate job resume 3
    """
    _ask(number, "resume")


@job.command("cancel")
@click.argument("number", metavar="JOB", type=click.IntRange(1))
def cancel(number: int) -> None:
    """End a job for good. Rows that an ingest has written stay; a generation that a rebuild began goes.

    Example: havengate job cancel 3
    """
    _ask(number, "cancel")


@job.command("retry")
@click.argument("number", metavar="JOB", type=click.IntRange(1))
def retry(number: int) -> None:
    """Let a failed job, or one that waits for its next attempt, go on now from its checkpoint.

    Example: havengate job retry 3
    """
    _ask(number, "retry")


def _ask(number: int, what: Ask) -> None:
    from havengate.cli.common import open_job_desk, printable

    with open_job_desk() as desk:
        click.echo(printable(job_line(desk.ask(number, what))))


def job_line(found: Json) -> str:
    """One job in a line."""
    state = found["state"]
    if found["state"] == "running" and (silent := time.time() - found["heartbeat"]) > _SILENT_S:
        state += f", no word from it for {duration(silent)}"
    if found["wanted"]:
        state += f", to {found['wanted']} at its next checkpoint"
    cells = [f"job {found['id']}", found["kind"], found["table"], state]
    if found["state"] == "running":
        cells.append(how_far(found))
    return "  ".join(cell for cell in (*cells, counts(found["counts"]), found["message"]) if cell)


def how_far(found: Json) -> str:
    """``copy 120 of 1,000``."""
    of = "" if found["total"] is None else f" of {found['total']:,}"
    return f"{found['phase']} {found['done']:,}{of}".strip()


def reject_line(reject: Json) -> str:
    key = "" if reject["pk"] is None else f" (key {reject['pk']})"
    return f"rejected {reject['place']}: {reject['reason']}{key}"


def _shown(found: Json) -> list[tuple[str, str]]:
    """What there is to say, by name."""
    ended, started = found["ended"], found["started"]
    lines = [
        ("job", job_line({**found, "message": ""})),
        ("asked for", f"{moment(found['created'])} by {found['by']}"),
        ("started", moment(started) if started else ""),
        ("ended", f"{moment(ended)}, after {duration(ended - (started or ended))}" if ended else ""),
        ("run by", found["owner"]),
        ("attempts", str(found["attempts"]) if found["attempts"] > 1 else ""),
        ("waits", f"until {moment(found['not_before'])}" if found["not_before"] and found["state"] == "queued" else ""),
        ("phase", how_far(found)),
        ("rejects", found["rejects_file"] or ""),
        ("message", found["message"]),
        ("given", json.dumps(found["params"], ensure_ascii=False) if found["params"] else ""),
        ("report", json.dumps(found["report"], ensure_ascii=False) if found["report"] else ""),
    ]
    return [(name, value) for name, value in lines if value]
