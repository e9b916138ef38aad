"""What the gateway adds to a search on OpenSearch: 50,000 rows of 512 dimensions, n=10, one node.

Each HA query is sent to a gateway process, and the very body that the gateway sends to the cluster (the search and
its count) straight by opensearch-py, in turns, so that both see the same machine. Then 16 clients at once, with the
processor time of the gateway's processes per query. Starts a server of its own as the tests do, or takes one:

    PYTHONPATH=tests python bench/opensearch.py [--rows 50000] [--rounds 200] [--url http://127.0.0.1:9200]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
from opensearchpy import OpenSearch

from engines.contract import PoolQuery, TableSpec
from engines.opensearch.engine import OpenSearchEngine
from havengate.demo.process import gateway
from havengate.setting_groups import EngineSettings
from havengate.types import Compare, Field, Literal, Row
from schemas.resolve import resolve
from schemas.settings import TableSettings
from schemas.templates import template

DIMENSION, CALL, CENTRES, QUERIES, CLIENTS = 512, 1000, 500, 64, 16
Asked = Sequence[tuple[str, dict[str, Any]]]


def clustered(numbers: np.random.Generator, centres: np.ndarray, count: int) -> np.ndarray:
    near = centres[numbers.integers(len(centres), size=count)]
    return (near + 0.4 * numbers.standard_normal(near.shape)).astype(np.float32)


def fill(engine: OpenSearchEngine, numbers: np.random.Generator, centres: np.ndarray, count: int) -> float:
    """Seconds."""
    vendor = template("push")
    engine.create_table(TableSpec("t", resolve(vendor), vendor.to_json(), TableSettings(), {}))
    start = time.perf_counter()
    for first in range(0, count, CALL):
        vectors = clustered(numbers, centres, min(CALL, count - first))
        rows = [
            Row(str(key), {"id": key, "cate_id": key % 1000}, {"vector": vector})
            for key, vector in enumerate(vectors, first)
        ]
        engine.upsert("t", rows)
    return time.perf_counter() - start


def ha_body(vector: np.ndarray, below: int | None) -> bytes:
    floats = ",".join(f"{number:.6f}" for number in vector.tolist())
    condition = "" if below is None else f"&&filter=cate_id<{below}"
    rest = "config=start:0,hit:10,format:json&&cluster=t&&sort=+RANK&&kvpairs=formula:proxima_score(vector)"
    query = f"query=vector:'{floats}&n=10'&&{rest}{condition}"
    return json.dumps({"assemblyQuery": query}).encode()


def recorded(engine: OpenSearchEngine, client: OpenSearch, query: PoolQuery) -> Asked:
    """The calls that the engine makes for a query: method and arguments, in their order."""
    seen: list[tuple[str, dict[str, Any]]] = []

    class Recorder:
        def __getattr__(self, method: str) -> Callable[..., Any]:
            def call(**arguments: Any) -> Any:
                seen.append((method, arguments))
                return getattr(client, method)(**arguments)

            return call

    searches = engine._searches  # noqa: SLF001 - the bench looks over its shoulder
    inner, searches._client = searches._client, Recorder()  # noqa: SLF001
    try:
        engine.pool("t", query)
    finally:
        searches._client = inner  # noqa: SLF001
    return seen


def ask_gateway(connection: HTTPConnection, body: bytes) -> int:
    connection.request("POST", "/query", body, {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    assert not answer["errors"], answer["errors"]
    return len(answer["result"]["items"])


def ask_cluster(client: OpenSearch, asked: Asked) -> int:
    for method, arguments in asked:
        answer = getattr(client, method)(**arguments)
    return len(answer.get("responses", [answer])[0]["hits"]["hits"])


def milliseconds(call: Callable[..., int], *arguments: object) -> float:
    start = time.perf_counter()
    assert call(*arguments) == 10, "ten rows"
    return (time.perf_counter() - start) * 1000


def one_client(endpoint: str, url: str, bodies: list[bytes], asked: list[Asked], rounds: int) -> None:
    connection, client = HTTPConnection(endpoint), OpenSearch(hosts=[url])
    ours, theirs = [], []
    for place in range(rounds + 20):
        turn = place % QUERIES
        theirs.append(milliseconds(ask_cluster, client, asked[turn]))
        ours.append(milliseconds(ask_gateway, connection, bodies[turn]))
    ours, theirs = ours[20:], theirs[20:]
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"  1 client:   gateway p50 {a:.2f} ms, straight p50 {b:.2f} ms, ratio {a / b:.2f}")


def many_clients(endpoint: str, url: str, bodies: list[bytes], asked: list[Asked], rounds: int) -> None:
    def through(place: int) -> Callable[[], object]:
        connection = HTTPConnection(endpoint)
        return lambda: ask_gateway(connection, bodies[place])

    def straight(place: int) -> Callable[[], object]:
        client = OpenSearch(hosts=[url])
        return lambda: ask_cluster(client, asked[place])

    theirs, _ = together(straight, rounds)
    before = cpu_seconds()
    ours, seconds = together(through, rounds)
    cpu = (cpu_seconds() - before) * 1000 / len(ours)
    a, b = statistics.median(ours), statistics.median(theirs)
    print(
        f"  {CLIENTS} clients: gateway p50 {a:.1f} ms, straight p50 {b:.1f} ms, ratio {a / b:.2f}; "
        f"{len(ours) / seconds:.0f} queries/s; gateway CPU {cpu:.2f} ms a query"
    )


def together(make: Callable[[int], Callable[[], object]], rounds: int) -> tuple[list[float], float]:
    """Times in milliseconds of all clients' calls, and how many seconds they took in all."""
    times: list[float] = []

    def work(call: Callable[[], object]) -> None:
        for _ in range(rounds):
            start = time.perf_counter()
            call()
            times.append((time.perf_counter() - start) * 1000)

    threads = [threading.Thread(target=work, args=(make(place),)) for place in range(CLIENTS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times, time.perf_counter() - start


def cpu_seconds() -> float:
    """Of the processes below this one that serve, however they are nested."""
    ticks = os.sysconf("SC_CLK_TCK")
    children: dict[int, list[tuple[int, float, bytes]]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        used = (int(fields[11]) + int(fields[12])) / ticks
        children.setdefault(int(fields[1]), []).append((int(entry.name), used, command))
    total, open_ = 0.0, [os.getpid()]
    while open_:
        for pid, used, command in children.get(open_.pop(), []):
            open_.append(pid)
            total += 0.0 if b"java" in command else used
    return total


@contextmanager
def server(folder: Path, url: str | None) -> Iterator[str]:
    if url is not None:
        yield url
        return
    from opensearch_server.server import node

    with node(folder) as started:
        yield started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--url")
    arguments = parser.parse_args()
    numbers = np.random.default_rng(0)
    centres = numbers.standard_normal((CENTRES, DIMENSION)).astype(np.float32)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(server(folder / "node", arguments.url))
        prefix = f"bench-{uuid.uuid4().hex[:8]}-"
        engine = stack.enter_context(
            OpenSearchEngine.open(EngineSettings(hosts=url, index_prefix=prefix, timeout_s=120))
        )
        stack.callback(engine.drop_table, "t") if arguments.url else None
        seconds = fill(engine, numbers, centres, arguments.rows)
        print(f"{arguments.rows} rows written in {seconds:.0f} s, {arguments.rows / seconds:.0f} rows/s, {CALL} a call")
        os.environ |= {
            "HAVENGATE_ENGINE__KIND": "opensearch",
            "HAVENGATE_ENGINE__HOSTS": url,
            "HAVENGATE_ENGINE__INDEX_PREFIX": prefix,
        }
        endpoint = stack.enter_context(gateway(folder / "data"))
        vectors = clustered(numbers, centres, QUERIES)
        client = OpenSearch(hosts=[url])
        for below in (None, 500, 100):
            condition = None if below is None else Compare("<", Field("cate_id"), Literal(below))
            kept = "no filter" if below is None else f"filter keeps {below / 10:.0f} %"
            bodies = [ha_body(vector, below) for vector in vectors]
            asked = [
                recorded(engine, client, PoolQuery("vector", vector[None], 10, filter=condition)) for vector in vectors
            ]
            print(f"{kept}, {len(asked[0])} round trips")
            one_client(endpoint, url, bodies, asked, arguments.rounds)
            many_clients(endpoint, url, bodies, asked, max(10, arguments.rounds // 8))


if __name__ == "__main__":
    main()
