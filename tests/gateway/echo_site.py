"""A live server over a bare application that answers with the lengths of what came: run as a script."""

import json
import os
import sys
import time
from itertools import count
from pathlib import Path

from gateway.server import Site, serve
from havengate.errors import DataFolderBusy, HavengateError
from havengate.settings import Settings


def application(environ, start_response):
    size = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(size)
    answer = json.dumps(
        {
            "query": len(environ["QUERY_STRING"]),
            "head": environ["QUERY_STRING"][:40],
            "body": len(body),
            "pid": os.getpid(),
            "scheme": environ["wsgi.url_scheme"],
        }
    ).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]


def open_echo(_settings):
    return Site(application)


def open_waiting(settings):
    """Every request but those for /now starts, says so, and ends when there is a file named go."""
    folder, started, closed = settings.data_dir, count(1), []

    def wait(environ, start_response):
        if environ["PATH_INFO"] != "/now":
            (folder / f"started-{next(started)}").touch()
            while not (folder / "go").exists():
                time.sleep(0.01)
        answer = json.dumps({"closed": bool(closed)}).encode()
        start_response("200 OK", [("Content-Length", str(len(answer)))])
        return [answer]

    return Site(wait, lambda: closed.append(True))


def open_busy(_settings):
    raise DataFolderBusy("the data folder is in use by process 1")


def open_broken(_settings):
    raise ZeroDivisionError


def main(factory, data_dir, port, server="{}"):
    """``server``: settings of that group in JSON."""
    server = {"threads": 4, "client_timeout_s": 2} | json.loads(server)
    settings = Settings(data_dir=Path(data_dir), server=server)
    try:
        serve(settings, "127.0.0.1", int(port), app_factory=globals()[factory])
    except HavengateError as error:
        print(f"{type(error).__name__}: {error.message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
