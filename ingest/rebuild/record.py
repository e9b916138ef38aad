"""What rebuilds keep in ``jobs.sqlite`` beside their jobs.

swaps(table, job, former, current, mark)   which generation took another's place, and the mark of that moment in it
unconverted(job, pk, reason)               rows that lack something in the generation that the job makes
recorded_queries(table, index, text, at)   the last texts that were searched for
partitions(table, source)                  partitions of automatic rebuilds that have had their job
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.jobs.database import FILE, Database


@dataclass(frozen=True, slots=True)
class Swap:
    """``current`` took the place of ``former``; ``mark`` (of the generation ``current``) is from that moment."""

    former: str
    current: str
    mark: str


class RebuildRecord:
    """Thread-safe. Every method raises EngineError where the file cannot be read or written."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE
        self._database = Database(data_dir)

    def close(self) -> None:
        self._database.close()

    def swapping(self, table: str, job: int, swap: Swap) -> None:
        """On record before it happens; the job's former entry, if there is one, never came true."""
        with self._database.writing() as file:
            file.execute("DELETE FROM swaps WHERE job = ?", (job,))
            file.execute(
                'INSERT INTO swaps ("table", job, former, current, mark) VALUES (?, ?, ?, ?, ?)',
                (table, job, swap.former, swap.current, swap.mark),
            )

    def not_swapped(self, job: int) -> None:
        with self._database.writing() as file:
            file.execute("DELETE FROM swaps WHERE job = ?", (job,))

    def swaps(self, table: str) -> list[Swap]:
        """Oldest first."""
        with self._database.reading() as file:
            rows = file.execute('SELECT former, current, mark FROM swaps WHERE "table" = ? ORDER BY id', (table,))
            return [Swap(*row) for row in rows]

    def note(self, job: int, lacking: Mapping[str, str], whole: Iterable[str]) -> None:
        """Rows that lack something now, each with what, and rows that no longer do."""
        with self._database.writing() as file:
            file.executemany("DELETE FROM unconverted WHERE job = ? AND pk = ?", ((job, pk) for pk in whole))
            file.executemany(
                "INSERT OR REPLACE INTO unconverted VALUES (?, ?, ?)", ((job, pk, why) for pk, why in lacking.items())
            )

    def lacking(self, job: int) -> dict[str, str]:
        with self._database.reading() as file:
            return dict(file.execute("SELECT pk, reason FROM unconverted WHERE job = ? ORDER BY pk", (job,)).fetchall())

    def forget(self, job: int) -> None:
        """The job has ended."""
        with self._database.writing() as file:
            file.execute("DELETE FROM unconverted WHERE job = ?", (job,))

    def record_queries(self, asked: Sequence[tuple[str, str, str, float]], keep: int) -> None:
        """(table, index, text, when); of each table and index the last ``keep`` stay."""
        with self._database.writing() as file:
            file.executemany("INSERT OR REPLACE INTO recorded_queries VALUES (?, ?, ?, ?)", asked)
            for table, index in {(table, index) for table, index, _, _ in asked}:
                file.execute(
                    'DELETE FROM recorded_queries WHERE "table" = :t AND "index" = :i AND text NOT IN (SELECT text FROM'
                    ' recorded_queries WHERE "table" = :t AND "index" = :i ORDER BY at DESC, text LIMIT :keep)',
                    {"t": table, "i": index, "keep": keep},
                )

    def queries(self, table: str, index: str) -> list[str]:
        """The last texts searched for, newest first."""
        with self._database.reading() as file:
            rows = file.execute(
                'SELECT text FROM recorded_queries WHERE "table" = ? AND "index" = ? ORDER BY at DESC, text',
                (table, index),
            )
            return [text for (text,) in rows]

    def is_new_partition(self, table: str, source: str) -> bool:
        with self._database.reading() as file:
            known = file.execute('SELECT 1 FROM partitions WHERE "table" = ? AND source = ?', (table, source))
            return known.fetchone() is None

    def had_partition(self, table: str, source: str) -> None:
        with self._database.writing() as file:
            file.execute("INSERT OR IGNORE INTO partitions VALUES (?, ?)", (table, source))

    def forget_tables_but(self, names: Sequence[str]) -> None:
        """Tables that are gone: one of that name that is made later begins anew."""
        if not self._path.exists():
            return
        with self._database.writing() as file:
            for part in ("swaps", "recorded_queries", "partitions"):
                known = [table for (table,) in file.execute(f'SELECT DISTINCT "table" FROM {part}')]  # noqa: S608  our own names
                gone = [(table,) for table in known if table not in names]
                file.executemany(f'DELETE FROM {part} WHERE "table" = ?', gone)  # noqa: S608  our own names
