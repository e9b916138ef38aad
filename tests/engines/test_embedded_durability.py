"""kill -9 at any moment: what was acknowledged is there, and no call is there by half."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from engine_samples import compare, keys, make_spec, query

from engines.contract import RowsQuery
from engines.embedded.engine import EmbeddedEngine
from havengate.types import PK

CHILD = Path(__file__).with_name("engine_child.py")


def acknowledged_until_killed(data_dir, kill, lines):
    """Lines that the child said before it was killed, after at least ``lines`` of them."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHILD.parent), str(CHILD.parents[2])])}
    with subprocess.Popen(
        [sys.executable, str(CHILD), str(data_dir), str(kill)], stdout=subprocess.PIPE, text=True, env=environment
    ) as child:
        said = [child.stdout.readline() for _ in range(lines)]
        child.send_signal(signal.SIGKILL)
        said += child.stdout.readlines()
    return [line.rstrip("\n") for line in said if line.endswith("\n")]


def apply(state, line):
    for call in line.split(";"):
        kind, key, *version = call.split()
        if kind == "-":
            state.pop(key, None)
        else:
            state[key] = int(version[0])


def check(data_dir, state):
    """Every acknowledged row is there; only the rows of the one call under way may differ, and only all of them."""
    with EmbeddedEngine.open(data_dir) as engine:
        frame = engine.rows("t", RowsQuery(None, ("i64",))).frame
        there = dict(zip(frame[PK], frame["i64"], strict=True))
        changed = {key for key in state.keys() | there.keys() if state.get(key) != there.get(key)}
        versions = {there.get(key) for key in changed}
        assert len(versions) <= 1, f"half a call: {changed}"
        assert len(changed) in (0, 1, 3), f"half a call or a lost row: {changed}"
        pool = engine.pool("t", query((0, 0), n=1000))
        assert sorted(keys(pool)) == sorted(there)
        rows = engine.fetch("t", list(there), ["vector_field"])
        for key, version in there.items():
            assert rows[key].fields["i64"] == version
            assert rows[key].vectors["vector_field"].tolist() == [int(key), abs(version) % 1000]
            assert rows[key].sources == {"vector_field": f"h{abs(version)}"}
            assert engine.rows("t", RowsQuery(compare("i64", "=", version))).matched >= 1
        return there


def survive(data_dir, kills, seed):
    with EmbeddedEngine.open(data_dir) as engine:
        engine.create_table(make_spec())
    state, chance = {}, random.Random(seed)
    for kill in range(1, kills + 1):
        said = acknowledged_until_killed(data_dir, kill, chance.randint(1, 40))
        assert said
        for line in said:
            apply(state, line)
        state = check(data_dir, state)


def test_acknowledged_writes_survive_five_kills(tmp_path):
    survive(tmp_path, kills=5, seed=1)


@pytest.mark.long
def test_acknowledged_writes_survive_sixty_kills(tmp_path):
    survive(tmp_path, kills=60, seed=2)
