"""A local double of MaxCompute and its tunnel, for pyodps' own client.

What it is asked and what it answers follow pyodps: table and partition metadata as its models parse them, download
sessions as its tunnel opens them, records in the bytes of its own writer, requests signed as its account signs them.
The real service was never asked.
"""

import io
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import requests
from odps.accounts import CloudAccount
from odps.config import option_context
from odps.models import Record, TableSchema
from odps.tunnel.io.writer import BaseRecordWriter

KEY_ID, KEY_SECRET = "LTAI-double-id", "double-secret-never-shown"


@dataclass
class Part:
    rows: list
    modified: int = 1_700_000_000


@dataclass
class Data:
    """A table: columns and partition keys as (name, type), rows by partition, None for a table without."""

    columns: list
    keys: list = field(default_factory=list)
    parts: dict = field(default_factory=dict)

    def schema(self):
        names, types = zip(*self.columns, strict=True)
        key_names, key_types = zip(*self.keys, strict=True) if self.keys else ((), ())
        return TableSchema.from_lists(names, types, key_names, key_types)

    def meta(self, **more):
        def listed(columns):
            return [{"name": name, "type": kind, "label": "", "isNullable": True} for name, kind in columns]

        return {"columns": listed(self.columns), "partitionKeys": listed(self.keys), **more}


class MaxComputeDouble:
    """``tables`` by name of the project "shop". ``fail`` is asked about each request first: (status, code) or None."""

    def __init__(self, tables):
        self.tables = tables
        self.asked = []
        self.fail = lambda _method, _path, _query: None
        self.cut_streams = 0
        self.live = set()
        self._sessions = 0
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body in one packet: the kernel holds a second one back for a while.
            wbufsize = 1 << 16

            def log_message(self, *_):
                pass

            def do_GET(self):
                double.answer(self)

            def do_POST(self):
                double.answer(self)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}/api"

    def answer(self, handler):
        length = int(handler.headers.get("Content-Length") or 0)
        handler.rfile.read(length)
        url = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        path = unquote(url.path).removeprefix("/api")
        self.asked.append((handler.command, path, query))
        failure = self.fail(handler.command, path, query) or self._refusal(handler)
        status, body, kind = self._error(*failure) if failure else self._found(path, query)
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("x-odps-request-id", "0123")
        cut = kind == "application/octet-stream" and self.cut_streams > 0
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        self.cut_streams -= cut
        handler.wfile.write(body[: len(body) // 2] if cut else body)
        handler.close_connection = handler.close_connection or cut

    def _refusal(self, handler):
        given = requests.Request(handler.command, f"{self.endpoint}{handler.path.removeprefix('/api')}").prepare()
        given.headers.update({name.lower(): value for name, value in handler.headers.items()})
        signed = given.headers.pop("authorization", "")
        region = (re.match(r"ODPS [^:]*/\d{8}/([^/]+)/odps/", signed) or [None, None])[1]
        CloudAccount(KEY_ID, KEY_SECRET).sign_request(given, self.endpoint, region_name=region)
        if signed != given.headers["Authorization"]:
            return 401, "ODPS-0410031", f"Authentication failed - the specified AccessKey {signed} cannot be verified"
        return None

    def _error(self, status, code, message="refused by the double"):
        said = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
        return _xml(f"<Error>{said}<RequestId>0123</RequestId><HostId>h</HostId></Error>", status)

    def _found(self, path, query):
        if path == "/projects/shop/tunnel":
            return 200, f"{self.endpoint.removeprefix('http://')}".encode(), "text/plain"
        match = re.fullmatch(r"/projects/shop/tables/(\w+)", path)
        table = match and self.tables.get(match[1])
        if table is None:
            return self._error(404, "NoSuchTable" if match else "NoSuchProject")
        answers = {
            "downloads": self._session,
            "data": self._stream,
            "partitions": self._partitions,
            "partition": self._partition,
        }
        asked = next((answer for name, answer in answers.items() if name in query), self._table)
        return asked(table, query)

    def _table(self, table, _query):
        part = table.parts.get(None)
        name = next(name for name, data in self.tables.items() if data is table)
        schema = json.dumps(table.meta(**({"lastModifiedTime": part.modified} if part else {})))
        return _xml(f"<Table><Name>{name}</Name><Schema format='Json'><![CDATA[{schema}]]></Schema></Table>")

    def _partitions(self, table, query):
        prefix = query.get("partition", "").replace("'", "")
        found = [spec for spec in table.parts if spec.startswith(prefix)]
        # Two to a page, so that a list takes several.
        start = int(query.get("marker") or 0)
        marker = str(start + 2) if start + 2 < len(found) else ""
        parts = "".join(f"<Partition>{_columns(spec)}</Partition>" for spec in found[start : start + 2])
        return _xml(f"<Partitions><Marker>{marker}</Marker><MaxItems>2</MaxItems>{parts}</Partitions>")

    def _partition(self, table, query):
        part = table.parts.get(query["partition"].replace("'", ""))
        if part is None:
            return self._error(404, "NoSuchPartition")
        meta = json.dumps({"createTime": 1, "lastDDLTime": 1, "lastModifiedTime": part.modified, "partitionSize": 1})
        return _xml(f"<Partition><Schema><![CDATA[{meta}]]></Schema></Partition>")

    def _session(self, table, query):
        part = table.parts.get(query.get("partition"))
        if part is None:
            return self._error(404, "NoSuchPartition")
        self._sessions += 1
        self.live.add(str(self._sessions))
        body = {
            "DownloadID": str(self._sessions),
            "Status": "normal",
            "RecordCount": len(part.rows),
            "Owner": "o",
            "Initiated": "now",
            "Schema": table.meta(IsVirtualView=False),
        }
        return 200, json.dumps(body).encode(), "application/json"

    def _stream(self, table, query):
        if query["downloadid"] not in self.live:
            return self._error(400, "NoSuchDownload")
        start, count = (int(part) for part in re.findall(r"\d+", query["rowrange"]))
        names = query["columns"].split(",")
        schema = TableSchema.from_lists(names, [dict(table.columns)[name] for name in names])
        out = io.BytesIO()
        # As bytes, so that a text can be one that is not UTF-8.
        with option_context() as options:
            options.tunnel.string_as_binary = True
            writer = BaseRecordWriter(schema, out)
            for row in table.parts[query.get("partition")].rows[start : start + count]:
                writer.write(Record(schema=schema, values=[row.get(name) for name in names]))
            writer.close()
        return 200, out.getvalue(), "application/octet-stream"


def _xml(text, status=200):
    return status, f'<?xml version="1.0"?>\n{text}'.encode(), "application/xml"


def _columns(spec):
    return "".join(f"<Column Name='{key}' Value='{value}'/>" for key, value in (p.split("=") for p in spec.split(",")))


@contextmanager
def maxcompute(tables):
    double = MaxComputeDouble(tables)
    thread = threading.Thread(target=double.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield double
    finally:
        double.server.shutdown()
        double.server.server_close()
        thread.join()
