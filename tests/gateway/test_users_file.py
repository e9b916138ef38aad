"""The file of users: what is read, what is refused and how it is told, how commands and servers share it."""

import json
import logging
import os
import subprocess
import sys
import threading

import pytest
from access_samples import PASSWORD, hashed
from support import run_cli

from gateway.authenticator import Authenticator
from gateway.directory import Directory, load_users
from gateway.users import User
from gateway.users_file import changing_users, read_users
from havengate.errors import SettingsError, Unauthorized
from havengate.setting_groups import AuthSettings

HASH = hashed(PASSWORD)
ALICE = {"name": "alice", "password_hash": HASH, "role": "read", "tables": {"shoes": "write"}, "rate_per_s": 2.5}


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def file(tmp_path):
    return tmp_path / "users.json"


def write(file, *users):
    """As an editor does that writes another file over it."""
    beside = file.with_name("beside")
    beside.write_text(json.dumps({"users": users}))
    beside.chmod(0o600)
    beside.replace(file)


def test_users_are_read_with_their_rights(file):
    write(file, ALICE, {"name": "Zoë B", "password_hash": HASH})
    assert read_users(file) == {
        "alice": User("alice", "read", HASH, {"shoes": "write"}, 2.5),
        "Zoë B": User("Zoë B", "none", HASH),
    }


WRONG = [
    ("[]", "Input should be"),
    ("{}", "users: Field required"),
    ("", "is not JSON"),
    ("{'users': []}", "is not JSON"),
    ('{"users": [], "users": []}', "'users' twice"),
    ('{"users": [1]}', "user number 1: Input should be"),
    ("[" * 100_000, "nested too deeply"),
]
WRONG_USERS = [
    ({"name": "a:b"}, "user number 1: name: a name is printable"),
    ({"name": ""}, "user number 1: name: "),
    ({"name": "x" * 65}, "user number 1: name: "),
    ({"role": "root"}, "user 'alice': role: Input should be 'none', 'read', 'write' or 'admin'"),
    ({"tables": {"shoes": "admin"}}, "user 'alice': tables: shoes: Input should be 'read' or 'write'"),
    ({"tables": {"shoes@g1": "read"}}, "user 'alice': tables: shoes@g1: this is no name of a table"),
    ({"rate_per_s": -1}, "user 'alice': rate_per_s: "),
    ({"password": "x"}, "user 'alice': password: Extra inputs"),
    ({"password_hash": "hunter2"}, "user 'alice': password_hash: this is no hash"),
    ({"password_hash": None}, "user 'alice': password_hash: "),
]


@pytest.mark.parametrize(("text", "says"), WRONG)
def test_what_is_no_file_of_users_is_said(file, text, says):
    file.write_text(text)
    with pytest.raises(SettingsError, match=says) as error:
        read_users(file)
    assert str(file) in error.value.message


@pytest.mark.parametrize(("change", "says"), WRONG_USERS)
def test_user_and_key_are_named_and_never_a_hash(file, change, says):
    write(file, ALICE | change)
    with pytest.raises(SettingsError) as error:
        read_users(file)
    assert says in error.value.message
    assert "hunter2" not in error.value.message
    assert HASH not in error.value.message


def test_a_user_stands_once_in_one_place(file):
    write(file, ALICE, ALICE)
    with pytest.raises(SettingsError, match="'alice' stands twice"):
        read_users(file)
    write(file, ALICE)
    with pytest.raises(SettingsError, match="'alice' stands in HAVENGATE_AUTH__USERS, too"):
        load_users(AuthSettings(users=f"alice:read:{HASH}", file=file))
    assert sorted(load_users(AuthSettings(users=f"bob:read:{HASH}", file=file))) == ["alice", "bob"]


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "none"):
        with pytest.raises(SettingsError):
            read_users(path)


# --- a file that changes --------------------------------------------------------------------------


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def directory(file, clock):
    write(file, ALICE)
    return Directory(AuthSettings(file=file), clock)


def test_a_change_is_known_a_second_later(directory, file, clock):
    write(file, ALICE | {"role": "admin"})
    clock.now = 0.9
    assert directory.users()["alice"].role == "read"
    clock.now = 1.0
    assert directory.users()["alice"].role == "admin"


@pytest.mark.parametrize("broken", ["{", None])
def test_a_broken_file_leaves_the_users_and_is_told_once(directory, file, clock, caplog, broken):
    file.unlink()
    if broken:
        file.write_text(broken)
    for clock.now in (1.0, 2.0, 3.0):
        assert list(directory.users()) == ["alice"]
    assert [record.levelno for record in caplog.records if record.levelno > logging.WARNING] == [logging.ERROR]
    assert str(file) in directory.problem
    write(file)
    clock.now = 4.0
    assert (dict(directory.users()), directory.problem, directory.guarded) == ({}, "", True)


def test_a_file_that_could_not_be_read_is_read_as_soon_as_it_can(file, clock, monkeypatch, caplog):
    """It looks as before: what was in the way (rights, a descriptor) is no part of it."""
    write(file, ALICE)
    directory = Directory(AuthSettings(file=file), clock)
    write(file, ALICE | {"role": "admin"})

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        for clock.now in (1.0, 2.0):
            assert directory.users()["alice"].role == "read"
    assert "Permission denied" in directory.problem
    clock.now = 3.0
    assert (directory.users()["alice"].role, directory.problem) == ("admin", "")
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_change_is_known_whatever_the_file_says_about_its_age(directory, file, clock):
    before = file.stat()
    with file.open("r+") as written:
        text = written.read()
        written.seek(0)
        written.write(text.replace('"read"', '"none"'))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    clock.now = 1.0
    assert directory.users()["alice"].role == "none"


