"""`havengate dashboards` as a user runs it."""

import json
import stat
import urllib.error
import urllib.request

import pytest
from dashboards_double import dashboards
from dashboards_types import check_export, fields_of
from support import run_cli

from havengate.dashboards.export import Wanted, export
from havengate.dashboards.objects import ndjson
from havengate.demo.tables import rows
from havengate.errors import RequestError, UnknownTable
from havengate.setting_groups import EngineSettings
from ingest.table_administration import open_administration
from schemas.settings import TableSettings
from schemas.templates import template
from schemas.vendor import read_schema

HERE = Wanted("http://gateway:8000", 30)


@pytest.fixture
def double():
    with dashboards() as one:
        yield one


@pytest.fixture
def desk(services):
    opened = open_administration(services, "test")
    yield opened
    opened.close()


def picture_urls(lines, alias, key):
    """The URLs that Dashboards makes of an index pattern's formats for a row's key."""
    pattern = check_export(lines)["index-pattern", alias]
    formats = json.loads(pattern["attributes"]["fieldFormatMap"])
    return [form["params"]["urlTemplate"].replace("{{value}}", str(key)) for form in formats.values()]


def fetched(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.headers["Content-Type"], answer.read()


@pytest.mark.usefixtures("endpoint")
def test_the_pictures_of_an_export_are_served_until_they_are_revoked(served_data):
    done = run_cli(served_data, "dashboards", "export", "--table", "clothes", "--days", "2")
    assert "tokens for the pictures are valid until" in done.stderr
    assert "other machines' browsers need --gateway" in done.stderr
    key = rows("clothes")[0]["id"]
    (url,) = picture_urls(done.stdout, "havengate-clothes", key)
    kind, picture = fetched(url)
    assert kind.startswith("image/")
    assert picture
    run_cli(served_data, "images", "revoke", "clothes")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        fetched(url)
    (again,) = picture_urls(run_cli(served_data, "dashboards", "export").stdout, "havengate-clothes", key)
    assert fetched(again)[1] == picture


def test_a_file_is_written_whole_and_for_its_owner(demo_data, tmp_path):
    file = tmp_path / "objects.ndjson"
    file.write_text("before")
    file.chmod(0o644)
    done = run_cli(demo_data, "dashboards", "export", "--gateway", "https://pictures.example/", "--output", str(file))
    assert done.stdout == ""
    assert "other machines" not in done.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    lines = file.read_text()
    (url,) = picture_urls(lines, "havengate-general", 1)
    assert url.startswith("https://pictures.example/images/general/1?token=")
    nowhere = run_cli(demo_data, "dashboards", "export", "--output", f"{tmp_path}/none/o.ndjson", check=False)
    assert nowhere.returncode == 2
    assert "No such file or directory" in nowhere.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["objects.ndjson"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--table", "nope"], "no table 'nope'; there are: "),
        (["--gateway", "pictures.example"], "--gateway is a URL like"),
        (["--days", "0"], "--days"),
    ],
)
def test_what_cannot_be_exported_prints_nothing(demo_data, options, message):
    done = run_cli(demo_data, "dashboards", "export", *options, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.parametrize(
    ("setting", "option", "kept"), [("", "--slow", 1), ("true", "--no-slow", 0), ("true", None, 1)]
)
def test_slow_searches_are_exported_where_they_are_kept(demo_data, setting, option, kept):
    environment = {"HAVENGATE_LOG__SLOW_INDEX": setting}
    done = run_cli(demo_data, "dashboards", "export", *([option] if option else []), env=environment)
    objects = check_export(done.stdout)
    assert [id_ for kind, id_ in objects if kind == "index-pattern"].count("havengate-slow-searches") == kept


def test_an_import_sends_the_password_from_the_pipe_and_says_what_was_done(demo_data, double):
    double.account = "me:pass word"
    arguments = ["dashboards", "import", double.url, "--user", "me", "--tenant", "global", "--table", "general"]
    done = run_cli(demo_data, *arguments, input="pass word\n")
    assert done.stdout == f"{len(double.kept)} objects imported into {double.url}\n"
    assert fields_of(double.kept["index-pattern", "havengate-general"])["picture"]["scripted"]
    wrong = run_cli(demo_data, *arguments, input="wrong\n", check=False)
    assert wrong.returncode == 2
    assert "does not accept the user 'me': 401" in wrong.stderr
    assert "wrong" not in wrong.stderr + wrong.stdout


def test_objects_that_were_not_taken_are_named_and_make_another_exit_code(demo_data, double, tmp_path):
    file = tmp_path / "objects.ndjson"
    run_cli(demo_data, "dashboards", "export", "--output", str(file))
    double.refused = {"dashboard": {"type": "unknown", "message": "\x1b[31mno room"}}
    done = run_cli(tmp_path / "nobody", "dashboards", "import", double.url, "--file", str(file), check=False)
    assert done.returncode == 1
    assert "not imported: dashboard havengate-dashboard: unknown: \\x1b[31mno room" in done.stderr
    assert done.stdout == f"{len(double.kept)} objects imported into {double.url}\n"
    assert len(double.kept) == len(file.read_text().splitlines()) - 2


@pytest.mark.parametrize(
    ("arguments", "given", "message"),
    [
        (["ftp://host"], "", "a URL of OpenSearch Dashboards is like"),
        (["http://127.0.0.1:1", "--user", "me"], "", "the password is empty"),
        (["http://127.0.0.1:1"], "", "does not answer"),
        (["http://127.0.0.1:1", "--file", __file__, "--days", "7"], "", "--days belongs to what is made now"),
        (["http://127.0.0.1:1", "--no-slow", "--file", __file__], "", "--slow belongs to what is made now"),
    ],
)
def test_an_import_that_cannot_be_is_one_line(demo_data, arguments, given, message):
    done = run_cli(demo_data, "dashboards", "import", *arguments, input=given, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr.splitlines()[-1]


def test_a_schema_whose_secrets_are_masked_is_exported_without_them(services, desk):
    vendor = template("oss", endpoint="oss.example.com", bucket="b").to_json()
    picture = next(field for field in vendor["fields"] if "oss_bucket" in field.get("user_defined_param", {}))
    picture["user_defined_param"] |= {"oss_access_key": "the id", "oss_secret": "the secret"}
    services.tables.create("photos", read_schema(json.dumps(vendor)), TableSettings())
    lines = ndjson(export(desk, EngineSettings(), HERE).objects)
    assert len(picture_urls(lines, "havengate-photos", 1)) == 1
    assert "the id" not in lines
    assert "the secret" not in lines


def test_a_table_that_cannot_be_used_is_left_out_and_told():
    class Desk:
        def tables(self):
            return [{"table": "broken", "error": "its index is red"}]

    made = export(Desk(), EngineSettings(), HERE)
    assert made.skipped == ("table broken: its index is red",)
    assert (made.tables, made.expires) == ((), None)
    check_export(ndjson(made.objects))


@pytest.mark.usefixtures("photos")
def test_a_table_that_is_not_there_is_named(desk):
    with pytest.raises(UnknownTable, match="no table 'nope'; there are: photos"):
        export(desk, EngineSettings(), Wanted("http://g", 1, ("photos", "nope")))
    with pytest.raises(RequestError):
        export(desk, EngineSettings(), Wanted("g", 1))
