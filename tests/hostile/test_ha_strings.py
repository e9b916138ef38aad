"""Whatever an HA request says, by GET and by POST: HTTP 200 or a refusal, in XML or JSON that can be read."""

import json
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest
from ha_mutations import CLAUSES, WHOLE, mutated
from hypothesis import HealthCheck, given, settings

pytestmark = pytest.mark.timeout(240)
BOUNDED = settings(
    max_examples=300, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


def check(answer):
    assert answer.status_code == 200, (answer.status_code, answer.text[:300])
    if answer.content_type == "text/xml; charset=utf-8":
        root = ET.fromstring(answer.data)  # noqa: S314 - our own answer, and entities are what it may not hold
        assert root.tag == "Root"
        return int(root.findtext("Error/ErrorCode"))
    assert answer.content_type == "application/json; charset=utf-8"
    body = json.loads(answer.data)
    assert body["status"] == ("ERROR" if body["errors"] else "OK")
    return body["errors"][0]["code"] if body["errors"] else 0


def both_ways(app, text):
    """By GET and by POST the same comes of it."""
    client = app.test_client()
    by_get = check(client.get(f"/query?query={quote(text.encode('utf-8', 'surrogatepass'), safe='')}"))
    by_post = check(client.post("/query", json={"assemblyQuery": text}))
    assert by_get == by_post


@BOUNDED
@given(text=mutated())
def test_mutated_requests_are_answered_alike(open_to_all, text):
    both_ways(open_to_all, text)


def test_every_case_as_it_is_is_answered(open_to_all):
    texts = [*WHOLE, *(f"{clause}={given}&&query=vector:'red&modal=text'" for clause, given in CLAUSES)]
    for text in texts:
        both_ways(open_to_all, text)


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(BOUNDED, max_examples=20_000, derandomize=False)
@given(text=mutated())
def test_many_more_mutated_requests(open_to_all, text):
    both_ways(open_to_all, text)


@pytest.mark.parametrize(
    "text",
    [
        "query=" + "(" * 100_000,
        "query=" + "a " * 600_000,
        "query=" + "vector:'red&modal=text' OR " * 2000 + "a",
        "filter=" + "1+" * 70_000 + "1=1&&query=a",
        "filter=" + "(" * 5000 + "id=1" + ")" * 5000 + "&&query=a",
        'filter=in(id,"' + "1|" * 100_000 + '1")&&query=a',
        "sort=" + ";".join(["-id"] * 100_000) + "&&query=a",
        "virtual_attribute=" + ";".join(f"a{n}:a{n - 1}+a{n - 1}" for n in range(1, 60)) + "&&query=a&&sort=a59",
        "kvpairs=" + ",".join(f"k{n}:v" for n in range(100_000)) + "&&query=a",
        "aggregate=" + ";".join(["group_key:id,agg_fun:count()"] * 10_000) + "&&query=a",
        "distinct=" + "dist_key:id;" * 100_000 + "&&query=a",
        "config=" + "hit:1," * 500_000 + "&&query=a",
        "&&" * 1_000_000,
        "=" * 1_000_000,
        "query=vector:'" + "1," * 1_000_000 + "1'",
        "query=vector:'" + ";".join(["1,2"] * 200_000) + "'",
        "fetch_summary=general:" + ",".join(map(str, range(300_000))) + "&&config=fetch_summary_type:rawpk",
    ],
    ids=lambda text: text[:24],
)
def test_long_requests_are_refused_or_answered(open_to_all, text):
    check(open_to_all.test_client().post("/query", json={"assemblyQuery": text}))
