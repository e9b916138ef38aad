"""The demo fills what it made, once, and keeps its hands off everything else."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import run_cli

from havengate.demo.process import gateway
from havengate.demo.samples import SampleClient
from havengate.demo.tables import CLOTHES, GENERAL, create_tables, rows
from havengate.documents import Command
from havengate.errors import EngineError, SettingsError
from havengate.services import services
from havengate.setting_groups import PushSettings
from havengate.settings import Settings
from schemas.settings import TableSettings
from schemas.templates import template


@pytest.fixture
def settings(tmp_path):
    return Settings(data_dir=tmp_path / "data")


@pytest.mark.parametrize("name", [GENERAL, CLOTHES])
def test_a_users_table_of_the_name_is_left_alone(settings, name):
    with services(settings) as opened:
        opened.tables.create(name, template("push"), TableSettings())
    with pytest.raises(SettingsError, match=f"{name}.*HAVENGATE_DATA_DIR"):
        create_tables(settings)
    with services(settings) as opened:
        assert opened.tables.names() == [name]
        assert opened.engine.stats(name).rows == 0


def test_a_complete_table_keeps_its_edits_and_an_unfinished_one_is_filled(tmp_path):
    settings = Settings(data_dir=tmp_path / "data", push=PushSettings(max_documents=7, max_pictures=5))
    marks = settings.data_dir / "demo"
    assert create_tables(settings)
    with services(settings) as opened:
        edits = [Command("delete", {"id": 9}), Command("update_field", {"id": 10, "title": "mine"})]
        opened.documents.push(opened.engine.table(GENERAL), edits)
        assert opened.engine.stats(GENERAL).rows == len(rows(GENERAL)) - 1
        opened.tables.drop(CLOTHES)
    (marks / "clothes.done").touch()
    assert create_tables(settings)
    with services(settings) as opened:
        assert opened.tables.names() == [CLOTHES, GENERAL]
        assert opened.engine.stats(GENERAL).rows == len(rows(GENERAL)) - 1
        assert opened.engine.fetch(GENERAL, ["10"])["10"].fields["title"] == "mine"
    (marks / "general.done").unlink()
    (marks / "clothes.done").touch()
    assert not create_tables(settings)
    with services(settings) as opened:
        assert opened.engine.stats(GENERAL).rows == len(rows(GENERAL))


def test_the_demos_gateway_asks_for_no_users(tmp_path, monkeypatch):
    users = run_cli(tmp_path / "data", "user", "hash", "alice", input="pw\n").stdout.strip()
    monkeypatch.setenv("HAVENGATE_AUTH__USERS", users)
    with gateway(tmp_path / "data") as endpoint, pytest.raises(EngineError, match=r"a call of the demo: .*no table"):
        SampleClient(endpoint).search("query=image_index:'cat&modal=text'&&cluster=nope&&config=format:json")


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


PARENT = """
import sys, time
from pathlib import Path
from havengate.demo.process import gateway
with gateway(Path(sys.argv[1])):
    print("ready", flush=True)
    time.sleep(100)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGKILL", "SIGINT"])
def test_the_gateway_ends_with_the_demo(tmp_path, name):
    data_dir = tmp_path / "data"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(data_dir)], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout.readline() == "ready\n"
        server = json.loads((data_dir / "server.json").read_text())["pid"]
        assert alive(server)
        os.kill(parent.pid, getattr(signal, name))
    deadline = time.monotonic() + 20
    while alive(server) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(server)
    run_cli(data_dir, "table", "list")
