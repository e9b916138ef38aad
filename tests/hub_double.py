"""A model hub on loopback with the addresses that the real one documents, and with its troubles."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

LARGE = 10_000


class HubDouble:
    """``repositories`` maps owner/name to revisions, those to files. Large files are redirected to another host.

    ``breaks`` holds how many bytes each of the next answers of large files gets before the connection breaks;
    ``statuses`` what the next answers are instead, ``expired`` those of the other host; ``stall`` a size after which
    large answers wait for ``go_on``.
    """

    def __init__(self):
        self.repositories = {}
        self.commits = {}
        self.requests = []
        self.breaks = []
        self.statuses = []
        self.expired = []
        self.ranges = True
        self.blobs = True
        self.tampered = set()
        self.token = None
        self.stall = None
        self.stalled, self.go_on = threading.Event(), threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def port(self):
        return self._server.server_port

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def put(self, repository, files, revision="main"):
        """Commits these files and moves the revision there; returns the commit."""
        content = json.dumps({name: hashlib.sha256(data).hexdigest() for name, data in files.items()}, sort_keys=True)
        commit = hashlib.sha1(f"{repository}{content}".encode()).hexdigest()  # noqa: S324
        self.commits[repository, commit] = files
        self.repositories.setdefault(repository, {})[revision] = commit
        return commit

    def files_of(self, repository, revision):
        if repository not in self.repositories:
            return None, "RepoNotFound"
        commit = self.repositories[repository].get(revision, revision)
        if (repository, commit) not in self.commits:
            return None, "RevisionNotFound"
        return commit, self.commits[repository, commit]

    def fetched(self):
        """(name, Range) of every answer of a file's bytes."""
        return [(path.rpartition("/")[2], headers.get("Range")) for path, headers in self.requests if "/cdn/" in path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = urlsplit(self.path).path
        hub = self.hub
        hub.requests.append((path, dict(self.headers)))
        if hub.statuses and not path.startswith("/cdn/"):
            return self.refuse(*hub.statuses.pop(0))
        if hub.token and not path.startswith("/cdn/") and self.headers.get("Authorization") != f"Bearer {hub.token}":
            return self.refuse(403, "GatedRepo")
        if path.startswith("/api/models/"):
            return self.listing(path.removeprefix("/api/models/"))
        if path.startswith("/cdn/") and hub.expired:
            return self.refuse(hub.expired.pop(0))
        if path.startswith("/cdn/"):
            return self.file(path.removeprefix("/cdn/"))
        return self.resolve(path)

    def listing(self, path):
        repository, _, revision = path.partition("/revision/")
        commit, files = self.hub.files_of(repository, unquote(revision))
        if commit is None:
            return self.refuse(404, files)
        answer = {"id": repository, "sha": commit, "siblings": [self.sibling(*each) for each in files.items()]}
        return self.answer(json.dumps(answer).encode())

    def sibling(self, name, data):
        if not self.hub.blobs:
            return {"rfilename": name}
        shown = {"rfilename": name, "size": len(data), "blobId": git_hash(data)}
        if len(data) >= LARGE:
            shown["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
        return shown

    def resolve(self, path):
        repository, _, rest = path[1:].partition("/resolve/")
        revision, _, name = rest.partition("/")
        commit, files = self.hub.files_of(repository, unquote(revision))
        if commit is None or unquote(name) not in files:
            return self.refuse(404, files if commit is None else "EntryNotFound")
        self.send_response(302)
        self.send_header("Location", f"http://localhost:{self.hub.port}/cdn/{repository}/{commit}/{name}")
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def file(self, path):
        owner, repository, commit, name = unquote(path).split("/", 3)
        data = self.hub.commits[f"{owner}/{repository}", commit][name]
        if name in self.hub.tampered:
            data = bytes([data[0] ^ 1]) + data[1:]
        begin, given = 0, self.headers.get("Range")
        if given and self.hub.ranges:
            begin = int(given.removeprefix("bytes=").removesuffix("-"))
            if begin >= len(data):
                return self.refuse(416, "", {"Content-Range": f"bytes */{len(data)}"})
        self.send_response(206 if given and self.hub.ranges else 200)
        if given and self.hub.ranges:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - begin))
        self.end_headers()
        return self.send(data[begin:])

    def send(self, data):
        hub = self.hub
        if len(data) >= LARGE and hub.stall is not None:
            self.wfile.write(data[: hub.stall])
            self.wfile.flush()
            hub.stalled.set()
            hub.go_on.wait(30)
            self.close_connection = True
            return
        if len(data) >= LARGE and hub.breaks:
            self.wfile.write(data[: hub.breaks.pop(0)])
            self.close_connection = True
            return
        self.wfile.write(data)

    def refuse(self, status, reason="", headers=()):
        self.send_response(status)
        if reason:
            self.send_header("X-Error-Code", reason)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def git_hash(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # noqa: S324
