"""OpenSearch nodes on loopback, each a process in a folder of its own; they end with whoever started them."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from opensearch_server.artifacts import Failed, prepared
from opensearch_server.jdk import find_jdk
from opensearch_server.releases import DEFAULT, RELEASES

_FLAGS = (
    "-Xms512m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-Djava.awt.headless=true",
    "-Dlog4j2.disable.jmx=true",
    "-Dio.netty.noUnsafe=true",
    "-Djna.nosys=true",
)
# A node's start is mostly compilation, which tests of a minute do not earn back; benchmarks would.
_QUICK_START = ("-XX:TieredStopAtLevel=1",)
_SETTINGS = {
    "cluster.name": "havengate-tests",
    "network.host": "127.0.0.1",
    # Counting the heap's garbage as used, the breaker would refuse requests that a collection makes room for.
    "indices.breaker.total.use_real_memory": "false",
    # A development machine's disk is often nearly full, and nothing here is worth keeping.
    "cluster.routing.allocation.disk.threshold_enabled": "false",
}
START_S = 180


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    """One node that can be killed and started again over the same folder."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, object],
        *,
        version: str,
        port: int | None = None,
        knn: bool = True,
        flags: tuple[str, ...] = (),
    ) -> None:
        release, port = RELEASES[version], port or free_port()
        home, self._log = prepared(release), folder / "node.log"
        folder.mkdir(parents=True, exist_ok=True)
        plugins = (*release.plugins, release.knn) if knn else release.plugins
        pairs = {**_SETTINGS, "http.port": port, **settings}
        self._command = [str(find_jdk(release.java) / "bin" / "java"), *_FLAGS, *flags]
        self._command += ["-cp", f"{home / 'classes'}:{home / 'lib'}/*", "TestNode", str(folder), ",".join(plugins)]
        self._command += [f"{key}={value}" for key, value in pairs.items()]
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{port}"

    def start(self) -> None:
        with self._log.open("ab") as log:
            # A node reads its input, which ends when this process does.
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, stdin=subprocess.PIPE)

    def kill(self) -> None:
        """As kill -9 does."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def stop(self) -> None:
        """Closes the pipe that keeps it up; of a node that is down already, nothing."""
        if self._process is None or self._process.poll() is not None:
            return
        try:
            self._process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()

    def wait_until(self, status: str, nodes: int = 1) -> None:
        """Until the node says so of its cluster."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            try:
                told = self.ask("/_cluster/health")
                if told["status"] == status and told["number_of_nodes"] == nodes:
                    return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.2)
        raise Failed(f"OpenSearch is not {status} at {self.url}:\n{self._log.read_text(errors='replace')[-4000:]}")

    def ask(self, path: str) -> dict:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:
            return json.load(answer)


@contextmanager
def node(
    folder: Path,
    *,
    port: int | None = None,
    version: str = DEFAULT,
    knn: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[str]:
    """The URL of a node that is green; a folder used before brings its data. Raises Missing, Failed."""
    prepared(RELEASES[version], say)
    settings = {"node.name": "one", "transport.port": free_port(), "discovery.type": "single-node"}
    alone = Node(folder, settings, version=version, port=port, knn=knn)
    try:
        alone.start()
        alone.wait_until("green")
        yield alone.url
    finally:
        alone.stop()


@dataclass(frozen=True, slots=True)
class Cluster:
    """Nodes of one cluster, by their place."""

    nodes: tuple[Node, ...]

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(node.url for node in self.nodes)

    def manager(self) -> int:
        """The place of the elected cluster manager."""
        told = self.nodes[0].ask("/_cluster/state/cluster_manager_node,nodes")
        name = told["nodes"][told["cluster_manager_node"]]["name"]
        return int(name)

    def kill(self, place: int) -> None:
        self.nodes[place].kill()

    def restart(self, place: int) -> None:
        self.nodes[place].start()

    def wait_until_green(self) -> None:
        for node in self.nodes:
            node.wait_until("green", len(self.nodes))


@contextmanager
def cluster(folder: Path, nodes: int = 3, *, version: str = DEFAULT) -> Iterator[Cluster]:
    """Nodes that found each other and are green. Raises Missing."""
    ports = [free_port() for _ in range(nodes)]
    shared = {
        "discovery.seed_hosts": ",".join(f"127.0.0.1:{port}" for port in ports),
        "cluster.initial_cluster_manager_nodes": ",".join(map(str, range(nodes))),
    }
    made = Cluster(
        tuple(
            Node(
                folder / str(place),
                {"node.name": place, "transport.port": port, **shared},
                version=version,
                flags=_QUICK_START,
            )
            for place, port in enumerate(ports)
        )
    )
    with ExitStack() as stack:
        for each in made.nodes:
            stack.callback(each.stop)
            each.start()
        made.wait_until_green()
        yield made
