"""What the gateway adds to a picture query of 1 MB, by GET and by POST.

Beside it runs a bare WSGI application on the same server class that gives the same bytes back. Requests alternate
between the two and the model, so that all see the same machine. Prints medians in milliseconds, by a bare socket
and by the vendor's SDK, and (gateway - model) / echo, where "model" is Base64, decoding and embedding of that
picture, measured in this process.

    python bench/gateway_overhead.py [--rounds 30] [--size 1000000]
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlparse

from alibabacloud_ha3engine import client, models

from gateway.server import Site, serve
from havengate.settings import Settings

TABLE = "photos"
MODEL = "builtin"
WARM_UP = 3


def echo(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
    """The query string of a GET, the body of a POST."""
    size = int(environ.get("CONTENT_LENGTH") or 0)
    data = environ["wsgi.input"].read(size) if size else environ["QUERY_STRING"].encode("latin-1")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(data)))])
    return [data]


def serve_echo(data_dir: str) -> None:
    serve(Settings(data_dir=Path(data_dir)), "127.0.0.1", 0, app_factory=lambda _settings: Site(echo))


def serve_gateway(data_dir: str) -> None:
    serve(Settings(data_dir=Path(data_dir)), "127.0.0.1", 0)


@contextmanager
def running(target: Callable[[str], None], data_dir: str) -> Iterator[HTTPConnection]:
    """A connection to a server in a process of its own, once it answers /readyz with anything but 503."""
    process = multiprocessing.get_context("spawn").Process(target=target, args=(data_dir,))
    process.start()
    file = Path(data_dir) / "server.json"
    while not file.exists():
        assert process.is_alive()
        time.sleep(0.05)
    connection = HTTPConnection(urlparse(json.loads(file.read_text())["url"]).netloc, timeout=60)
    while send(connection, "GET", "/readyz")[0] == 503:
        time.sleep(0.1)
    try:
        yield connection
    finally:
        connection.close()
        process.terminate()
        process.join()


def send(connection: HTTPConnection, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.read()


def by_socket(connection: HTTPConnection, arguments: tuple[str, str, bytes | None]) -> str:
    """The server's time and the wire's: the request is there as bytes."""
    status, body = send(connection, *arguments)
    assert status == 200
    return body.decode()


def by_sdk(connection: HTTPConnection, query: str, method: str) -> str:
    """What a user waits for: the vendor's client, which encodes the query each time."""
    config = models.Config(
        endpoint=f"{connection.host}:{connection.port}",
        instance_id="",
        protocol="http",
        access_user_name="a",
        access_pass_word="b",  # noqa: S106 - neither server asks for one
    )
    request = models.SearchRequestModel({}, models.SearchQuery(query=query), method=method)
    return str(client.Client(config).search(request).body)


def timed(call: Callable[..., Any], *arguments: object) -> tuple[float, Any]:
    """Milliseconds and the result."""
    start = time.perf_counter()
    result = call(*arguments)
    return (time.perf_counter() - start) * 1000, result


def photo(size: int) -> bytes:
    """A JPEG of about ``size`` bytes: the bundled photos side by side, as large as it takes."""
    from PIL import Image

    import examples

    paths = sorted((examples.folder() / "general").glob("*.jpg"))
    side, data = 400, b""
    while len(data) < size:
        sheet = Image.new("RGB", (6 * side, 5 * side))
        for place, path in enumerate(paths[:30]):
            with Image.open(path) as picture:
                tile = picture.convert("RGB").resize((side, side))
            sheet.paste(tile, (place % 6 * side, place // 6 * side))
        out = io.BytesIO()
        sheet.save(out, "JPEG", quality=90)
        data, side = out.getvalue(), side + 20
    return data


def fill(data_dir: str, picture: bytes) -> None:
    """One table with the picture in it."""
    from havengate.documents import Command
    from havengate.services import services
    from schemas.settings import TableSettings
    from schemas.templates import template

    with services(Settings(data_dir=Path(data_dir))) as opened:
        table = opened.tables.create(TABLE, template("base64", model=MODEL), TableSettings())
        row = {"id": 1, "vector_source_image": base64.b64encode(picture).decode(), "cate_id": 1}
        report = opened.documents.push(table, [Command("add", row)])
        assert not report.failures, report.failures


@contextmanager
def model_alone(picture: bytes) -> Iterator[Callable[[], object]]:
    """What a search does with the picture alone: Base64, decoding, embedding."""
    from embedding.service import EmbeddingService
    from havengate.images import decode_base64, decode_picture

    settings = Settings()
    embedding = EmbeddingService(settings.embedding)
    text = base64.b64encode(picture).decode()
    yield lambda: embedding.embed_pictures(MODEL, [decode_picture(decode_base64(text), settings.limits)])
    embedding.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--size", type=int, default=1_000_000, help="bytes of the picture file")
    options = parser.parse_args()
    picture = photo(options.size)
    content = base64.b64encode(picture).decode()
    query = f"query=vector:'{content}&modal=image&n=10'&&config=start:0,hit:10,format:json&&cluster={TABLE}"
    bare = {
        "GET": ("GET", f"/query?query={quote_plus(query)}", None),
        "POST": ("POST", "/query", json.dumps({"assemblyQuery": query}).encode()),
    }
    requests: dict[str, Callable[[HTTPConnection], str]] = {
        name: partial(by_socket, arguments=arguments) for name, arguments in bare.items()
    } | {f"SDK {name}": partial(by_sdk, query=query, method=name) for name in bare}
    model_times: list[float] = []
    times = {(name, server): [] for name in requests for server in ("echo", "gateway")}
    with ExitStack() as stack:
        folders = [stack.enter_context(tempfile.TemporaryDirectory()) for _ in range(2)]
        fill(folders[1], picture)
        servers = {
            "echo": stack.enter_context(running(serve_echo, folders[0])),
            "gateway": stack.enter_context(running(serve_gateway, folders[1])),
        }
        embed = stack.enter_context(model_alone(picture))
        for turn in range(options.rounds + WARM_UP):
            model_times += [timed(embed)[0]]
            for (name, server), seen in times.items():
                milliseconds, body = timed(requests[name], servers[server])
                assert server == "echo" or json.loads(body)["result"]["numHits"] == 1, body[:500]
                if turn >= WARM_UP:
                    seen.append(milliseconds)
    model = statistics.median(model_times[WARM_UP:])
    print(f"picture {len(picture)} bytes, {options.rounds} rounds, medians in ms; the model's own time {model:.1f}")
    for name in requests:
        echo_ms, gateway_ms = (statistics.median(times[name, server]) for server in ("echo", "gateway"))
        ratio = (gateway_ms - model) / echo_ms
        print(f"{name:8}  echo {echo_ms:6.1f}  gateway {gateway_ms:6.1f}  (gateway - model) / echo = {ratio:.2f}")


if __name__ == "__main__":
    main()
