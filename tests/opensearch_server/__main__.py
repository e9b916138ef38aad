"""`python -m opensearch_server DATA_DIR COMMAND...`: the command with a server of its own behind it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from opensearch_server.artifacts import Failed
from opensearch_server.jdk import Missing
from opensearch_server.server import node


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def _run(command: list[str], environment: Mapping[str, str]) -> int:
    """The command's exit status. A signal is the command's to answer: the server must outlive it."""
    process = subprocess.Popen(command, env=environment)
    # A terminal sends Ctrl-C to both; the others come to this process alone.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: process.send_signal(received))
    status = process.wait()
    return status if status >= 0 else 128 - status


def environment(url: str) -> dict[str, str]:
    """The command's. The path on which this module is found has folders of tests that are named as packages are."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return kept | {"HAVENGATE_ENGINE__KIND": "opensearch", "HAVENGATE_ENGINE__HOSTS": url}


def main(folder: Path, command: list[str]) -> int:
    try:
        with node(folder / "opensearch", say=lambda text: print(text, flush=True)) as url:
            print(f"OpenSearch on {url}", flush=True)
            return _run(command, environment(url))
    except Missing as missing:
        sys.exit(f"error: {missing}; the demo without ENGINE=opensearch needs no Java and no Maven")
    except Failed as failed:
        sys.exit(f"error: {failed}")


if __name__ == "__main__":
    for leaving in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(leaving, _leave)
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
