"""Names that are paths, patterns, lists or other people's indexes, in every place that takes a name: nothing outside
the data folder is touched, no table but the one that is named, and nothing is an error of the server.
"""

import base64
import json
from urllib.parse import quote

import pytest
from colour_model import picture
from hostile_site import TOKEN, open_app, open_cluster_app

from schemas.templates import template

TRICKS = (
    "..", "../", "../../", "../" * 4 + "etc/passwd", "..\\..\\windows\\win.ini", ".", "./general",
    "general/..", "general/../clothes", "/", "//", "//etc/passwd", "///general", "/etc/passwd",
    "\\", "\\\\host\\share", "C:\\x", "%2e%2e%2f", "%252e%252e%252f", "..%00", "general\0", "\0",
    "general%00.json", "general;x=y", ";", "general?x", "general#x", "general ", " general",
    "general\n", "\r\nX: y", "\t", "~", "~root", "$HOME", "`id`", "$(id)", "|id", "*", "gener*",
    "?eneral", "-", "-general", "+general", "general,clothes", "_all", "_cat", "_cluster",
    "_search", ".kibana", "<general-{now/d}>", "<clothes>", "general:clothes", "remote:general",
    "general--x", "havengate--x", "general-g1", "general@", "general@g1", "general@g2",
    "general@..", "@g1", "general@g1/../..", "general@*", "GENERAL", "ｇｅｎｅｒａｌ", "gene\u0301ral",
    "ge\u200bneral", "\u202elareneg", "一般", "\ud800", "\ufffe", "🂡", "a" * 5000, "../" * 1000,
    "CON", "aux", "nul", "server.json", "jobs.sqlite", "blobs", "models", "tables", "backups",
    "images.key", "current", "admin", "query", "v1", "update", "vector-service", "images", "docs",
    "metrics", "healthz", "null", "undefined", "0", "-1", "", "1 OR 1=1", "'; DROP TABLE rows;--",
    "{{7*7}}", "{0.__class__}", "%s%n", "<script>", "constructor", "__proto__",
)  # fmt: skip
PATHS = (
    ("POST", "/{}/search", {"query": {"match": {"vector": "red&modal=text"}}}),
    ("POST", "/v1/tables/{}/search", {}),
    ("POST", "/update/{}/actions/bulk", [{"cmd": "delete", "fields": {"id": 77}}]),
    ("POST", "/update/app_{}/actions/bulk", [{"cmd": "delete", "fields": {"id": 77}}]),
    ("GET", "/images/{}/1", None),
    ("GET", "/images/general/{}", None),
    ("GET", "/images/general/1?field={}", None),
    ("GET", "/admin/tables/{}", None),
    ("PATCH", "/admin/tables/{}", {"settings": {"strict": False}}),
    ("GET", "/admin/tables/{}/generations", None),
    ("POST", "/admin/tables/{}/image-token", {"days": 1}),
    ("GET", "/admin/jobs?table={}", None),
    ("GET", "/admin/jobs/{}", None),
    ("GET", "/changes?table={}", None),
    ("GET", "/{}", None),
)
PUSHED = base64.b64encode(picture("red")).decode()
BODIES = (
    ("/query", lambda name: {"assemblyQuery": f"query=vector:'red&modal=text'&&cluster={name}"}),
    ("/query", lambda name: {"assemblyQuery": f"config=fetch_summary_type:rawpk&&fetch_summary={name}:1"}),
    ("/vector-service/fetch", lambda name: {"tableName": name, "ids": [1]}),
    ("/vector-service/fetch", lambda name: {"tableName": "general", "ids": [name], "outputFields": [name]}),
    ("/general/search", lambda name: {"query": "vector:'red&modal=text'", "cluster": [name]}),
    ("/v1/tables/general/search", lambda name: {"query": {"vector": {"index": "vector", "stored_id": name}}}),
    ("/v1/tables/general/search", lambda name: {"output_fields": [name], "filter": {"exists": {"field": name}}}),
    ("/update/words/actions/bulk", lambda name: [{"cmd": "delete", "fields": {"id": name}}]),
    ("/admin/plans", lambda name: {"kind": "rebuild", "table": name, "force": True}),
    ("/admin/jobs", lambda name: {"kind": "rollback", "table": name}),
    ("/admin/jobs", lambda name: {"kind": "rollback", "table": "general", "generation": name}),
)
FILES = (
    ("/admin/restore", lambda name: {"file": name}),
    ("/admin/restore", lambda name: {"file": "general.tar", "table": name}),
    ("/admin/tables/general/backup", lambda name: {"file": name}),
)  # fmt: skip
WORDS = template("base64", extra_fields=({"field_name": "id", "field_type": "STRING"},)).to_json()
SECRET = b"what stands outside"
OWNER = {"Authorization": f"Bearer {TOKEN}"}


