"""/admin and /changes: who may, what comes back, what is refused; every change is recorded with who made it."""

import json
from base64 import b64encode

import pytest
from support import open_colour_services

from gateway.app import create_app
from gateway.parts import Parts
from gateway.users import hash_password
from ingest.table_administration import open_administration
from schemas.templates import template

TOKEN = "a-token-of-this-start"
PASSWORD = "open sesame"
USERS = ",".join(f"{role}er:{role}:{hash_password(PASSWORD)}" for role in ("read", "write", "admin"))
SECRET = "hush-hush-hush"
SCHEMA = template(
    "base64",
    extra_fields=(
        {"field_name": "note", "field_type": "STRING", "user_defined_param": {"oss_secret": SECRET, "uid": "1"}},
    ),
).to_json()


def basic(name):
    return "Basic " + b64encode(f"{name}:{PASSWORD}".encode()).decode()


class Caller:
    """Asks /admin with one set of credentials."""

    def __init__(self, app, authorization=None, **headers):
        self._client = app.test_client()
        self._headers = ({"Authorization": authorization} if authorization else {}) | headers

    def __call__(self, method, path, body=None, **headers):
        return self._client.open(path, method=method, json=body, headers=self._headers | headers)


@pytest.fixture
def services(settings, model):
    """Real ones, instead of this folder's fakes."""
    opened = open_colour_services(settings, model)
    yield opened
    opened.close()


@pytest.fixture
def administration(services):
    opened = open_administration(services, "server")
    yield opened
    opened.close()


@pytest.fixture
def app(services, administration):
    return create_app(services, Parts(administration, TOKEN))


@pytest.fixture
def guarded(administration, with_settings):
    return create_app(with_settings(auth={"users": USERS}), Parts(administration, TOKEN))


@pytest.fixture
def owner(app):
    return Caller(app, f"Bearer {TOKEN}", **{"X-Havengate-By": "ada"})


def test_a_table_comes_is_changed_and_goes_and_the_history_says_who(owner):
    made = owner("POST", "/admin/tables", {"name": "shoes", "schema": SCHEMA, "settings": {"text": "plain"}})
    assert (made.status_code, made.json) == (201, {"table": "shoes", "key": "id", "vector_indexes": ["vector"]})
    (listed,) = owner("GET", "/admin/tables").json["tables"]
    assert (listed["table"], listed["rows"], listed["vectors"]) == ("shoes", 0, {"vector": 0})
    shown = owner("GET", "/admin/tables/shoes").json
    assert (shown["settings"]["text"], shown["stats"]["rows"]) == ("plain", 0)
    assert [each["name"] for each in owner("GET", "/admin/tables/shoes/generations").json["generations"]] == ["g1"]
    body = {"settings": {"strict": True, "source": "oss://bucket/shoes"}}
    assert owner("PATCH", "/admin/tables/shoes", body).json["strict"] is True
    assert owner("DELETE", "/admin/tables/shoes").json == {"table": "shoes", "cancelled": []}
    assert owner("GET", "/admin/tables").json == {"tables": []}
    changes = owner("GET", "/changes").json["changes"]
    assert [(entry["what"], entry["table"], entry["by"], entry["version"]) for entry in changes] == [
        ("table created", "shoes", "cli:ada", 1),
        ("source", "shoes", "cli:ada", 1),
        ("table dropped", "shoes", "cli:ada", 1),
    ]
    assert changes[1]["detail"]["changes"] == [
        "strict: False becomes True",
        "source: '' becomes 'oss://bucket/shoes'",
    ]


def test_no_answer_and_no_file_but_the_tables_own_holds_a_secret(owner, administration, settings):
    said = owner("POST", "/admin/tables", {"name": "shoes", "schema": SCHEMA}).text
    for path in ("/admin/tables", "/admin/tables/shoes", "/changes", "/admin/jobs"):
        said += owner("GET", path).text
    assert SECRET not in said
    assert TOKEN not in said
    administration.close()
    files = [path for path in settings.data_dir.rglob("*") if path.is_file() and "tables" not in path.parts]
    assert any(path.name == "jobs.sqlite" for path in files)
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


@pytest.mark.usefixtures("photos")
def test_jobs_are_made_shown_and_stopped(owner, tmp_path):
    made = owner("POST", "/admin/jobs", {"kind": "ingest", "table": "photos", "source": str(tmp_path)})
    assert (made.status_code, made.json["state"], made.json["by"]) == (202, "queued", "cli:ada")
    number = made.json["id"]
    assert [job["id"] for job in owner("GET", "/admin/jobs?table=photos&state=queued").json["jobs"]] == [number]
    assert owner("GET", "/admin/jobs?state=running").json["jobs"] == []
    assert "checkpoint" not in owner("GET", f"/admin/jobs/{number}").json
    assert owner("GET", f"/admin/jobs/{number}/rejects").json == {"rejects": []}
    for what, state in (("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")):
        assert owner("POST", f"/admin/jobs/{number}/{what}").json["state"] == state
    again = owner("POST", f"/admin/jobs/{number}/retry")
    assert again.status_code == 409
    assert again.json["errors"][0]["type"] == "JobError"
    asked = [entry["detail"].get("asked") for entry in owner("GET", "/changes").json["changes"]]
    assert asked == ["pause", "resume", "cancel"]


