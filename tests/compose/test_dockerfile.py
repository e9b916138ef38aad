"""The image's Dockerfile: by hadolint's rules and this project's."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from compose_file import COMPOSE, ROOT

BIN = Path(sys.executable).parent
TEXT = (COMPOSE / "Dockerfile").read_text()
FINAL = TEXT.rpartition("\nFROM ")[2]


def test_hadolint_has_nothing_to_say():
    done = subprocess.run(
        [BIN / "hadolint", "--no-color", COMPOSE / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    bad = subprocess.run(
        [BIN / "hadolint", "-"], check=False, input="FROM python\nRUN cd /x", capture_output=True, text=True
    )
    assert bad.returncode == 1


@pytest.mark.parametrize("script", sorted(COMPOSE.glob("*.sh")), ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script):
    done = subprocess.run([BIN / "shellcheck", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert script.stat().st_mode & 0o111


def test_the_image_runs_as_nobody_that_matters_and_installs_nothing():
    assert re.search(r"^USER 1000:1000$", FINAL, re.MULTILINE)
    assert not re.search(r"\b(pip|apt-get|gcc)\b", FINAL)
    assert re.search(r"^HEALTHCHECK ", FINAL, re.MULTILINE)


def test_both_stages_have_the_same_pinned_python():
    assert re.findall(r"^FROM (\S+)", TEXT, re.MULTILINE) == ["python:${PYTHON}"] * 2
    version = re.search(r"^ARG PYTHON=(\d\.\d+)-slim-\w+$", TEXT, re.MULTILINE)[1]
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    assert f"Programming Language :: Python :: {version}" in classifiers


def test_all_packages_go_in_and_nothing_else_of_the_folder():
    lines = (COMPOSE / "Dockerfile.dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert let_in >= {package.partition(".")[0] for package in packages}
    assert let_in >= {"pyproject.toml", "constraints.txt", "README.md", "LICENSE", "NOTICE"}
    assert all((ROOT / name).exists() for name in let_in)
    copied = re.search(r"^COPY (compose/.*) \S+$", FINAL, re.MULTILINE)[1].split()
    assert let_in >= set(copied)
