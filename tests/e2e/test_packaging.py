"""The wheel: what is in it, that it runs alone, that its pins resolve on other Pythons."""

import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    subprocess.run(["git", "clone", "-q", ROOT, source], check=True, timeout=60)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, source]
    subprocess.run(command, check=True, timeout=250)
    (file,) = folder.glob("*.whl")
    return file


def test_the_wheel_has_photos_grammars_and_weights_and_no_tests(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert sum(name.endswith(".jpg") for name in names) == 149
    weights = [f"embedding/builtin/{name}" for name in ("class_vectors.npz", "concepts.npz", "concepts.md")]
    for needed in ("examples/general/general.jsonl", "query_parser/query.lark", *weights):
        assert needed in names
    assert not [name for name in names if name.startswith(("tests/", "bench/", "docs/"))]
    packages = {Path(name).parent for name in names if name.endswith(".py")}
    kept = (path.parent.relative_to(ROOT) for path in ROOT.glob("*/**/__init__.py") if ".venv" not in path.parts)
    assert packages == {folder for folder in kept if folder.parts[0] not in {"tests", "build"}}


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and not name.endswith((".jpg", ".npz", ".png"))]


def test_the_project_points_at_nothing_outside_itself():
    upwards = re.compile(r"(?:\.\./)+[\w-]+/")
    index = re.compile(r"--(?:extra-)?index[-]url|https?://[^\s'\"]*/simple\b")
    outside = []
    for file in tracked():
        text = file.read_text(encoding="utf-8")
        links = [(file.parent / link).resolve() for link in upwards.findall(text)]
        if index.search(text) or not all(link.is_relative_to(ROOT) for link in links):
            outside.append(file)
    assert outside == []


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_wheel_with_its_demo_extra_runs_the_demo_in_an_empty_environment(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", f"{wheel}[demo]"]
    subprocess.run(install, check=True, timeout=600)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HAVENGATE_")}
    done = subprocess.run(
        [tmp_path / "venv" / "bin" / "havengate", "demo"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "havengate-data" / "demo" / "contact-sheet.png").exists()


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", ["3.12", "3.13", "3.14"])
def test_the_pins_resolve_on_other_pythons(version, tmp_path):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pip = [sys.executable, "-m", "pip", "download", "-q", "--python-version", version, "-d", tmp_path]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    constrained = ["-c", ROOT / "constraints.txt"]
    subprocess.run([*pip, "--only-binary=:all:", *constrained, *wanted], check=True, timeout=400)
    # The SDK's own dependencies come as sources, which pip resolves for its own Python only.
    subprocess.run([*pip, "--no-deps", "-r", ROOT / "constraints.txt"], check=True, timeout=400)
