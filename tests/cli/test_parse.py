"""`havengate parse`: one request, many lines, with and without tables."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner
from support import run_cli

from engines.contract import TableSpec
from engines.embedded.engine import EmbeddedEngine
from havengate.cli.parse import parse
from schemas.resolve import resolve
from schemas.settings import TableSettings
from schemas.templates import template

PRICE = {"field_name": "price", "field_type": "INT64"}
VECTOR = "vector:'cat&modal=text'"


@pytest.fixture
def vendor():
    return template("base64", extra_fields=(PRICE,))


@pytest.fixture
def schema_file(tmp_path, vendor):
    file = tmp_path / "shoes.json"
    file.write_text(json.dumps(vendor.to_json()))
    return file


def batch(lines, *options):
    """The answers, and whether all lines were fine."""
    given = b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)
    done = CliRunner().invoke(parse, ["--batch", "-", *options], input=given)
    assert isinstance(done.exception, SystemExit | None), done.exception
    assert done.exit_code in (0, 1)
    return [json.loads(line) for line in done.stdout_bytes.splitlines()], done.exit_code == 0


def asked(clause, text):
    return {"clause": clause, "text": text}


def judged(clause, text, *options):
    (answer,), fine = batch([asked(clause, text)], *options)
    assert fine is answer["ok"]
    return answer


def test_a_request_is_shown_clause_by_clause():
    done = CliRunner().invoke(parse, ["query=a:'x' AND b:'y'&&filter=c=1 OR d=2 AND e=3"])
    shown = json.loads(done.stdout)
    assert shown["query"] == "(AND {a:'x'} {b:'y'})"
    assert shown["filter"] == "((c=1) OR ((d=2) AND (e=3)))"


def test_a_wrong_request_is_pointed_at(tmp_path):
    done = run_cli(tmp_path, "parse", "query=a:'x' AND", check=False)
    assert done.returncode == 2
    assert "1051" in done.stderr
    assert "^" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_request_and_a_batch_exclude_each_other():
    assert CliRunner().invoke(parse, []).exit_code == 2
    assert CliRunner().invoke(parse, ["query=a", "--batch", "-"], input="").exit_code == 2


def test_lines_are_answered_in_order():
    answers, fine = batch(
        [
            asked("filter", "a+b<c AND d=10"),
            asked("query", "a b AND"),
            asked("query", "a:'书包'"),
            asked("kvpairs", "a"),
        ]
    )
    assert not fine
    assert answers[0] == {"ok": True, "tree": "(((a+b)<c) AND (d=10))", "warnings": []}
    message = "syntax error, unexpected end of file"
    assert answers[1] == {"ok": False, "code": 1051, "error": "QUERY_CLAUSE", "message": message, "span": [7, 7]}
    assert answers[2]["tree"] == "{a:'书包'}"
    assert (answers[3]["code"], answers[3]["error"]) == (2090, "PARSE_KVPAIR_CLAUSE")


def test_nothing_is_looked_up_without_a_table():
    text = "query=no_index:a b&&filter=nothing>foo(1)&&cluster=nowhere&&sort=x"
    assert judged("request", text)["ok"]


def test_what_the_engine_drops_is_a_warning():
    assert judged("query", "a{} 'b")["warnings"] == [
        "'{}' outside quotes was dropped",
        "a quote is not closed: everything from it on was dropped",
    ]


def test_long_texts_are_not_cut():
    assert judged("query", f"a:'{'x' * 1000}'")["tree"] == f"{{a:'{'x' * 1000}'}}"


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"query=a\n",
        b"[]\n",
        b'{"clause":"query"}\n',
        b'{"clause":"query","text":1}\n',
        b'{"clause":["query"],"text":"a"}\n',
        b'{"clause":"querry","text":"a"}\n',
        b'{"clause":"query","text":"\xff"}\n',
        b"[" * 100_000 + b"\n",
    ],
)
def test_a_broken_line_is_answered_in_its_place(line):
    answers, fine = batch([asked("query", "a"), line, asked("query", "b")])
    assert [answer["ok"] for answer in answers] == [True, False, True]
    assert answers[1]["message"]
    assert {"code", "error", "span"} < answers[1].keys()
    assert not fine


def test_a_lone_surrogate_comes_back():
    (answer,), _ = batch([b'{"clause":"query","text":"a:\'\\ud800\'"}\n'])
    assert answer["tree"] == "{a:'\ud800'}"


def test_an_empty_batch_is_fine():
    assert batch([]) == ([], True)


def test_an_answer_comes_before_the_next_line_is_asked():
    with subprocess.Popen(
        [sys.executable, "-m", "havengate", "parse", "--batch", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        for text in ("a", "b"):
            process.stdin.write(json.dumps(asked("query", text)).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["tree"] == f"{{default:'{text}'}}"
        process.stdin.close()
    assert process.returncode == 0


def test_a_reader_that_goes_away_is_no_crash():
    lines = (json.dumps(asked("query", "a")) + "\n").encode() * 5000
    command = f"{sys.executable} -m havengate parse --batch - | head -n 1"
    done = subprocess.run(command, shell=True, input=lines, capture_output=True, check=True)  # noqa: S602  (a pipe)
    assert done.stderr == b""


WRONG = [
    ("request", f"query={VECTOR}&&filter=nope=1", 2000, "nope"),
    ("request", f"query={VECTOR}&&cluster=boots", 1001, "boots"),
    ("request", "filter=price=1", 1012, None),
    ("query", "nope:a", 1013, "nope"),
    ("filter", "price>1 AND nope=1", 2000, "nope"),
    ("filter", "price", 1020, "price"),
    ("filter", "1=1", 2002, "1=1"),
    ("filter", 'price="a&&b"', 2001, 'price="a&&b"'),
    ("filter", "foo(price)=1", 2100, None),
    ("sort", "-price;nope", 2000, "nope"),
    ("cluster", "boots", 1001, "boots"),
    ("config", "start:5000,hit:5", 1005, None),
    ("aggregate", "group_key:nope,agg_fun:count()", 2000, "nope"),
    ("distinct", "dist_key:nope", 2000, "nope"),
    ("virtual_attribute", "a:price*2;b:nope", 2000, "nope"),
    ("attribute", "price,nope", 2000, "nope"),
]


@pytest.mark.parametrize(("clause", "text", "code", "part"), WRONG, ids=[f"{case[0]} {case[2]}" for case in WRONG])
def test_with_a_table_everything_is_checked(schema_file, clause, text, code, part):
    assert judged(clause, text)["ok"]
    answer = judged(clause, text, "--table", f"shoes={schema_file}")
    assert answer["code"] == code
    start, end = answer["span"]
    assert 0 <= start <= end <= len(text)
    if part is not None:
        assert text[start:end] == part


RIGHT = [
    ("request", f"query={VECTOR} AND id:1&&filter=price=1&&cluster=shoes&&sort=-price"),
    ("request", f"query={VECTOR}&&cluster=general"),
    ("request", f"query={VECTOR}&&cluster=other"),
    ("query", f"image_index{VECTOR[6:]}"),
    ("filter", "price>1"),
    ("sort", "RANK;-price"),
    ("config", "start:1,hit:5"),
    ("cluster", "other"),
    ("aggregate", "group_key:price,agg_fun:count()"),
    ("kvpairs", "formula:proxima_score(vector)"),
    ("attribute", "price"),
    ("fetch_summary", "shoes_1_2_3_4"),
]


@pytest.mark.parametrize(("clause", "text"), RIGHT, ids=[f"{case[0]} {case[1]}" for case in RIGHT])
def test_with_tables_what_fits_is_accepted(schema_file, clause, text):
    answer = judged(clause, text, "--table", f"shoes={schema_file}", "--table", f"other={schema_file}")
    assert answer["ok"], answer


def test_the_first_table_is_the_default_one(schema_file, tmp_path):
    plain = tmp_path / "plain.json"
    plain.write_text(json.dumps(template("base64").to_json()))
    tables = ("--table", f"plain={plain}", "--table", f"shoes={schema_file}")
    assert not judged("filter", "price>1", *tables)["ok"]
    assert judged("request", f"query={VECTOR}&&filter=price>1&&cluster=shoes", *tables)["ok"]


def test_a_table_is_read_while_another_process_holds_the_folder(tmp_path, vendor, monkeypatch):
    monkeypatch.setenv("HAVENGATE_DATA_DIR", str(tmp_path))
    spec = TableSpec("shoes", resolve(vendor), vendor.to_json(), TableSettings(strict=True), {})
    with EmbeddedEngine.open(tmp_path) as engine:
        engine.create_table(spec)
        before = sorted((tmp_path / "tables").iterdir())
        assert judged("filter", "price>1", "--table", "shoes")["ok"]
        assert judged("filter", "nope>1", "--table", "shoes")["code"] == 2000
        assert not judged("filter", "price@>1", "--table", "shoes")["ok"], "the table is strict"
        assert sorted((tmp_path / "tables").iterdir()) == before


@pytest.mark.parametrize("name", ["nope", "nope=nofile.json"])
def test_an_unknown_table_ends_the_command(tmp_path, name):
    done = run_cli(tmp_path, "parse", "--table", name, "query=a", check=False)
    assert done.returncode == 2
    assert "nope" in done.stderr
    assert not list(tmp_path.iterdir())
