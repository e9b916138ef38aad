"""A real gateway process over the demo's tables, once for all tests here."""

import os
import subprocess
import sys

import pytest

from havengate.demo.process import gateway


def run_cli(data_dir, *arguments, check=True, **options):
    """`havengate ...` as a user runs it."""
    environment = os.environ | {"HAVENGATE_DATA_DIR": str(data_dir)} | options.pop("env", {})
    return subprocess.run(
        [sys.executable, "-m", "havengate", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=check,
        timeout=240,
        **options,
    )


@pytest.fixture(scope="session")
def demo_data(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("demo") / "data"
    run_cli(data_dir, "demo", "--tables-only")
    return data_dir


@pytest.fixture(scope="session")
def endpoint(demo_data):
    """host:port of a gateway over the tables general and clothes."""
    with gateway(demo_data) as address:
        yield address
