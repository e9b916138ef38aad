"""Two generations side by side: how many rows and vectors, and how alike their answers are.

overlap@10  of the ten best of each, the share that both have; 1 where both have none
shift       by how many places a row that both have stands elsewhere, on average
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from engines.contract import PoolQuery
from havengate.types import PK
from ingest.rebuild.convert import silent

if TYPE_CHECKING:
    from havengate.types import Row, Vector
    from ingest.rebuild.work import Work
    from schemas.table import VectorIndex

_BEST = 10
_SOME = 20
"""Questions between two looks at whether the job is to stop."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """``asked`` questions of one kind to one vector index; ``note`` says why there are none."""

    index: str
    by: Literal["rows", "queries"]
    asked: int
    overlap: float | None = None
    shift: float | None = None
    note: str = ""

    def __str__(self) -> str:
        known = self.overlap is not None and self.shift is not None
        said = f"overlap@{_BEST} {self.overlap:.2f}, rank shift {self.shift:.2f}" if known else self.note
        return f"{self.index:<16} {self.asked:>3} {self.by:<8} {said}"


def compare(work: Work) -> list[Overlap]:
    """Asks both generations with their own vectors: of sampled rows, and of the last texts searched for."""
    old, new = work.converter.former, work.converter.target
    pairs = [
        (old.schema.vector_fields[field], index)
        for field, index in new.schema.vector_fields.items()
        if field in old.schema.vector_fields
    ]
    taken = work.job.checkpoint.get("sample")
    keys = [str(pk) for pk in taken] if isinstance(taken, list) else []
    work.control.save(phase="compare", done=0, total=len(pairs) * len(keys))
    found = [_by_rows(work, before, after, keys) for before, after in pairs]
    found += [_by_queries(work, before, after) for before, after in pairs if after.model is not None]
    work.tell(comparison=[asdict(each) for each in found])
    return found


def too_unlike(found: Iterable[Overlap], least: float) -> list[str]:
    """What is below the least overlap that is put up with."""
    return [str(each) for each in found if each.overlap is not None and each.overlap < least]


def comparison_lines(report: Mapping[str, object]) -> list[str]:
    """A job's report as lines for people."""
    comparison = report.get("comparison")
    return [str(Overlap(**each)) for each in comparison] if isinstance(comparison, list) else []


def _by_rows(work: Work, before: VectorIndex, after: VectorIndex, keys: Sequence[str]) -> Overlap:
    old = work.engine.fetch(work.source, keys, [before.field])
    new = work.engine.fetch(work.target, keys, [after.field])
    both = [pk for pk in keys if before.field in _vectors(old, pk) and after.field in _vectors(new, pk)]

    def answers(pk: str) -> tuple[list[str], list[str]]:
        # A row is always its own nearest one.
        return (
            _best(work, work.source, before, old[pk].vectors[before.field], pk),
            _best(work, work.target, after, new[pk].vectors[after.field], pk),
        )

    return _overlap(work, after, "rows", both, answers)


def _by_queries(work: Work, before: VectorIndex, after: VectorIndex) -> Overlap:
    texts = work.record.queries(work.table, before.name)
    for spec, index in ((work.converter.former, before), (work.converter.target, after)):
        if texts and (why := silent(work.services.embedding, spec, index)):
            return Overlap(after.name, "queries", 0, note=why)

    def answers(text: str) -> tuple[list[str], list[str]]:
        embed = work.services.embedding.embed_text
        return (
            _best(work, work.source, before, embed(str(before.model), text)),
            _best(work, work.target, after, embed(str(after.model), text)),
        )

    return _overlap(work, after, "queries", texts, answers)


def _overlap(
    work: Work,
    index: VectorIndex,
    by: Literal["rows", "queries"],
    asked: Sequence[str],
    answers: Callable[[str], tuple[list[str], list[str]]],
) -> Overlap:
    shared: list[float] = []
    shifts: list[int] = []
    for place, each in enumerate(asked):
        old, new = answers(each)
        common = set(old) & set(new)
        shared.append(len(common) / max(len(old), len(new), 1) if old or new else 1.0)
        shifts += [abs(old.index(pk) - new.index(pk)) for pk in common]
        if place % _SOME == 0:
            work.control.save(done=work.job.done + min(_SOME, len(asked) - place) if by == "rows" else None)
    if not asked:
        return Overlap(index.name, by, 0, note=f"no {by} to compare")
    return Overlap(index.name, by, len(asked), sum(shared) / len(shared), sum(shifts) / len(shifts) if shifts else 0.0)


def _best(work: Work, address: str, index: VectorIndex, vector: Vector, itself: str | None = None) -> list[str]:
    query = PoolQuery(index.name, vector.reshape(1, -1), _BEST + 1)
    return [pk for pk in work.engine.pool(address, query).frame[PK].to_list() if pk != itself][:_BEST]


def _vectors(rows: Mapping[str, Row], pk: str) -> Mapping[str, Vector]:
    return rows[pk].vectors if pk in rows else {}
