"""The change history in a terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from havengate.cli.moments import counts, duration, moment, shortened

if TYPE_CHECKING:
    from ingest.administration import JobAdministration

Json = dict[str, Any]
_POLL_S = 1.0
_OVERLAP_S = 5.0
_MOST = 10_000
_LINE = 120
_SAID = ("asked", "source", "generation", "pushes", "message", "error")


@click.command()
@click.option("--table", "table_name", help="Only what happened to this table.")
@click.option("--limit", type=click.IntRange(1, _MOST), default=20, show_default=True, help="Newest entries to show.")
@click.option("--follow", is_flag=True, help="Go on with entries that are new or change, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print each entry as a line of JSON, with all its details.")
def changes(table_name: str | None, limit: int, follow: bool, as_json: bool) -> None:
    """Print what happened to tables: when, what, to which, the version of its schema, by whom, how far, how long.

    Schemas, settings, sources, jobs, swaps of generations; pushes are one entry for each table, user and hour.
    HAVENGATE_JOBS__KEEP_DAYS says how long entries are kept.

    Example: havengate changes --table shoes --follow
    """
    from havengate.cli.common import open_job_desk, printable

    with open_job_desk() as desk:
        for entry in _following(desk, table_name, limit) if follow else desk.changes(table=table_name, limit=limit):
            click.echo(json.dumps(entry, ensure_ascii=False) if as_json else printable(change_line(entry)))


def change_line(entry: Json) -> str:
    """When, what, table, version, who, state, counts, duration; then, in words, what changed or went wrong."""
    state = entry["state"]
    if entry["progress"] is not None and entry["ended"] is None:
        state += f" {100 * entry['progress']:.0f} %"
    took = "" if entry["ended"] is None or entry["ended"] == entry["at"] else duration(entry["ended"] - entry["at"])
    what = entry["what"] if entry["job"] is None else f"{entry['what']} (job {entry['job']})"
    version = f"v{entry['version']}" if entry["version"] else "-"
    cells = (moment(entry["at"]), what, entry["table"], version, entry["by"], state, counts(entry), took)
    return "  ".join(cell for cell in (*cells, told(entry["detail"])) if cell)


def told(detail: Json) -> str:
    """What a detail says to people in a line."""
    said = [str(sentence) for sentence in detail.get("changes") or ()]
    said += [f"{name} {detail[name]}" for name in _SAID if detail.get(name)]
    return shortened("; ".join(said), _LINE)


def _following(desk: JobAdministration, table: str | None, limit: int) -> Iterator[Json]:
    """The newest entries, then each that is new or has changed."""
    shown = desk.changes(table=table, limit=_MOST)
    yield from shown[-limit:]
    last = {entry["id"]: entry for entry in shown}
    since = time.time()
    while True:
        time.sleep(_POLL_S)
        # Another process may still have been writing what it had stamped.
        since, before = time.time(), since - _OVERLAP_S
        for entry in desk.changes(table=table, since=before, limit=_MOST):
            if last.get(entry["id"]) != entry:
                last[entry["id"]] = entry
                yield entry