@pytest.mark.usefixtures("photos")
def test_a_dropped_tables_jobs_are_cancelled(owner, tmp_path):
    number = owner("POST", "/admin/jobs", {"kind": "ingest", "table": "photos", "source": str(tmp_path)}).json["id"]
    assert owner("DELETE", "/admin/tables/photos").json == {"table": "photos", "cancelled": [number]}
    ended = owner("GET", f"/admin/jobs/{number}").json
    assert (ended["state"], ended["message"]) == ("cancelled", "table photos was dropped")


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        (("GET", "/admin/tables/nope", None), 404, "nope"),
        (("DELETE", "/admin/tables/nope", None), 404, "nope"),
        (("GET", "/admin/jobs/7", None), 404, "no job 7"),
        (("GET", "/admin/jobs/7/rejects", None), 404, "no job 7"),
        (("POST", "/admin/jobs/7/pause", None), 404, "no job 7"),
        (("GET", f"/admin/jobs/{1 << 63}", None), 404, f"no job {1 << 63}"),
        (("GET", f"/admin/jobs/7/rejects?after={1 << 63}", None), 400, "after"),
        (("GET", f"/changes?after={1 << 63}", None), 400, "after"),
        (("PATCH", "/admin/tables/photos@g1", {"settings": {"strict": True}}), 404, "photos@g1"),
        (("DELETE", "/admin/tables/photos@g1", None), 404, "photos@g1"),
        (("POST", "/admin/jobs", {"kind": "ingest", "table": "photos@g1", "source": "/"}), 404, "photos@g1"),
        (("POST", "/admin/jobs/7/explode", None), 404, ""),
        (("GET", "/admin/nope", None), 404, ""),
        (("GET", "/admin/jobs?state=lost", None), 400, "state"),
        (("GET", "/admin/jobs?limit=0", None), 400, "limit"),
        (("GET", "/admin/jobs?page=2", None), 400, "page"),
        (("GET", "/changes?since=nan", None), 400, "since"),
        (("GET", "/changes?after=-1", None), 400, "after"),
        (("POST", "/admin/tables", {"name": "photos", "schema": SCHEMA}), 409, "photos"),
        (("POST", "/admin/tables", {"name": "a b", "schema": SCHEMA}), 400, "a b"),
        (("POST", "/admin/tables", {"name": "t", "schema": {}}), 400, ""),
        (("POST", "/admin/tables", {"name": "t", "schema": {"fields": 7}}), 400, "fields: "),
        (("POST", "/admin/tables", {"name": "t"}), 400, "schema"),
        (("POST", "/admin/tables", [1]), 400, "body"),
        (("PATCH", "/admin/tables/photos", {"settings": {"nope": "1"}}), 400, "nope"),
        (("PATCH", "/admin/tables/photos", {"settings": {"source": "oss://id:key@b"}}), 400, "keys"),
        (("POST", "/admin/jobs", {"kind": "explode", "table": "photos"}), 400, "rebuild"),
        (("POST", "/admin/jobs", {"kind": "ingest", "table": "photos"}), 400, "source"),
        (("POST", "/admin/jobs", {"kind": "ingest", "table": "photos", "source": "pictures"}), 400, "absolute"),
        (("POST", "/admin/jobs", {"kind": "ingest", "table": "photos", "source": "/nope/nope"}), 400, "/nope"),
        (("POST", "/admin/jobs", {"kind": "ingest", "table": "photos", "source": "oss://id:key@b/p"}), 400, "keys"),
        (("POST", "/admin/jobs", {"kind": "rebuild", "table": "nope"}), 404, "nope"),
        (("POST", "/admin/jobs", {"kind": "rebuild", "table": "photos", "source": "rows.csv"}), 400, "absolute"),
        (("POST", "/admin/jobs", {"kind": "rebuild", "table": "photos", "source": "s3://a:b@c/d"}), 400, "keys"),
        (
            ("POST", "/admin/plans", {"kind": "rebuild", "table": "photos", "settings": {"source": "s3://a@c"}}),
            400,
            "keys",
        ),
        (("POST", "/admin/jobs", {"kind": "rebuild", "table": "photos", "source": "the table's"}), 400, "no source"),
        (("PATCH", "/admin/tables/photos", {"settings": {"source": "rows.csv"}}), 400, "absolute"),
        (("POST", "/admin/jobs", {"kind": "rollback", "table": "photos"}), 404, "photos"),
        (("POST", "/admin/jobs", {"kind": "rollback", "table": "photos", "generation": "g9"}), 404, "g9"),
        (("POST", "/admin/plans", {"kind": "rebuild", "table": "photos", "schema": {"fields": []}}), 400, ""),
        (("POST", "/admin/jobs", {"kind": "ingest", "table": "nope", "source": "/"}), 404, "nope"),
    ],
)
def test_what_is_wrong_is_named(owner, asked, status, said):
    answer = owner(*asked)
    assert answer.status_code == status, answer.json
    assert said in answer.text
    assert SECRET not in answer.text


