"""What the compose file runs in containers, run outside of them: the same commands under the same environment.

Instead of its OpenSearch there is the tests' own behind TLS, in the long test with the security plugin; instead of its
S3 server there is moto. Names of hosts and folders of the containers are replaced, and nothing else.
"""

import os
import shlex
import ssl
import subprocess
import sys
import time
import uuid
from base64 import b64encode
from contextlib import contextmanager
from pathlib import Path

import pytest
from compose_file import COMPOSE, ROOT, raw, read_env, services
from opensearch_server.fixture import or_skip
from opensearch_server.jdk import Missing
from opensearch_server.proxy import Proxy
from opensearch_server.server import free_port
from secured_node import SecuredNode

START_S = 90
TABLE_ROWS = 2


class Stack:
    """Services by name; paths and hosts of containers stand for those of this machine."""

    def __init__(self, folder, env, *, cluster, store, **more):
        self.folder = folder
        self.env = env
        self.port = free_port()
        self._more = more
        self._places = {
            "https://opensearch:9200": cluster,
            "http://s3:7070": store,
            "/var/lib/havengate": str(folder / "data"),
            "/etc/havengate/authority": str(folder / "authority"),
            "/opt/havengate/compose": str(COMPOSE),
            "8000": str(self.port),
        }
        self._services = services(env)
        (folder / "data").mkdir()

    def here(self, text):
        for there, here in self._places.items():
            text = text.replace(there, here)
        return text

    def environment(self, name):
        given = self._services[name]["environment"]
        own = {key: value for key, value in os.environ.items() if not key.startswith("HAVENGATE_")}
        own |= self._more | {"PATH": f"{Path(sys.executable).parent}:{own['PATH']}"}
        return own | {key: self.here(value) for key, value in given.items()}

    def command(self, name):
        service = self._services[name]
        words = service.get("entrypoint", ["havengate"]) + service["command"]
        return [sys.executable if word == "python" else self.here(word) for word in words]

    def run(self, name):
        """One shot; what it said."""
        done = self._do(name, self.command(name))
        assert done.returncode == 0, done.stderr
        return done.stdout

    def health(self, name):
        kind, *words = self._services[name]["healthcheck"]["test"]
        assert kind == "CMD"
        return self._do(name, [self.here(word) for word in words]).returncode

    def until_healthy(self, name):
        deadline = time.monotonic() + START_S
        while self.health(name):
            assert time.monotonic() < deadline, self.said(name)
            time.sleep(0.3)

    def _do(self, name, command):
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(name),
            capture_output=True,
            text=True,
            check=False,
            timeout=START_S,
        )

    def said(self, name):
        return (self.folder / f"{name}.log").read_text()

    @contextmanager
    def up(self, name):
        """Ends as `docker stop` does; leaves with 0."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                self.command(name), cwd=self.folder, env=self.environment(name), stdout=log, stderr=log
            )
        try:
            yield process
        finally:
            process.terminate()
            status = process.wait(40)
        assert status == 0, self.said(name)

    def smoke(self, **env):
        environment = os.environ | {
            "ENV_FILE": str(self.folder / ".env"),
            "GATEWAY_URL": f"http://127.0.0.1:{self.port}",
            "DASHBOARDS_URL": "none",
            "WAIT_S": "5",
        }
        return subprocess.run(
            ["sh", COMPOSE / "smoke.sh"],
            env=environment | env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def env(tmp_path):
    file = tmp_path / ".env"
    subprocess.run(["sh", COMPOSE / "env.sh", file], check=True, capture_output=True)
    certificates(tmp_path)
    return read_env(file)


@pytest.fixture
def stack(tmp_path, env, opensearch_url, store):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "node" / "node.pem", tmp_path / "node" / "node.key")
    prefix = {"HAVENGATE_ENGINE__INDEX_PREFIX": f"test-{uuid.uuid4().hex[:12]}-"}
    with Proxy(opensearch_url, tls=context) as proxy:
        yield Stack(tmp_path, env, cluster=proxy.url, store=store.endpoint, **prefix)


@pytest.fixture
def secured(tmp_path, env):
    """A node that asks who comes, with the users of the compose file."""
    try:
        node = SecuredNode(tmp_path, services(env)["opensearch"]["environment"], tmp_path / "authority" / "ca.pem")
    except Missing as missing:
        or_skip(missing)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        node.start()
    try:
        node.wait_until("green")
        yield node
    finally:
        node.stop()


def certificates(folder):
    """What the one-shot of that name makes."""
    service = raw()["services"]["certificates"]
    for name in ("node", "authority"):
        (folder / name).mkdir(exist_ok=True)
    script, *folders = [Path(word).name for word in service["entrypoint"][1:]]
    command = ["sh", COMPOSE / script, *(folder / name for name in folders)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_gateway_and_worker_run_as_the_compose_file_says(stack, store):
    assert "made the bucket havengate" in stack.run("setup")
    assert stack.run("setup") == ""
    assert stack.health("gateway") != 0
    with stack.up("gateway"), stack.up("worker"):
        stack.until_healthy("gateway")
        stack.until_healthy("worker")
        done = stack.smoke()
        assert done.returncode == 0, done.stdout + done.stderr + stack.said("gateway")
        said = done.stdout.splitlines()
        assert (said[0], "--  Dashboards was not asked" in said) == ("ok  the gateway is ready", True)
        assert len([path for path in store.paths("PUT") if path.startswith("/havengate/pictures/")]) >= TABLE_ROWS
        with Proxy() as dashboards:
            check_dashboards(stack, dashboards)
        wrong = stack.folder / "wrong"
        wrong.write_text((stack.folder / ".env").read_text().replace(stack.env["GATEWAY_ADMIN_PASSWORD"], "other"))
        refused = stack.smoke(ENV_FILE=str(wrong))
        assert (refused.returncode, "a table is made: HTTP 401" in refused.stderr) == (1, True), refused.stderr
    secrets = [value for name, value in stack.env.items() if len(value) == 48]
    told = stack.said("gateway") + stack.said("worker")
    assert [secret for secret in secrets if secret in told] == []
    gone = stack.smoke(WAIT_S="0")
    assert (gone.returncode, "is not ready after 0 s" in gone.stderr) == (1, True)


def check_dashboards(stack, dashboards):
    """A double says how it is; who asks comes as the cluster's admin."""
    dashboards.trouble = lambda _: (
        200,
        {"status": {"overall": {"since": "", "state": "red"}, "statuses": [{"state": "green"}]}},
    )
    ill = stack.smoke(DASHBOARDS_URL=dashboards.url)
    assert (ill.returncode, "Dashboards is not green" in ill.stderr) == (1, True), ill.stderr
    dashboards.trouble = lambda _: (200, {"status": {"overall": {"state": "green"}}})
    assert "ok  Dashboards is green" in stack.smoke(DASHBOARDS_URL=dashboards.url).stdout
    path, headers = dashboards.seen[-1]
    basic = b64encode(f"admin:{stack.env['OPENSEARCH_ADMIN_PASSWORD']}".encode()).decode()
    assert (path, headers["Authorization"]) == ("/api/status", f"Basic {basic}")


