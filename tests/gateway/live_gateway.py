"""The real gateway in processes of its own, and the vendor's SDK pointed at it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from alibabacloud_ha3engine import client, models

import examples

CLOTHES = Path(examples.__file__).parent / "clothes"


class LiveGateway:
    """`havengate serve` on a free port, over one data folder."""

    def __init__(self, data_dir):
        environment = os.environ | {"HAVENGATE_DATA_DIR": str(data_dir)}
        command = [sys.executable, "-m", "havengate", "serve", "--port", "0"]
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        self.endpoint = self._process.stdout.readline().strip().rpartition("/")[2]

    def wait_until_ready(self):
        while True:
            try:
                return self.send("GET", "/readyz")
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise
                time.sleep(0.1)

    def send(self, method, path, body=None, **headers):
        """The answer's JSON."""
        request = urllib.request.Request(f"http://{self.endpoint}{path}", data=body, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def stop(self):
        self._process.terminate()
        self._process.communicate(timeout=30)

    def kill(self):
        """Both processes at once, as a machine that goes down would."""
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            os.kill(each, signal.SIGKILL)
        self._process.communicate()


class Sdk:
    """The vendor's client, its answers read as JSON."""

    def __init__(self, endpoint):
        config = models.Config(
            endpoint=endpoint, instance_id="", protocol="http", access_user_name="demo", access_pass_word="demo"
        )
        self._client = client.Client(config)

    def search(self, query, method="GET"):
        request = models.SearchRequestModel({}, models.SearchQuery(query=query), method=method)
        return json.loads(self._client.search(request).body)

    def push(self, source, documents):
        return json.loads(
            self._client.push_documents(source, "id", models.PushDocumentsRequestModel({}, documents)).body
        )


def sample_files(step):
    """Every ``step``-th of the bundled clothing photos, by name."""
    return [path.name for path in sorted(CLOTHES.glob("*.jpg"))[::step]]
