"""The vendor's SDK, in processes of its own: old and new versions, sync and async, every call that searches."""

import json
import subprocess
import venv
from pathlib import Path

import pytest

from havengate.demo.tables import folder

HERE = Path(__file__).parent
KODAK05 = "9"
TABBY, CAT = "2", "27"
OLD, NEW = ("1.0.0", "1.2.1", "1.3.1"), ("1.3.6", "1.3.12")
"""The new ones can POST, return bytes and have the REST DSL."""
DAILY = ("1.0.0", "1.3.12")
VERSIONS = [pytest.param(name, marks=() if name in DAILY else pytest.mark.long) for name in (*OLD, *NEW)]
IDLE = ("rank", "layer", "searcher_cache", "optimizer", "analyzer", "level", "rank_sort", "final_sort", "healthcheck")
"""The builder's clauses without effect."""


@pytest.fixture(scope="session")
def python_of():
    """The interpreter of an environment that has just one version of the SDK; made once, then kept."""

    def make(version):
        environment = HERE.parent / ".cache" / f"ha3engine-{version}"
        python = environment / "bin" / "python"
        done = environment / "done"
        if not done.exists():
            venv.create(environment, with_pip=True, clear=True)
            constraints = str(HERE / "sdk_constraints.txt")
            packages = [f"alibabacloud-ha3engine=={version}", "setuptools"]
            pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            subprocess.run([*pip, "-c", constraints, *packages], check=True, timeout=280)
            done.touch()
        return str(python)

    return make


@pytest.fixture(scope="module")
def answers(endpoint, python_of):
    """Ids and answers by the call's name, of a version in a mode; each program runs once."""
    known = {}

    def run(version, mode):
        if (version, mode) not in known:
            command = [python_of(version), "-W", "ignore", str(HERE / "sdk_samples.py"), endpoint]
            done = subprocess.run(
                [*command, str(folder() / "general" / "kodak05.jpg"), mode],
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert done.returncode == 0, done.stderr[-2000:]
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            known[version, mode] = {name: (ids, answer) for name, ids, answer in lines}
        return known[version, mode]

    return run


pytestmark = [
    pytest.mark.parametrize("mode", ["--sync", "--async"]),
    pytest.mark.parametrize("version", VERSIONS),
]


def variants(version):
    """What stands behind the name of a call that is sent in several ways."""
    return ("", " by POST", " as bytes") if version in NEW else ("",)


def test_the_samples_find_the_motocross_photo(answers, version, mode):
    found = answers(version, mode)
    for variant in variants(version):
        for name in ("as printed", "words", "chinese", "picture"):
            ids, _ = found[name + variant]
            assert (ids[0], len(ids)) == (KODAK05, 4), name + variant
        for name in ("words, filtered", "picture, filtered"):
            assert sorted(found[name + variant][0]) == [TABBY, CAT], name + variant


def test_xml_is_the_default_and_finds_the_same(answers, version, mode):
    found = answers(version, mode)
    for variant in variants(version):
        assert found[f"xml{variant}"] == (found["words"][0], {"hits": 4})


def test_summaries_are_fetched_by_key(answers, version, mode):
    found = answers(version, mode)
    names = [f"fetched{variant}" for variant in variants(version)]
    if version in NEW:
        names += ["rest, fetched", "rest, fetched as bytes"]
    for name in names:
        ids, answer = found[name]
        assert (ids, answer["errors"], answer["result"]["totalHits"]) == ([KODAK05, CAT], [], 2), name


def test_errors_are_in_the_body(answers, version, mode):
    found = answers(version, mode)
    codes = {f"wrong{variant}": 1013 for variant in variants(version)} | {"sql": 8000}
    if version in NEW:
        codes |= {"rest, wrong": 1056, "rest, wrong as bytes": 1056}
    assert {name: [error["code"] for error in found[name][1]["errors"]] for name in codes} == {
        name: [code] for name, code in codes.items()
    }


def test_the_builder_reaches_every_clause(answers, version, mode):
    found = answers(version, mode)
    names = ["built"] + (["built by await"] if "built by await" in found else [])
    for name in names:
        ids, answer = found[name]
        assert (answer["errors"], len(ids), ids[0]) == ([], 4, KODAK05), name
        result = answer["result"]
        for item in result["items"]:
            (cate,) = item["attribute"]["cate_id"]
            assert (item["attribute"]["twice"], len(item["sortExprValues"])) == ([2 * cate], 2)
        by_range, by_title = result["facet"]
        assert (by_range["key"], by_title["key"]) == ("cate_id", "title")
        assert sum(int(group["count"]) for group in by_range["items"]) == result["totalHits"] == 10
        assert [sorted(group) for group in by_title["items"]] == [["sum", "value"]] * 3
        notes = [line for line in answer["tracer"].splitlines() if line.startswith("no effect: ")]
        assert all(any(clause in note for note in notes) for clause in IDLE), answer["tracer"]


def test_the_rest_calls_answer_as_the_query_strings_do(answers, version, mode):
    found = answers(version, mode)
    if version in OLD:
        assert not [name for name in found if name.startswith("rest")]
        return
    for variant in ("", " as bytes"):
        assert found[f"rest{variant}"][0] == found["words"][0]
        assert found[f"rest, filtered{variant}"][0] == found["words, filtered"][0]
        ids, answer = found[f"rest, every clause{variant}"]
        assert (answer["errors"], len(ids), ids[0]) == ([], 4, KODAK05)
        (facet,) = answer["result"]["facet"]
        assert sum(int(group["count"]) for group in facet["items"]) == answer["result"]["totalHits"]
