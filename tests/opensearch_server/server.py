"""One OpenSearch node on loopback, in a folder of its own; it ends with whoever started it."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opensearch_server.artifacts import prepared

_N = "org.opensearch."
PLUGINS = (
    f"{_N}transport.Netty4Plugin",
    f"{_N}index.mapper.MapperExtrasPlugin",
    f"{_N}index.reindex.ReindexPlugin",
    f"{_N}join.ParentJoinPlugin",
    f"{_N}analysis.common.CommonAnalysisPlugin",
    "ExtendedPainless",
    f"{_N}knn.plugin.KNNPlugin",
)
START_S = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def node(folder: Path, *, port: int | None = None) -> Iterator[str]:
    """The URL of a node that is green; a folder used before brings its data. Raises artifacts.Missing."""
    home, port = prepared(), port or free_port()
    url = f"http://127.0.0.1:{port}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "node.log").open("ab") as log:
        process = subprocess.Popen(_command(home, folder, port), stdout=log, stderr=log, stdin=subprocess.PIPE)
    try:
        _wait(process, url, folder / "node.log")
        yield url
    finally:
        process.stdin.close()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command(home: Path, folder: Path, port: int) -> list[str]:
    flags = ["-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-Djava.awt.headless=true", "-Dlog4j2.disable.jmx=true"]
    flags += ["-Dio.netty.noUnsafe=true", "-Djna.nosys=true"]
    settings = {
        "cluster.name": "havengate-tests",
        "node.name": "one",
        "network.host": "127.0.0.1",
        "http.port": port,
        "transport.port": free_port(),
        "discovery.type": "single-node",
        # Counting the heap's garbage as used, the breaker would refuse requests that a collection makes room for.
        "indices.breaker.total.use_real_memory": "false",
        # A development machine's disk is often nearly full, and nothing here is worth keeping.
        "cluster.routing.allocation.disk.threshold_enabled": "false",
    }
    path = f"{home / 'classes'}:{home / 'lib'}/*"
    pairs = [f"{key}={value}" for key, value in settings.items()]
    return ["java", *flags, "-cp", path, "TestNode", str(folder), ",".join(PLUGINS), *pairs]


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/_cluster/health", timeout=5) as answer:
                if json.load(answer)["status"] == "green":
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.2)
    raise RuntimeError(f"OpenSearch did not come up at {url}:\n{log.read_text(errors='replace')[-4000:]}")
