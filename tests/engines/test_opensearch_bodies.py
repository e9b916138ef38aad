"""What is sent to the cluster, as golden files; and the order of the tokens that stand for a MAP's values."""

from __future__ import annotations

import itertools

import pytest
from opensearch_cases import GOLDEN, cases, written

from engines.opensearch.names import Names, document_id
from engines.opensearch.tokens import key_token, keyword, value_token

CASES = dict(cases())
NUMBERS = [-(2.0**70), -(2**63), -(2**53) - 1, -(2.0**53), -1.5, -1, 0, 1e-320, 1, 2**53, 2**53 + 1, 2**53 + 2]
NUMBERS += [2**63 - 1, 2**63, 2**64 - 1, 2.0**64, 10**300, 1e300, 10**400]


@pytest.mark.parametrize("name", CASES)
def test_a_body_is_the_golden_one(name):
    assert written(CASES[name]) == (GOLDEN / f"{name}.json").read_text()


def test_every_golden_file_has_its_case():
    assert {path.stem for path in GOLDEN.glob("*.json")} == CASES.keys()


def test_numbers_of_a_map_stand_in_their_own_order():
    assert sorted(NUMBERS) == NUMBERS
    tokens = [value_token("k", number) for number in NUMBERS]
    assert sorted(set(tokens)) == tokens


@pytest.mark.parametrize(("left", "right"), [(1, 1.0), (0.0, -0.0), (2**63, 2.0**63), (float("inf"), 10**400)])
def test_equal_numbers_have_one_token(left, right):
    assert value_token("k", left) == value_token("k", right)


def test_no_key_of_a_map_begins_another_keys_tokens():
    keys = ["", "a", "a\x00", "a\x00\x00", "a\x00\x01", "a\x00\x00t", "\x00", "k" * 5000, "k" * 5001]
    for one, other in itertools.permutations(keys, 2):
        assert not value_token(one, "x").startswith(key_token(other)), (one[:5], other[:5])


def test_long_text_keeps_its_order_and_its_identity():
    long = "图" * 20_000
    assert len(keyword(long).encode()) <= 32_766
    assert keyword(long) != keyword(long + "x") != keyword(long + "y")
    assert keyword("图" * 10) < keyword(long) < keyword("图" * 20 + "\U0001f600")
    assert len(value_token("\x00" * 10_000, long).encode()) <= 32_766


def test_names_differ_where_tables_do():
    names = Names("p-")
    tables = ["t", "T", "_t", "aG1", "a_g1", "ag1", "A"]
    indexes = [names.index(table) for table in tables]
    assert len(set(indexes)) == len(tables)
    assert all(index == index.lower() for index in indexes)
    assert [names.table(names.alias(table)) for table in tables] == tables
    assert names.table("p-x-y") is names.table("other") is None


def test_keys_that_cannot_be_ids_are_hashed():
    assert document_id("-15") == "-15"
    ids = [document_id(key) for key in ("", "#", "图", "a b", "x" * 201, "_")]
    assert all(id_.startswith("#") and len(id_) == 65 for id_ in ids)
    assert len(set(ids)) == len(ids)
