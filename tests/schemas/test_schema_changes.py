"""What separates two schemas of a table, and what a rebuild does about each part."""

from dataclasses import replace

import pytest

from schemas.changes import Made, Step, steps, takes, takes_all
from schemas.table import FieldSpec, FieldType, Hnsw, PictureSource, TableSchema, TermIndex, VectorIndex

PICTURE = PictureSource("picture", "base64")
INDEX = VectorIndex("vector", "v", 512, "SquaredEuclidean", "category", "builtin", PICTURE)
PUSHED = VectorIndex("pushed", "p", 4, "InnerProduct")
PATHS = PictureSource("path", "oss", "file:///old", "b")


def schema(*fields, indexes=(INDEX, PUSHED), key="id", terms=()):
    specs = [
        FieldSpec("id", FieldType.INT64),
        FieldSpec("other", FieldType.INT64),
        FieldSpec("picture", FieldType.STRING),
        FieldSpec("path", FieldType.STRING),
        FieldSpec("category", FieldType.INT32),
        *(FieldSpec(index.field, FieldType.FLOAT, multi_value=True) for index in indexes),
        *fields,
    ]
    return TableSchema(
        {spec.name: spec for spec in specs},
        key,
        {index.name: index for index in indexes},
        {term.name: term for term in terms},
    )


def made(table, space="one", *, keeps_sources=True):
    spaces = {index.name: space for index in table.vector_indexes.values() if index.model is not None}
    return Made(table, spaces, keeps_sources)


def changed(old, new):
    """What does not stay as it is; schemas stand for tables of one space."""
    sides = [side if isinstance(side, Made) else made(side) for side in (old, new)]
    return [step for step in steps(*sides) if step.action != "same"]


def without(table, *names):
    return replace(table, fields={name: spec for name, spec in table.fields.items() if name not in names})


def test_every_part_of_a_schema_that_stays_is_told_of_as_the_same():
    terms = (TermIndex("id_index", "NUMBER", ("id",)),)
    found = steps(made(schema(terms=terms)), made(schema(terms=terms)))
    assert {step.action for step in found} == {"same"}
    assert [step.name for step in found] == ["id", "other", "picture", "path", "category", "vector", "pushed"]


TITLE = FieldSpec("title", FieldType.STRING)
NONE_OF = "vectors of pictures in field 'picture' (base64) are none of pictures"
TERM = TermIndex("title_index", "STRING", ("title",))
OTHER = replace(INDEX, field="q", name="q")
EXTRA = replace(PUSHED, name="n", field="n")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (schema(), schema(TITLE), ["field 'title': added (rows have no value until it is pushed)"]),
        (schema(TITLE), schema(), ["field 'title': left behind (with its values)"]),
        (
            schema(),
            schema(indexes=(INDEX, PUSHED, EXTRA)),
            ["vector index 'n': added (rows have no vector until one is pushed)"],
        ),
        (schema(), schema(indexes=(INDEX,)), ["vector index 'pushed': left behind (with its vectors)"]),
        (
            schema(),
            without(schema(indexes=(PUSHED,)), "picture"),
            ["field 'picture': left behind (with its values)", "vector index 'vector': left behind (with its vectors)"],
        ),
        (
            schema(),
            schema(indexes=(replace(INDEX, name="image"), PUSHED)),
            ["vector index 'image': copied (it was called 'vector')"],
        ),
        (
            schema(),
            schema(indexes=(replace(INDEX, category_field=None), PUSHED)),
            ["vector index 'vector': copied (its category field is none)"],
        ),
        (
            schema(),
            schema(indexes=(INDEX, replace(PUSHED, distance="SquaredEuclidean", delimiter=";"))),
            [
                "vector index 'pushed': copied (InnerProduct becomes SquaredEuclidean; numbers are separated by ';')",
            ],
        ),
        (
            schema(),
            schema(indexes=(INDEX, replace(PUSHED, hnsw=Hnsw(m=32)))),
            ["vector index 'pushed': copied (its graph is built with other parameters)"],
        ),
        (
            schema(TITLE),
            schema(TITLE, terms=(TERM,)),
            ["index 'title_index': added (over the rows that are there)"],
        ),
        (schema(TITLE, terms=(TERM,)), schema(TITLE), ["index 'title_index': left behind"]),
        (
            schema(TITLE, terms=(TERM,)),
            schema(replace(TITLE, type=FieldType.TEXT), terms=(replace(TERM, kind="TEXT"),)),
            [
                "field 'title': converted (STRING becomes TEXT)",
                "index 'title_index': converted (it is built otherwise)",
            ],
        ),
        (
            schema(replace(TITLE, type=FieldType.INT32)),
            schema(replace(TITLE, multi_value=True)),
            ["field 'title': converted (INT32 becomes STRING, several values)"],
        ),
    ],
)
def test_what_needs_no_pictures(old, new, said):
    assert [str(step) for step in changed(old, new)] == said


