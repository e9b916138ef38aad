"""A cluster that is away, too old, of another product, or closed to the user."""

from __future__ import annotations

import base64
import socket
import threading
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from engines.opensearch.engine import OpenSearchEngine
from havengate.errors import EngineError
from havengate.settings import EngineSettings


@pytest.fixture
def settings(opensearch_url):
    return EngineSettings(hosts=opensearch_url, index_prefix=f"test-{uuid.uuid4().hex[:12]}-", timeout_s=60)


def test_a_cluster_that_is_away_is_named_and_found_again(settings, opensearch_url):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with (
            OpenSearchEngine.open(settings.model_copy(update={"hosts": away})) as engine,
            pytest.raises(EngineError, match="cannot be reached"),
        ):
            engine.table_names()
        both = settings.model_copy(update={"hosts": f"{away}, {opensearch_url}"})
        with OpenSearchEngine.open(both) as engine:
            assert [engine.table_names() for _ in range(4)] == [[]] * 4


ANSWERS = {
    "elasticsearch": ('{"version": {"number": "8.1.0"}}', "another product"),
    "old": ('{"version": {"number": "2.3.0", "distribution": "opensearch"}}', "too old"),
    "no plugin": ('{"version": {"number": "2.19.6", "distribution": "opensearch"}}', "no k-NN plugin"),
}


def answer(status, text):
    """A server that gives one answer to ``/`` and knows nothing else; it keeps the headers that it saw."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.seen.append(self.headers)
            known = self.path == "/"
            self.send_response(status if known else 400)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(text.encode() if known else b'{"error": "no handler found"}')

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.seen = []
    return server


@contextmanager
def refused(status, text, message, **rest):
    with answer(status, text) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = EngineSettings(hosts=f"http://127.0.0.1:{server.server_port}", **rest)
        with OpenSearchEngine.open(settings) as engine, pytest.raises(EngineError, match=message) as caught:
            engine.table_names()
        server.shutdown()
        yield server, caught.value.message


@pytest.mark.parametrize("name", ANSWERS)
def test_a_cluster_that_cannot_serve_is_refused(name):
    with refused(200, *ANSWERS[name]):
        pass


def test_a_user_that_the_cluster_does_not_know_is_told_so():
    with refused(401, "Unauthorized", "HAVENGATE_ENGINE__USER", user="scott", password="tiger") as (server, message):
        assert server.seen[0]["Authorization"] == f"Basic {base64.b64encode(b'scott:tiger').decode()}"
        assert "tiger" not in message