def test_who_was_removed_or_got_another_password_is_out_at_once(directory, file, clock):
    from access_samples import basic

    authenticator = Authenticator(directory.users)
    assert authenticator.user(basic("alice")).name == "alice"
    write(file, ALICE | {"password_hash": hashed("another")})
    clock.now = 1.0
    with pytest.raises(Unauthorized):
        authenticator.user(basic("alice"))
    assert authenticator.user(basic("alice", "another")).name == "alice"
    write(file)
    clock.now = 2.0
    with pytest.raises(Unauthorized):
        authenticator.user(basic("alice", "another"))


def test_the_last_user_s_name_costs_what_it_cost_before(file, clock):
    from access_samples import basic

    asked = []
    write(file)
    authenticator = Authenticator(Directory(AuthSettings(file=file), clock).users, lambda *sent: asked.append(sent))
    with pytest.raises(Unauthorized):
        authenticator.user(basic("alice"))
    ((judged, _),) = asked
    assert judged.startswith("scrypt:32768:8:1$")


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o660, True)])
def test_a_file_that_others_can_read_is_warned_of(file, mode, warned, caplog):
    write(file, ALICE)
    file.chmod(mode)
    Directory(AuthSettings(file=file))
    assert ("chmod 600" in caplog.text) is warned


# --- commands -------------------------------------------------------------------------------------


def command(tmp_path, *arguments, password="", check=True, **env):
    return run_cli(tmp_path, "user", *arguments, input=password, check=check, env=env)


def test_users_are_made_listed_changed_and_removed(tmp_path, file):
    env = {"HAVENGATE_AUTH__FILE": str(file)}
    command(tmp_path, "add", "alice", "--table", "shoes=write", "--rate", "5", password="one\n", **env)
    command(tmp_path, "add", "bob", "--role", "admin", password="two\n", **env)
    assert file.stat().st_mode & 0o777 == 0o600
    before = read_users(file)
    assert (before["alice"].role, before["alice"].tables, before["alice"].rate_per_s) == ("none", {"shoes": "write"}, 5)
    listed = command(tmp_path, "list", **env).stdout
    assert listed == "alice: write in shoes, 5 requests a second\nbob: admin in all tables\n"
    command(tmp_path, "password", "alice", password="three\n", **env)
    after = read_users(file)
    assert after["alice"].password_hash != before["alice"].password_hash
    assert after["bob"] == before["bob"]
    command(tmp_path, "remove", "bob", **env)
    assert list(read_users(file)) == ["alice"]
    assert list(tmp_path.glob(".users.json*")) == []


def test_what_a_command_refuses_changes_nothing(tmp_path, file):
    write(file, ALICE)
    before = file.read_bytes()
    for arguments, says in (
        (("add", "alice", "--file", file), "has a user 'alice' already"),
        (("add", "a,b", "--file", file), "a user's name is printable"),
        (("add", "eve", "--table", "shoes", "--file", file), "--table takes TABLE=read"),
        (("add", "eve", "--rate", "inf", "--file", file), "rate_per_s"),
        (("add", "eve"), "HAVENGATE_AUTH__FILE"),
        (("add", "carol", "--file", file), "'carol' stands in HAVENGATE_AUTH__USERS already"),
        (("remove", "eve", "--file", file), "no user 'eve'"),
        (("password", "eve", "--file", file), "no user 'eve'"),
    ):
        users = {"HAVENGATE_AUTH__USERS": f"carol:read:{HASH}"}
        done = command(tmp_path, *map(str, arguments), password="secret-word\n", check=False, **users)
        assert (done.returncode, says in done.stderr) == (2, True), done.stderr
        assert "secret-word" not in done.stderr
    assert file.read_bytes() == before


def test_commands_that_come_at_once_lose_nobody(file):
    code = (
        "import sys\nfrom pathlib import Path\nfrom gateway.users import User\n"
        "from gateway.users_file import changing_users\n"
        "for number in range(20):\n"
        "    with changing_users(Path(sys.argv[1])) as users:\n"
        "        name = f'{sys.argv[2]}{number}'\n"
        "        users[name] = User(name, 'read', sys.argv[3])\n"
    )
    commands = [[sys.executable, "-c", code, str(file), who, HASH] for who in ("a", "b", "c")]
    for process in [subprocess.Popen(each) for each in commands]:
        assert process.wait(60) == 0
    assert len(read_users(file)) == 60


def test_readers_find_a_whole_file_while_it_is_written(file):
    write(file, ALICE)
    ended = threading.Event()

    def rewrite():
        for number in range(50):
            with changing_users(file) as users:
                users[f"u{number}"] = User(f"u{number}", "read", HASH)
        ended.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    while not ended.is_set():
        assert "alice" in read_users(file)
    writer.join()


def test_a_link_stays_one(tmp_path, file):
    target = tmp_path / "elsewhere.json"
    file.symlink_to(target)
    with changing_users(file) as users:
        users["alice"] = User("alice", "read", HASH)
    assert file.is_symlink()
    assert list(read_users(target)) == ["alice"]
