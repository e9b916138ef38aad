"""POST /{table}/search: the JSON of each clause becomes the clause's text, and nothing else slips in."""

import json
from pathlib import Path

import pytest

from gateway.rest_clauses import clause_texts
from gateway.rest_models import read_search
from havengate.errors import RequestError

CASES = json.loads((Path(__file__).parent / "data" / "rest_dsl.json").read_text())


@pytest.mark.parametrize("case", CASES["taken"], ids=lambda case: json.dumps(case["body"])[:60])
def test_clauses_are_written_as_ha3_has_them(case):
    assert clause_texts(read_search(case["body"]), "photos") == case["texts"]


@pytest.mark.parametrize("case", CASES["refused"], ids=lambda case: json.dumps(case["body"])[:60])
def test_what_is_wrong_is_named_with_its_path(case):
    with pytest.raises(RequestError) as raised:
        clause_texts(read_search(case["body"]), "photos")
    assert (int(raised.value.code), raised.value.message[: len(case["says"])]) == (case["code"], case["says"]) or (
        case["code"] == 1012 and case["says"] in raised.value.message
    )
