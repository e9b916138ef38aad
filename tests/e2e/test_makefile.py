"""make, before and beside what it installs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def make(tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)

    def run(*arguments, **environment):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("HAVENGATE_", "MAKE"))}
        return subprocess.run(
            ["make", "--no-print-directory", *arguments],
            cwd=folder,
            env=clean | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


@pytest.mark.parametrize("python", ["old", "missing"])
def test_a_python_that_is_too_old_is_one_clear_line(make, tmp_path, python):
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = make("demo", f"PYTHON={tmp_path / python}")
    assert done.returncode == 2
    first, last = done.stderr.splitlines()
    assert first.startswith("havengate needs Python 3.11 to 3.14")
    assert last.startswith("make: ***")
    assert not (tmp_path / "a folder" / ".venv").exists()


@pytest.mark.parametrize("chosen", ['/data/it\'s $HOME "here"', "relative"])
def test_the_data_folder_is_the_one_given(make, chosen):
    assert make("print-data-dir", HAVENGATE_DATA_DIR=chosen).stdout == f"{chosen}\n"


@pytest.mark.parametrize("environment", [{}, {"HAVENGATE_DATA_DIR": ""}])
def test_the_data_folder_is_beside_the_makefile(make, tmp_path, environment):
    assert make("print-data-dir", **environment).stdout == f"{tmp_path}/a folder/havengate-data\n"


@pytest.mark.parametrize("goal", ["demo", "serve"])
def test_an_engine_there_is_not_is_refused_before_anything_is_installed(make, tmp_path, goal):
    done = make(goal, "ENGINE=opensarch")
    assert done.returncode == 2
    assert "ENGINE is embedded or opensearch, not 'opensarch'" in done.stderr
    assert not (tmp_path / "a folder" / ".venv").exists()