def test_a_body_is_json_that_says_so(app):
    ask = app.test_client()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "text/plain"}
    answer = ask.post("/admin/jobs", data=json.dumps({"kind": "ingest", "table": "t"}), headers=headers)
    assert answer.status_code == 400
    assert "application/json" in answer.text


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", basic("adminer")])
def test_without_users_only_the_token_opens_admin(app, header):
    answer = Caller(app, header)("GET", "/admin/tables")
    assert (answer.status_code, answer.json["code"]) == (401, "401")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_server_without_a_token_opens_admin_to_nobody(services, administration):
    app = create_app(services, Parts(administration))
    assert [Caller(app, header)("GET", "/admin/tables").status_code for header in (None, "Bearer ")] == [401, 401]


def test_without_users_the_history_is_open_as_searches_are(app):
    assert Caller(app)("GET", "/changes").json == {"changes": []}


@pytest.mark.parametrize(("name", "status"), [("reader", 403), ("writeer", 403), ("adminer", 200), ("nobody", 401)])
@pytest.mark.parametrize("path", ["/admin/tables", "/changes"])
def test_with_users_it_takes_an_admin(guarded, name, status, path):
    assert Caller(guarded, basic(name))("GET", path).status_code == status


def test_with_users_the_token_goes_on_opening_all(guarded):
    for path in ("/admin/tables", "/changes", "/network/active"):
        assert Caller(guarded, f"Bearer {TOKEN}")("GET", path).status_code == 200
    assert Caller(guarded, "Bearer wrong")("GET", "/admin/tables").status_code == 401


def test_an_admin_is_known_by_name_and_cannot_take_another(guarded):
    ask = Caller(guarded, basic("adminer"), **{"X-Havengate-By": "ada"})
    ask("POST", "/admin/tables", {"name": "shoes", "schema": SCHEMA})
    (entry,) = ask("GET", "/changes").json["changes"]
    assert entry["by"] == "adminer"


@pytest.mark.parametrize("name", ["", "x" * 65, "a%0Ab"])
def test_a_name_that_is_none_is_not_taken(app, name):
    ask = Caller(app, f"Bearer {TOKEN}", **{"X-Havengate-By": name})
    ask("POST", "/admin/tables", {"name": "shoes", "schema": SCHEMA})
    assert ask("GET", "/changes").json["changes"][0]["by"] == "token"


@pytest.mark.parametrize(
    "header",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:8000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
)
def test_pages_in_browsers_are_refused_whatever_they_hold(owner, header):
    for method, path in (("GET", "/admin/tables"), ("GET", "/changes"), ("DELETE", "/admin/tables/t")):
        assert owner(method, path, **header).status_code == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("localhost", 200),
        ("[::1]:8000", 200),
        ("127.0.1.1", 200),
        ("evil.example:8000", 403),
        ("127.0.0.1.evil.example", 403),
        ("10.0.0.1", 403),
        ("[", 403),
        ("", 403),
    ],
)
def test_without_users_a_name_that_leads_here_by_a_trick_is_no_name_for_the_history(app, owner, host, status):
    assert Caller(app)("GET", "/changes", Host=host).status_code == status
    # Whoever brings the token is no page.
    assert owner("GET", "/changes", Host=host).status_code == 200


def test_with_users_the_server_may_have_any_name(guarded):
    assert Caller(guarded, basic("adminer"))("GET", "/changes", Host="images.example").status_code == 200


@pytest.mark.usefixtures("photos")
def test_a_push_is_in_the_history(guarded):
    push = [{"cmd": "delete", "fields": {"id": 1}}, {"cmd": "add", "fields": {"id": 2, "nope": 1}}]
    for _ in range(2):
        Caller(guarded, basic("writeer"))("POST", "/update/photos/actions/bulk", push)
    (entry,) = Caller(guarded, basic("adminer"))("GET", "/changes?table=photos").json["changes"]
    assert (entry["what"], entry["by"], entry["deleted"], entry["rejected"]) == ("push", "writeer", 1, 2)
    assert entry["detail"] == {"pushes": 2}
