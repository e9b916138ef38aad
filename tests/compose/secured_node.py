"""The tests' OpenSearch with its real security plugin, configured as the compose file configures the container's."""

from __future__ import annotations

import json
import re
import shutil
import ssl
import urllib.error
import urllib.request
import zipfile
from base64 import b64encode
from pathlib import Path

from compose_file import COMPOSE
from opensearch_server.artifacts import CACHE, _run
from opensearch_server.jdk import Missing
from opensearch_server.releases import DEFAULT, RELEASES
from opensearch_server.server import Node, free_port

PLUGIN = "org.opensearch.security.OpenSearchSecurityPlugin"
VERSION = "2.19.4.0"
"""The newest of 2.19 on Maven Central; the API that plugins see is that of 2.19.6."""
_SETTING = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")
"""What the image's start script takes for a setting among the environment's variables."""
_NOT_HERE = {"bootstrap.memory_lock"}
"""Needs a right that tests do not have."""


class SecuredNode(Node):
    """``environment`` is that of the compose file's service; ``folder`` has ``node`` with its certificate and key."""

    def __init__(self, folder, environment, authority):
        config = folder / "server" / "config"
        plugin = _plugin()
        shutil.copytree(plugin / "config", config / "opensearch-security")
        for file in (COMPOSE / "opensearch").iterdir():
            shutil.copy(file, config / "opensearch-security")
        shutil.copytree(folder / "node", config / "node")
        settings = {
            name: value for name, value in environment.items() if _SETTING.match(name) and name not in _NOT_HERE
        }
        release = RELEASES[DEFAULT]
        super().__init__(folder / "server", {"transport.port": free_port(), **settings}, version=release.version)
        self._add_plugin(plugin)
        self.url = self.url.replace("http://127.0.0.1", "https://localhost")
        self._context = ssl.create_default_context(cafile=authority)
        self._admin = "admin", environment["OPENSEARCH_ADMIN_PASSWORD"]

    def _add_plugin(self, plugin):
        place = self._command.index("-cp") + 1
        lib = self._command[place].rpartition(":")[2].removesuffix("/*")
        there = {_artifact(jar.name) for jar in Path(lib).glob("*.jar")}
        jars = [str(jar) for jar in plugin.glob("*.jar") if _artifact(jar.name) not in there]
        self._command[place] = ":".join([self._command[place], *jars])
        names = self._command.index("TestNode") + 2
        self._command[names] += f",{PLUGIN}"

    def ask(self, path):
        return json.loads(self.sent("GET", path, *self._admin)[1])

    def sent(self, method, path, user, password):
        """(status, body)"""
        basic = b64encode(f"{user}:{password}".encode()).decode()
        request = urllib.request.Request(self.url + path, method=method, headers={"Authorization": f"Basic {basic}"})
        try:
            with urllib.request.urlopen(request, timeout=20, context=self._context) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            if error.code == 503:  # security is not there yet
                raise urllib.error.URLError("not yet") from error
            return error.code, error.read()


def _plugin():
    """The folder of the plugin, fetched once. Raises Missing, Failed."""
    home = CACHE / f"opensearch-security-{VERSION}"
    if not home.exists():
        if shutil.which("mvn") is None:
            raise Missing("mvn is not installed (Debian: maven)")
        fresh = home.with_name(f".{home.name}")
        artifact = f"org.opensearch.plugin:opensearch-security:{VERSION}:zip"
        _run(["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={fresh}"])
        (archive,) = fresh.glob("*.zip")
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(fresh)
        archive.unlink()
        fresh.rename(home)
    return home


def _artifact(name):
    return re.sub(r"-\d[\w.\-]*\.jar$", "", name)
