"""The vendor's SDK, in processes of its own, old and new, sync and async."""

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from havengate.demo.tables import folder

HERE = Path(__file__).parent
KODAK05 = "9"


@pytest.fixture(scope="session")
def python_of():
    """The interpreter of an environment that has just one version of the SDK; made once, then kept."""

    def make(version):
        if version == "1.3.12":
            return sys.executable
        folder = HERE.parent / ".cache" / f"ha3engine-{version}"
        python = folder / "bin" / "python"
        done = folder / "done"
        if not done.exists():
            venv.create(folder, with_pip=True, clear=True)
            subprocess.run(
                [python, "-m", "pip", "install", "-q", f"alibabacloud-ha3engine=={version}", "setuptools<81"],
                check=True,
                timeout=280,
            )
            done.touch()
        return str(python)

    return make


@pytest.mark.parametrize("mode", ["--sync", "--async"])
@pytest.mark.parametrize("version", ["1.0.0", "1.3.12"])
def test_the_samples_find_the_motocross_photo(endpoint, python_of, version, mode):
    command = [python_of(version), "-W", "ignore", str(HERE / "sdk_samples.py"), endpoint]
    done = subprocess.run(
        [*command, str(folder() / "general" / "kodak05.jpg"), mode],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = dict(json.loads(line) for line in done.stdout.splitlines())
    assert len(found) == (12 if version == "1.3.12" else 6)
    for name, ids in found.items():
        if "filtered" in name:
            assert sorted(ids) == ["2", "27"], name
        else:
            assert ids[0] == KODAK05, name
            assert len(ids) == 4, name
