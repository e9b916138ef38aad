"""The commands' road to a server, where that server is another one from one call to the next."""

import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from havengate.cli.files import bring
from havengate.cli.ingest import absolute
from havengate.cli.remote import RemoteAdministration
from havengate.errors import RequestError, SourceError, Unauthorized


@pytest.fixture
def record(tmp_path):
    """Writes server.json for a server that takes ``taken`` and says before its first answer what it says then."""
    servers = []

    def serve(taken, then):
        class Answers(BaseHTTPRequestHandler):
            def do_GET(self):
                write(then)
                right = self.headers["Authorization"] == f"Bearer {taken}"
                body = json.dumps({"jobs": [{"id": 1}]} if right else {"code": "401", "message": "Unauthorized"})
                self.send_response(200 if right else 401)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Answers)
        servers.append(server)
        Thread(target=server.serve_forever).start()

        def write(token):
            said = {"url": f"http://127.0.0.1:{server.server_port}", "pid": os.getpid(), "token": token}
            (tmp_path / "server.json").write_text(json.dumps(said))

        write("of the worker that was killed")
        return RemoteAdministration(tmp_path, "ada")

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_worker_that_follows_a_killed_one_answers_with_its_own_token(record):
    assert record("new", then="new").jobs() == [{"id": 1}]


def test_a_token_that_is_wrong_for_good_is_told(record):
    with pytest.raises(Unauthorized, match="401"):
        record("new", then="of the worker that was killed").jobs()


def test_what_is_no_file_is_not_copied_for_the_server(tmp_path):
    for path in (Path(os.devnull), tmp_path):
        with pytest.raises(SourceError, match="not a file"):
            bring(path, tmp_path / "backups" / "copy.tar")
    assert not (tmp_path / "backups").exists()


def test_a_backup_for_a_folder_that_is_not_there_is_not_begun(tmp_path):
    # Nobody serves this folder: asking would be another error.
    with pytest.raises(RequestError, match=f"no folder {tmp_path}/nope"):
        RemoteAdministration(tmp_path, "ada").backup("t", tmp_path / "nope" / "t.tar")


def test_no_source_is_not_the_working_folder():
    assert absolute("") == ""
    assert absolute("pictures") == str(Path("pictures").absolute())