class Site:
    """An application, and the folder around its own, which nobody has business in."""

    def __init__(self, app, around):
        self.client = app.test_client()
        self.around = around
        assert self.send("POST", "/admin/tables", {"name": "words", "schema": WORDS})[0] == 201
        self.before = self.outside()

    def send(self, method, path, body=None, query=""):
        """``path`` as gunicorn hands it to an application; (status, body)."""
        asked = {"PATH_INFO": path, "QUERY_STRING": query}
        answer = self.client.open("/", method=method, json=body, headers=OWNER, environ_overrides=asked)
        return answer.status_code, answer.data

    def outside(self):
        """Every file around the data folder with what is in it."""
        files = (path for path in self.around.rglob("*") if "data" not in path.relative_to(self.around).parts[:1])
        return {path: path.read_bytes() for path in files if path.is_file()}

    def tables(self):
        return {each["table"]: each["rows"] for each in json.loads(self.send("GET", "/admin/tables")[1])["tables"]}


def opened(around, opener, *more):
    (around / "secret.json").write_bytes(SECRET)
    (around / "tables").mkdir()
    (around / "tables" / "general").write_text("of somebody else")
    return opener(around / "data", *more)


@pytest.fixture(scope="module", params=["embedded", "opensearch"])
def site(request, tmp_path_factory):
    around = tmp_path_factory.mktemp("around")
    more = [request.getfixturevalue("opensearch_url")] if request.param == "opensearch" else []
    with opened(around, open_cluster_app if more else open_app, *more) as app:
        yield Site(app, around)


def wsgi(text):
    """A name as gunicorn hands it to the application, after the percent-encoding is gone."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


@pytest.mark.parametrize(("method", "path", "body"), PATHS)
def test_a_name_in_a_path_is_a_name(site, method, path, body):
    for name in TRICKS:
        packed = quote(name, safe="", errors="surrogatepass")
        place, _, query = path.partition("?")
        for form in (wsgi(name), packed):
            status, answer = site.send(method, place.format(form), body, query.format(packed))
            assert status < 500, (name, status, answer[:300])
            assert SECRET not in answer
    assert site.tables() == {"general": 3, "clothes": 3, "words": 0}
    assert site.outside() == site.before


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    around = tmp_path_factory.mktemp("around-embedded")
    with opened(around, open_app) as app:
        yield Site(app, around)


@pytest.mark.parametrize(("path", "make"), FILES)
def test_a_name_of_a_file_is_one_in_the_folder_of_backups(embedded, path, make):
    test_a_name_in_a_body_is_a_name(embedded, path, make)


@pytest.mark.parametrize(("path", "make"), BODIES)
def test_a_name_in_a_body_is_a_name(site, path, make):
    for name in TRICKS:
        if "\ud800" <= name[:1] <= "\udfff":  # no JSON
            continue
        status, answer = site.send("POST", path, make(name))
        assert status < 500, (name, status, answer[:300])
    left = site.tables()
    assert (left["general"], left["clothes"]) == (3, 3)
    assert site.outside() == site.before


def test_a_pattern_drops_no_table(site):
    for name in TRICKS:
        site.send("DELETE", f"/admin/tables/{wsgi(name)}")
    assert site.tables().keys() >= {"general", "clothes", "words"}


def test_a_table_is_made_under_a_plain_name_or_not_at_all(site):
    plain = [name for name in TRICKS if name.isidentifier() and name.isascii()]
    for name in (*plain[:5], *TRICKS):
        if "\ud800" <= name[:1] <= "\udfff" or name in plain[5:]:
            continue
        status, answer = site.send("POST", "/admin/tables", {"name": name, "schema": WORDS})
        assert status in (201, 400, 409), (name, status, answer)
        if status == 201:
            assert name.isidentifier()
            assert name.isascii()
            assert site.send("DELETE", f"/admin/tables/{name}")[0] == 200
    assert site.outside() == site.before


def test_keys_of_rows_are_texts_whatever_they_say(site):
    """Every trick is a row's key, and its picture is shown under that very key."""
    names = [name for name in TRICKS if 0 < len(name) < 500 and not {"\0", "\ud800"} & set(name)]
    rows = [{"cmd": "add", "fields": {"id": name, "vector_source_image": PUSHED}} for name in names]
    for at in range(0, len(rows), 50):
        pushed = json.loads(site.send("POST", "/update/words/actions/bulk", rows[at : at + 50])[1])
        assert pushed["errors"] == []
    found = json.loads(site.send("POST", "/vector-service/fetch", {"tableName": "words", "ids": names})[1])
    assert [row["id"] for row in found["result"]] == names
    for name in names:
        assert site.send("GET", f"/images/words/{wsgi(name)}")[0] == 200, name
    assert site.outside() == site.before
