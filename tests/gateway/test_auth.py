"""Who may call what, and what the others are told."""

import threading
from base64 import b64encode
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import pytest
from gateway_fakes import FakeServices, client_of

from gateway.application import Application
from gateway.auth import install, needs
from gateway.authenticator import Authenticator
from gateway.directory import Directory
from gateway.users import hash_password, parse_users
from havengate.errors import SettingsError, Unauthorized
from havengate.setting_groups import AuthSettings

PASSWORD = "p@ss:wörd"
HASH = hash_password(PASSWORD)
USERS = ",".join(f"{role}er:{role}:{HASH}" for role in ("read", "write", "admin"))
UNAUTHORIZED = {"code": "401", "message": "Unauthorized"}
FORBIDDEN = {"code": "403", "message": "Forbidden"}


def basic(name, password=PASSWORD):
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


@pytest.fixture(scope="module")
def guarded():
    return client_of(FakeServices(auth={"users": USERS}))


def push(client, header):
    body = [{"cmd": "add", "fields": {"id": 1}}]
    return client.post("/update/photos/actions/bulk", json=body, headers={"Authorization": header})


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic None",
        "Basic !!!",
        "Basic /w==",
        "Bearer x",
        basic("reader", "wrong"),
        basic("nobody"),
        basic("reader") + "=",
    ],
)
def test_unknown_callers_are_told_nothing_more(guarded, header):
    headers = {} if header is None else {"Authorization": header}
    answer = guarded.get("/network/active", headers=headers)
    assert (answer.status_code, answer.json) == (401, UNAUTHORIZED)
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_a_password_may_hold_colons_and_any_letters(guarded):
    assert guarded.get("/network/active", headers={"Authorization": basic("reader")}).status_code == 200


def test_a_role_that_lacks_the_call_is_forbidden(guarded):
    answer = push(guarded, basic("reader"))
    assert (answer.status_code, answer.json) == (403, FORBIDDEN)


@pytest.mark.parametrize("name", ["writeer", "adminer"])
def test_a_higher_role_may_do_what_a_lower_one_may(guarded, name):
    assert push(guarded, basic(name)).json["status"] == "OK"
    assert guarded.get("/network/active", headers={"Authorization": basic(name)}).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_need_no_credentials(guarded, path):
    assert guarded.get(path).status_code == 200


def test_a_stranger_does_not_learn_which_paths_there_are(guarded):
    assert guarded.get("/nothing/here").status_code == 401


@pytest.mark.parametrize("header", ["Basic None", basic("who", "ever"), "nonsense"])
def test_without_users_credentials_are_ignored(client, header):
    assert client.get("/network/active", headers={"Authorization": header}).status_code == 200


class CountingCheck:
    def __init__(self):
        self.asked = []

    def __call__(self, password_hash, password):
        self.asked.append((password_hash, password))
        return password == PASSWORD


def test_a_proven_password_is_not_hashed_again():
    check = CountingCheck()
    authenticator = Authenticator(lambda: parse_users(f"reader:read:{HASH}"), check)
    assert [authenticator.user(basic("reader")).role for _ in range(3)] == ["read"] * 3
    assert check.asked == [(HASH, PASSWORD)]


def test_a_proven_password_opens_nothing_for_another():
    authenticator = Authenticator(lambda: parse_users(f"reader:read:{HASH}"), CountingCheck())
    authenticator.user(basic("reader"))
    with pytest.raises(Unauthorized):
        authenticator.user(basic("reader", PASSWORD + "x"))


def test_an_unknown_name_costs_the_work_of_a_known_one():
    check = CountingCheck()
    with pytest.raises(Unauthorized):
        Authenticator(lambda: parse_users(f"reader:read:{HASH}"), check).user(basic("nobody"))
    assert check.asked == [(HASH, PASSWORD)]


class HeldCheck:
    """Says when a check has begun, and ends none before it is let go."""

    def __init__(self):
        self.asked = []
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()

    def __call__(self, _password_hash, password):
        self.asked.append(password)
        self.begun.release()
        self.go.wait()
        return password == PASSWORD


@pytest.fixture
def flooded():
    """An application that has two slow checks on its hands, and the answers to come."""
    check = HeldCheck()
    check.go.set()
    app = Application(__name__)
    app.add_url_rule("/", view_func=needs("read")(lambda: "well"))
    install(app, Directory(AuthSettings(users=USERS)), check)
    assert ask(app, basic("reader")).status_code == 200
    check.go.clear()
    with ThreadPoolExecutor(8) as clients:
        answers = {word: clients.submit(ask, app, basic("reader", word)) for word in ("one", "two", "three")}
        refused = wait(answers.values(), return_when=FIRST_COMPLETED).done
        assert [answer.result().status_code for answer in refused] == [429]
        yield app, clients, check, {word: answer for word, answer in answers.items() if answer not in refused}
        check.go.set()


def ask(app, header):
    return app.test_client().get("/", headers={"Authorization": header})


def test_passwords_queue_for_no_check(flooded):
    answer = ask(flooded[0], basic("writeer"))
    assert (answer.status_code, answer.json["code"], answer.headers["Retry-After"]) == (429, "429", "1")


def test_a_proven_user_does_not_wait_for_checks(flooded):
    assert ask(flooded[0], basic("reader")).status_code == 200


def test_the_same_credentials_share_a_check(flooded):
    app, clients, check, answers = flooded
    again = [clients.submit(ask, app, basic("reader", word)) for word in answers for _ in range(3)]
    assert not wait(again, timeout=0.2).done
    check.go.set()
    assert {answer.result().status_code for answer in [*answers.values(), *again]} == {401}
    assert sorted(check.asked) == sorted([PASSWORD, *answers])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"a:read:{HASH},a:write:{HASH}", "'a' stands twice"),
        (f":read:{HASH}", "has no name"),
        (f"a:root:{HASH}", "'a' needs one of the roles read, write, admin"),
        ("a:read:secret", "'a' has no hash"),
        ("a:read", "'a' has no hash"),
        ("a:read:md5$salt$00", "'a' has no hash"),
    ],
)
def test_users_that_cannot_be_read_are_named(text, says):
    with pytest.raises(SettingsError, match=says) as error:
        parse_users(text)
    assert "secret" not in error.value.message


def test_no_users_are_no_users():
    assert parse_users(" , ") == {}


def test_a_hash_is_salted_and_fits_a_comma_separated_list():
    assert hash_password("a") != hash_password("a")
    assert "," not in HASH
