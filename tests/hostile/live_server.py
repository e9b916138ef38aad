"""`havengate serve` in a process of its own, with a table of pictures, and what can be read of its memory."""

import base64
import json
import re
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from colour_model import picture

from havengate.demo.process import gateway
from schemas.templates import template

MIB = 1 << 20


class Live:
    def __init__(self, data_dir, endpoint):
        self.data_dir = data_dir
        self.endpoint = endpoint
        host, _, port = endpoint.rpartition(":")
        self.address = (host, int(port))
        self._token = json.loads((data_dir / "server.json").read_text())["token"]

    def send(self, method, path, body=None, **headers):
        """(status, content type, bytes)."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"} | headers
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(f"http://{self.endpoint}{path}", data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(asked, timeout=200) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"], error.read()

    def json(self, method, path, body=None):
        status, _, data = self.send(method, path, body)
        assert status in (200, 201), (status, data[:300])
        return json.loads(data)

    @property
    def worker(self):
        """The process that serves; its parent only watches it."""
        master = json.loads((self.data_dir / "server.json").read_text())["pid"]
        (worker,) = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return worker

    def resident(self, peak=False):
        """Bytes now, or the most since ``forget_peak``."""
        status = Path(f"/proc/{self.worker}/status").read_text()
        return int(re.search(rf"{'VmHWM' if peak else 'VmRSS'}:\s+(\d+) kB", status)[1]) * 1024

    def forget_peak(self):
        Path(f"/proc/{self.worker}/clear_refs").write_text("5")


@contextmanager
def serving(data_dir):
    """With the empty but for one row table `photos` of Base64 pictures."""
    with gateway(data_dir) as endpoint:
        live = Live(data_dir, endpoint)
        live.json("POST", "/admin/tables", {"name": "photos", "schema": template("base64").to_json()})
        row = {"id": 0, "vector_source_image": base64.b64encode(picture("red")).decode()}
        pushed = live.json("POST", "/update/photos/actions/bulk", [{"cmd": "add", "fields": row}])
        assert pushed["status"] == "OK"
        yield live
