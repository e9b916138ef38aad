"""`havengate serve` in processes of its own, over a folder that commands use at the same time."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from support import run_cli


class Served:
    """``log`` is all that the server says on stdout and stderr, over all its starts."""

    def __init__(self, data_dir, **env):
        self.data_dir = data_dir
        self.log = data_dir.parent / f"{data_dir.name}.log"
        self._env = os.environ | {"HAVENGATE_DATA_DIR": str(data_dir)} | env
        self.start()

    def start(self):
        command = [sys.executable, "-m", "havengate", "serve", "--port", "0"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self._env, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self._process.stdout.readline()
        with self.log.open("a") as log:
            log.write(line)
        assert line.startswith("havengate serves"), self.log.read_text()

    @property
    def record(self):
        """What server.json says."""
        return json.loads((self.data_dir / "server.json").read_text())

    def cli(self, *arguments, **options):
        return run_cli(self.data_dir, *arguments, **options)

    def ask(self, method, path, body=None, **headers):
        """(status, JSON)."""
        data = None if body is None else json.dumps(body).encode()
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers |= {"Content-Type": "application/json"} if data else {}
        request = urllib.request.Request(self.record["url"] + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def job(self, number):
        status, job = self.ask("GET", f"/admin/jobs/{number}", Authorization=f"Bearer {self.record['token']}")
        assert status == 200, job
        return job

    def until(self, number, condition):
        """The job as it is when the condition holds."""
        while not condition(job := self.job(number)):
            time.sleep(0.02)
        return job

    def backup(self, table, file):
        token = f"Bearer {self.record['token']}"
        return self.ask("POST", f"/admin/tables/{table}/backup", {"file": file}, Authorization=token)

    def signal(self, number):
        self._process.send_signal(number)

    def stop(self):
        self._process.terminate()
        self._process.communicate(timeout=60)
        return self._process.returncode

    def kill(self):
        """Both processes at once, as a machine that goes down would."""
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            os.kill(each, signal.SIGKILL)
        self._process.communicate()