def with_paths(**parts):
    return schema(indexes=(replace(INDEX, source=replace(PATHS, **parts)), PUSHED))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (
            schema(),
            schema(indexes=(replace(INDEX, model="clip"), PUSHED)),
            "vectors of the model builtin are none of the model clip",
        ),
        (made(schema()), made(schema(), "two"), "the model builtin was one and is two"),
        (replace(made(schema()), spaces={}), schema(), "what made its vectors is not on record"),
        (
            with_paths(),
            with_paths(field="other_path"),
            "vectors of pictures in field 'path' (oss) are none of pictures in field 'other_path' (oss)",
        ),
        (
            schema(indexes=(replace(INDEX, model=None, source=None), OTHER)),
            schema(indexes=(INDEX, OTHER)),
            (
                "vectors of clients are none of the model builtin; "
                "vectors of no pictures are none of pictures in field 'picture' (base64)"
            ),
        ),
        (
            schema(indexes=(INDEX,)),
            schema(indexes=(INDEX, replace(INDEX, name="second", field="second"))),
            "added, from pictures in field 'picture' (base64)",
        ),
    ],
)
def test_vectors_that_are_made_again_from_the_pictures(old, new, why):
    extra = FieldSpec("other_path", FieldType.STRING)
    sides = []
    for side in (old, new):
        whole = side if isinstance(side, Made) else made(side)
        sides.append(replace(whole, schema=replace(whole.schema, fields={**whole.schema.fields, "other_path": extra})))
    (step,) = changed(*sides)
    assert (step.part, step.action, step.says) == ("vector index", "re-embedded", why)


def test_pictures_that_moved_are_the_same_pictures():
    (step,) = changed(with_paths(), with_paths(endpoint="file:///new"))
    assert (step.action, step.says) == ("copied", "pictures are read from another place")


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [
        (schema(), schema(key="other"), ["primary key 'id': refused (becomes 'other': rows are known by it)"]),
        (
            schema(),
            replace(schema(), fields={**schema().fields, "id": FieldSpec("id", FieldType.INT32)}),
            ["primary key 'id': refused (INT64 becomes INT32: rows are known by it)"],
        ),
        (
            schema(replace(TITLE, multi_value=True)),
            schema(TITLE),
            ["field 'title': refused (STRING, several values becomes STRING, which cannot hold all of its values)"],
        ),
        (
            schema(TITLE),
            schema(replace(TITLE, type=FieldType.INT32)),
            ["field 'title': refused (STRING becomes INT32, which cannot hold all of its values)"],
        ),
        (
            schema(),
            schema(indexes=(INDEX, replace(PUSHED, dimension=5))),
            ["vector index 'pushed': refused (pushed vectors of 4 numbers cannot have 5)"],
        ),
        (
            schema(),
            schema(indexes=(replace(INDEX, model=None), PUSHED)),
            ["vector index 'vector': refused (vectors of the model builtin are none of clients)"],
        ),
        (
            schema(),
            with_paths(field="picture"),
            [
                "field 'picture': refused (only one of the two schemas has pictures as Base64 in it)",
                (
                    f"vector index 'vector': refused ({NONE_OF} "
                    "in field 'picture' (oss); but the rows' field 'picture' holds no pictures of that kind)"
                ),
            ],
        ),
        (
            schema(),
            schema(
                FieldSpec("new", FieldType.STRING), indexes=(replace(INDEX, source=PictureSource("new", "oss")), PUSHED)
            ),
            [
                "field 'picture': refused (only one of the two schemas has pictures as Base64 in it)",
                (f"vector index 'vector': refused ({NONE_OF} in field 'new' (oss); but rows have no field 'new' yet)"),
            ],
        ),
        (
            made(schema(), keeps_sources=False),
            made(schema(), "two"),
            [
                (
                    "vector index 'vector': refused (the model builtin was one and is two; but the table keeps no "
                    "pictures (store_source=false); --from-source reads them again)"
                )
            ],
        ),
        (
            schema(FieldSpec("p", FieldType.FLOAT, multi_value=True), indexes=(INDEX,)),
            schema(),
            ["field 'p': refused (only one of the two schemas has vectors in it)"],
        ),
    ],
)
def test_what_cannot_be_done(old, new, refused):
    assert [str(step) for step in changed(old, new) if step.action == "refused"] == refused


def test_every_reason_is_told_at_once():
    new = schema(replace(TITLE, type=FieldType.INT32), key="other", indexes=(INDEX, replace(PUSHED, dimension=5)))
    assert [step.part for step in changed(schema(TITLE), new) if step.action == "refused"] == [
        "primary key",
        "field",
        "vector index",
    ]


def test_a_step_is_a_sentence():
    assert str(Step("field", "a", "added")) == "field 'a': added"


@pytest.mark.parametrize(
    ("old", "new", "as_it_stands", "converted"),
    [
        ("INT32", "INT64", True, True),
        ("INT64", "INT32", False, False),
        ("UINT32", "INT64", True, True),
        ("UINT32", "INT32", False, False),
        ("INT8", "UINT64", False, False),
        ("UINT64", "INT64", False, False),
        ("FLOAT", "DOUBLE", True, True),
        ("DOUBLE", "FLOAT", False, False),
        ("INT32", "DOUBLE", False, True),
        ("INT64", "DOUBLE", False, False),
        ("UINT16", "FLOAT", False, True),
        ("INT32", "FLOAT", False, False),
        ("INT64", "STRING", False, True),
        ("FLOAT", "STRING", False, False),
        ("STRING", "TEXT", True, True),
        ("TEXT", "STRING", True, True),
        ("STRING", "MAP", False, False),
        ("MAP", "MAP", True, True),
        ("MAP", "STRING", False, False),
    ],
)
def test_only_a_type_that_holds_all_values_takes_another(old, new, as_it_stands, converted):
    old, new = FieldType(old), FieldType(new)
    assert takes_all(old, new) is as_it_stands
    assert takes(FieldSpec("a", old), FieldSpec("a", new)) is converted
