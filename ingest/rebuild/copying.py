"""Fills a new generation: from the rows of the current one, or from the table's source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from havengate.errors import JobError
from ingest.rebuild.sample import Sample

if TYPE_CHECKING:
    from havengate.types import Row
    from ingest.rebuild.work import Work

_LOOKED_AT = 1000


def copy(work: Work) -> None:
    """Every row of the current generation, converted, from the checkpoint on."""
    work.control.save(phase="copy", total=work.engine.stats(work.source).rows)
    sample = Sample(work.job.checkpoint.get("sample"))
    pages = _pages(work, work.job.checkpoint.get("after"))
    for converted in work.convert_ahead(pages, work.converter.convert):
        work.write(converted)
        keys = [each.row.pk for each in converted]
        sample.see(keys)
        counts = work.job.counts.plus(read=len(keys), written=len(keys))
        checkpoint = {**work.job.checkpoint, "after": keys[-1], "sample": sample.taken}
        work.control.save(checkpoint, done=work.job.done + len(keys), counts=counts)


def _pages(work: Work, after: object) -> Iterator[Sequence[Row]]:
    last = after if isinstance(after, str) else None
    while page := work.engine.scan(work.source, last, work.batch):
        yield page
        last = page[-1].pk


def read_source(work: Work, text: str) -> None:
    """Every row of a source, as an ingest reads it.

    Raises JobError where more rows are rejected than may be, SourceError.
    """
    from ingest.ingest_job import opened
    from ingest.pipeline import ingest_into

    spec = work.engine.table(work.target)
    work.control.save(phase="read")
    ingest_into(work.services, work.control, opened(work.services, spec, text), spec)
    rejected, most = work.rejected_rows, work.most
    if most is not None and rejected > most:
        raise JobError(
            f"{rejected} rows of {text} are rejected, {most} may be; nothing has changed. `havengate job show "
            f"{work.job.id}` lists them; give the command again with --max-rejects {rejected}, or cancel the job, mend "
            "the source and begin anew"
        )
    if not work.engine.stats(work.target).rows and not work.job.params.get("force"):
        raise JobError(f"no row of {text} went in: nothing has changed (--force swaps the empty table in)")
    work.save(sample=sampled(work))


def sampled(work: Work) -> list[str]:
    """Keys for the comparison, of a generation that nobody reads through."""
    sample = Sample(None)
    sample.see([row.pk for row in work.engine.scan(work.source, None, _LOOKED_AT)])
    return sample.taken
