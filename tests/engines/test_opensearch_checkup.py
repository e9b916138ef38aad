"""An index as the cluster describes it, against what a table needs."""

from __future__ import annotations

import copy

import pytest
from engine_samples import make_spec

from engines.opensearch.checkup import blocks, faults, require_layout
from engines.opensearch.mapping import INTERNAL, LAYOUT, LAYOUT_META, mappings
from havengate.errors import UnfitTable
from havengate.setting_groups import EngineSettings

OWN = ("properties", INTERNAL, "properties")
EXPECTED = mappings(make_spec(), EngineSettings(kind="opensearch"))


def entry(**settings):
    told = {"index.knn": "true"} | {name.replace("__", "."): value for name, value in settings.items()}
    return {"mappings": copy.deepcopy(EXPECTED) | {"dynamic": "strict"}, "settings": told}


def test_an_index_as_it_was_made_has_no_faults():
    assert list(faults(entry(), EXPECTED)) == []


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("dynamic",), "true", "dynamic is true instead of strict"),
        ((*OWN, "row"), None, "hg-internal.row is missing"),
        (("properties", "i64"), {"type": "keyword"}, "i64 has type keyword instead of long"),
        (("properties", "s", "doc_values"), False, "s has doc_values False instead of True"),
        (("properties", "m", "enabled"), True, "m has enabled True instead of False"),
        (
            ("properties", "t-words", "path"),
            "hg-internal.words.ts",
            "t-words has path hg-internal.words.ts instead of hg-internal.words.t",
        ),
        (
            (*OWN, "vectors", "properties", "vector_field", "dimension"),
            3,
            "hg-internal.vectors.vector_field has dimension 3 instead of 2",
        ),
        (
            (*OWN, "vectors", "properties", "vector_field", "method", "space_type"),
            "cosinesimil",
            "hg-internal.vectors.vector_field has space_type cosinesimil instead of l2",
        ),
    ],
)
def test_a_mapping_that_others_made_is_told_by_its_place(path, value, told):
    found = entry()
    *outer, name = path
    part = found["mappings"]
    for step in outer:
        part = part[step]
    if value is None:
        del part[name]
    else:
        part[name] = value
    assert list(faults(found, EXPECTED)) == [told]


def test_fields_that_the_table_does_not_need_are_nobodys_business():
    found = entry()
    found["mappings"]["properties"]["extra"] = {"type": "keyword"}
    assert list(faults(found, EXPECTED)) == []


def test_settings_that_change_what_searches_find():
    name = "index.knn.faiss.efficient_filter.disable_exact_search"
    found = entry()
    found["settings"] = {"index.knn": "false", name: "true"}
    assert list(faults(found, EXPECTED)) == ["index.knn is not true", f"{name} is true: set it to false"]


def test_blocks_are_told_with_their_reason():
    told = list(blocks({"index.blocks.read_only_allow_delete": "true", "index.blocks.read": "false"}))
    assert told == [
        "index.blocks.read_only_allow_delete is set: a node's disk is nearly full; free some space or add a node"
    ]


def test_documents_of_another_layout_are_refused_with_what_to_do():
    require_layout("i", {LAYOUT_META: LAYOUT})
    for told in ({}, {LAYOUT_META: 1}):
        with pytest.raises(UnfitTable, match=r"index i was made by an older version.*table backup.*docs/upgrading\.md"):
            require_layout("i", told)
    for later in (LAYOUT + 1, "new"):
        with pytest.raises(UnfitTable, match=f"layout {later}; use a newer version"):
            require_layout("i", {LAYOUT_META: later})
