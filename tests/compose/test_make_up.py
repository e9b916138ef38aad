"""`make up`, `smoke` and `down`, with a docker that writes down what it is asked."""

import os
import shutil
import stat
import subprocess

import pytest
from compose_file import COMPOSE, ROOT

DOCKER = """#!/bin/sh
echo "$*" >> "$ASKED"
"""


@pytest.fixture
def make(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(COMPOSE, tmp_path / "compose", ignore=shutil.ignore_patterns(".env"))
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin" / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)

    def run(goal):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("HAVENGATE_", "MAKE"))}
        environment |= {"PATH": f"{docker.parent}:{os.environ['PATH']}", "ASKED": str(tmp_path / "asked")}
        return subprocess.run(
            ["make", goal], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_up_makes_env_first_and_down_keeps_what_is_stored(make, tmp_path):
    env = tmp_path / "compose" / ".env"
    assert make("up").returncode == 0
    secrets = env.read_text()
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert make("up").returncode == 0
    assert env.read_text() == secrets
    assert make("down").returncode == 0
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == ["compose -f compose/compose.yaml up --detach --build --wait"] * 2 + [
        "compose -f compose/compose.yaml down"
    ]
    # Nothing is installed for it.
    assert not (tmp_path / ".venv").exists()


def test_smoke_without_env_says_so(make):
    done = make("smoke")
    assert done.returncode != 0
    assert ".env" in done.stderr
