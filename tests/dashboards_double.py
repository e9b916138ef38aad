"""A double of the saved objects API of OpenSearch Dashboards, as src/core/server/saved_objects/routes/import.ts and
src/core/server/saved_objects/import answer. It keeps what was imported.
"""

import base64
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from dashboards_types import check_object


@dataclass
class Dashboards:
    """``trouble`` answers instead of the API: (status, headers, body), or "drop", or "hang"."""

    url: str = ""
    account: str = ""
    base: str = ""
    trouble: object = None
    refused: dict = field(default_factory=dict)
    kept: dict = field(default_factory=dict)
    seen: list = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def take(self, method, target, headers, body):
        """Status, headers and body of the answer."""
        self.seen.append((method, target, dict(headers), body))
        if self.trouble is not None:
            return self.trouble
        place = urlsplit(target)
        if self.account and headers.get("Authorization") != f"Basic {base64.b64encode(self.account.encode()).decode()}":
            return json_answer(401, {"statusCode": 401, "error": "Unauthorized", "message": "Authentication required"})
        if method != "POST" or place.path != f"{self.base}/api/saved_objects/_import":
            return json_answer(404, {"statusCode": 404, "error": "Not Found", "message": "Not Found"})
        if headers.get("osd-xsrf") != "true":
            return bad("Request must contain a osd-xsrf header.")
        if not headers.get("Content-Type", "").startswith("multipart/form-data"):
            return json_answer(415, {"statusCode": 415, "message": "Unsupported Media Type"})
        return self._import(parse_qs(place.query), headers, body)

    def _import(self, query, headers, body):
        whole = BytesParser().parsebytes(b"Content-Type: " + headers["Content-Type"].encode() + b"\r\n\r\n" + body)
        (part,) = whole.get_payload()
        if part.get_param("name", header="content-disposition") != "file":
            return bad("[request body.file]: expected value of type [Stream]")
        name = part.get_filename()
        if not name.endswith(".ndjson"):
            return bad(f"Invalid file extension {name}")
        try:
            lines = [json.loads(line) for line in part.get_payload(decode=True).decode().splitlines() if line]
        except ValueError as error:
            return bad(str(error))
        objects = [line for line in lines if "exportedCount" not in line]
        return json_answer(200, self._answer(objects, query.get("overwrite") == ["true"]))

    def _answer(self, objects, overwrite):
        here = {(each["type"], each["id"]) for each in objects} | set(self.kept)
        errors, done = [], []
        for each in objects:
            check_object(each)
            reason = self._reason(each, here, overwrite)
            name = {"id": each["id"], "type": each["type"], "meta": {"title": each["attributes"]["title"]}}
            (errors if reason else done).append(name | ({"error": reason} if reason else {}))
            if not reason:
                self.kept[each["type"], each["id"]] = each
        answer = {"success": not errors, "successCount": len(done), "successResults": done}
        return answer | ({"errors": errors} if errors else {})

    def _reason(self, each, here, overwrite):
        named = ((one["type"], one["id"]) for one in each["references"] if one["type"] in ("index-pattern", "search"))
        if missing := [{"type": kind, "id": id_} for kind, id_ in named if (kind, id_) not in here]:
            return {"type": "missing_references", "references": missing}
        if (each["type"], each["id"]) in self.kept and not overwrite:
            return {"type": "conflict"}
        return self.refused.get(each["type"])


def json_answer(status, body):
    return status, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(body).encode()


def bad(message):
    return json_answer(400, {"statusCode": 400, "error": "Bad Request", "message": message})


@contextmanager
def dashboards(tls=None):
    double = Dashboards()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            answer = double.take(self.command, self.path, self.headers, body)
            if answer == "hang":
                double.ended.wait(30)
            if answer in ("hang", "drop"):
                self.close_connection = True
                return
            status, headers, content = answer
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self):
            self.do_POST()

        def log_message(self, *_):
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = False

        def handle_error(self, request, address):
            """A client that does not trust the certificate hangs up."""

    with Quiet(("127.0.0.1", 0), Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        double.url = f"{'https' if tls else 'http'}://localhost:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield double
        finally:
            double.ended.set()
            server.shutdown()
            thread.join()