@pytest.mark.long
def test_the_clusters_security_lets_each_user_do_its_part_and_no_more(tmp_path, env, secured, store):
    stack = Stack(tmp_path, env, cluster=secured.url, store=store.endpoint)
    stack.run("setup")
    with stack.up("gateway"), stack.up("worker"):
        stack.until_healthy("gateway")
        stack.until_healthy("worker")
        done = stack.smoke()
        assert done.returncode == 0, done.stdout + done.stderr + stack.said("gateway")
    admin, dashboards, gateway = (
        (name, env[f"OPENSEARCH_{variable}_PASSWORD"])
        for name, variable in (("admin", "ADMIN"), ("kibanaserver", "DASHBOARDS"), ("havengate", "GATEWAY"))
    )

    def status(user, path, method="GET"):
        return secured.sent(method, path, *user)[0]

    assert status(("admin", "admin"), "/") == 401
    assert status(("havengate", admin[1]), "/") == 401
    users = "/_plugins/_security/api/internalusers"
    assert [status(user, users) for user in (admin, dashboards, gateway)] == [200, 403, 403]
    assert [status(user, "/elsewhere", "PUT") for user in (dashboards, gateway)] == [403, 403]
    assert [status(user, "/.kibana_9", "PUT") for user in (dashboards, gateway)] == [200, 403]
    assert [status(user, "/havengate-x", "PUT") for user in (dashboards, gateway)] == [403, 200]


def test_certificates_are_made_once_and_again_where_they_do_not_fit(tmp_path):
    assert "made a certificate" in certificates(tmp_path)
    key = (tmp_path / "node" / "node.key").read_bytes()
    assert certificates(tmp_path) == ""
    assert (tmp_path / "node" / "node.key").read_bytes() == key
    (tmp_path / "authority" / "ca.pem").unlink()
    assert "made a certificate" in certificates(tmp_path)
    assert (tmp_path / "node" / "node.key").stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in (tmp_path / "authority").iterdir()) == ["ca.pem"]


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_images_install_makes_a_gateway_without_compilers(tmp_path):
    """The RUN line of the first stage on a copy of what .dockerignore lets in, then the image's health check."""
    dockerfile = (COMPOSE / "Dockerfile").read_text()
    source, target = tmp_path / "src", tmp_path / "havengate"
    source.mkdir()
    for line in (COMPOSE / "Dockerfile.dockerignore").read_text().splitlines():
        if line.startswith("!"):
            name = line.removeprefix("!")
            (source / name).parent.mkdir(exist_ok=True)
            subprocess.run(["cp", "-r", ROOT / name, source / name], check=True)
    (run,) = [line for line in dockerfile.replace("\\\n", "").splitlines() if line.startswith("RUN python -m venv")]
    command = run.removeprefix("RUN ").replace("/opt/havengate", shlex.quote(str(target)))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HAVENGATE_")}
    environment |= {"PATH": f"{_python_alone(tmp_path)}:/usr/bin:/bin", "CC": "false", "CXX": "false", "EXTRAS": ""}
    subprocess.run(["sh", "-euc", command], cwd=source, env=environment, check=True, timeout=900)
    assert not list(target.glob("bin/pip*"))
    data = tmp_path / "data"
    with _served(target, data) as port:
        health = dockerfile.rpartition("CMD [")[0].rpartition('CMD ["python", "-c", ')[2].partition("]\n")[0]
        code = health.strip('"').replace("8000", str(port))
        deadline = time.monotonic() + START_S
        while subprocess.run([target / "bin" / "python", "-c", code], capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline
            time.sleep(0.3)


def _python_alone(folder):
    """A folder with this Python's interpreter and pip, without this environment."""
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    base = Path(sys.base_prefix) / "bin"
    for name in ("python", "pip"):
        (bin_folder / name).symlink_to(base / f"{name}3")
    return bin_folder


@contextmanager
def _served(target, data):
    port = free_port()
    data.mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HAVENGATE_")}
    process = subprocess.Popen(
        [target / "bin" / "havengate", "serve", "--port", str(port)],
        cwd=data,
        env=environment | {"HAVENGATE_DATA_DIR": str(data)},
    )
    try:
        yield port
    finally:
        process.terminate()
        assert process.wait(40) == 0
