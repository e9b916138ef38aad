"""Kinds of jobs and sources for tests: each does what its test tells it, step by step."""

from dataclasses import dataclass, field

from havengate.errors import SourceAway
from ingest.jobs.model import Kind
from ingest.sources.base import Batch, Record

COUNTING = "counting"


def counting(run=None, abandon=lambda *_: None, writes="current", name=COUNTING):
    """Kinds of one kind that saves 1, 2, ... params["until"], or runs ``run``."""

    def count(_services, _changes, control):
        for number in range(int(control.job.checkpoint.get("number", 0)), control.job.params["until"]):
            control.save({"number": number + 1}, done=number + 1, total=control.job.params["until"])
        return "counted"

    return {name: Kind(name, writes, run or count, abandon)}


@dataclass
class ListSource:
    """Records of a list; the checkpoint is a number. ``before`` is called with the number of each batch's end."""

    records: list
    before: object = lambda _: None
    name: str = "a list"
    asked: list = field(default_factory=list)

    def count(self):
        return len(self.records)

    def left_out(self):
        return 0

    def batches(self, after, size):
        start = after["at"] if after else 0
        self.asked.append(start)
        for begin in range(start, len(self.records), size):
            end = min(begin + size, len(self.records))
            self.before(end)
            yield Batch(tuple(self.records[begin:end]), {"at": end})


def record(number, **fields):
    return Record(f"line {number}", {"id": number, **fields})


def away_at(end, times):
    """For ``before``: the source is away so many times when it comes to that batch."""
    left = [times]

    def before(reached):
        if reached == end and left[0]:
            left[0] -= 1
            raise SourceAway("the store says: come again")

    return before
