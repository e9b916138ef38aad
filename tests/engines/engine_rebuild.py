"""A rebuild as the contract means it: a generation filled beside the current one, caught up with, and used."""

from __future__ import annotations

from engines.contract import Generation, at
from engines.values import known_part


def nothing(*_arguments):
    pass


def current(engine, name="t") -> str:
    return next(each.name for each in engine.generations(name) if each.current)


def rebuild(engine, spec, *, name="t", step=nothing, last=nothing) -> Generation:
    """Rows of the current generation go into a new one of that specification, which takes its place.

    ``step`` is told the rows copied after each batch, ``last`` is called while writes are held.
    """
    former = at(name, current(engine, name))
    mark = engine.mark(former)
    built = engine.build_generation(name, spec)
    copy(engine, former, at(name, built), step)
    finish(engine, former, built, mark, last)
    return next(each for each in engine.generations(name) if each.current)


def copy(engine, former, built, step=nothing, *, batch=100):
    """Rows of one address into another; what is there already is passed over by its last key."""
    schema, after, copied = engine.table(built).schema, None, 0
    while rows := engine.scan(former, after, batch):
        engine.upsert(built, [known_part(schema, row) for row in rows])
        after, copied = rows[-1].pk, copied + len(rows)
        step(copied)


def replay(engine, former, built, mark) -> str:
    """Writes what the keys touched since the mark have become; returns the next mark."""
    following = engine.mark(former)
    touched = engine.touched(former, mark)
    schema = engine.table(built).schema
    rows = engine.fetch(former, touched, list(engine.table(former).schema.vector_fields))
    engine.upsert(built, [known_part(schema, row) for row in rows.values()])
    engine.delete(built, [pk for pk in touched if pk not in rows])
    return following


def finish(engine, former, built, mark, last=nothing):
    name = former.partition("@")[0]
    mark = replay(engine, former, at(name, built), mark)

    def caught_up():
        replay(engine, former, at(name, built), mark)
        last()

    engine.use_generation(name, built, caught_up)
