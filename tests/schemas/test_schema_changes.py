"""What copying rows into another schema brings about, and what it cannot."""

from dataclasses import replace

import pytest

from havengate.errors import SchemaError
from schemas.changes import Changes, changes, require_copying, takes_all
from schemas.table import FieldSpec, FieldType, Hnsw, PictureSource, TableSchema, TermIndex, VectorIndex

PICTURE = PictureSource("picture", "base64")
INDEX = VectorIndex("vector", "v", 512, "SquaredEuclidean", "category", "builtin", PICTURE)
PUSHED = VectorIndex("pushed", "p", 4, "InnerProduct")


def schema(*fields, indexes=(INDEX, PUSHED), key="id", terms=()):
    specs = [
        FieldSpec("id", FieldType.INT64),
        FieldSpec("other", FieldType.INT64),
        FieldSpec("picture", FieldType.STRING),
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


def without(table, *names):
    return replace(table, fields={name: spec for name, spec in table.fields.items() if name not in names})


def test_a_schema_is_itself():
    assert changes(schema(), schema()) == Changes((), ())


TITLE = FieldSpec("title", FieldType.STRING)
TERM = TermIndex("title_index", "STRING", ("title",))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (schema(), schema(TITLE), ("field 'title' is added",)),
        (schema(TITLE), schema(), ("field 'title' goes",)),
        (
            schema(),
            schema(indexes=(INDEX, PUSHED, replace(PUSHED, name="n", field="n"))),
            ("vector field 'n' is added",),
        ),
        (schema(), schema(indexes=(INDEX,)), ("field 'p' goes",)),
        (schema(), without(schema(indexes=(PUSHED,)), "picture"), ("field 'picture' goes", "field 'v' goes")),
        (schema(), schema(indexes=(replace(INDEX, name="image"), PUSHED)), ("is called 'image'",)),
        (schema(), schema(indexes=(replace(INDEX, category_field=None), PUSHED)), ("category field is none",)),
        (schema(), schema(indexes=(INDEX, replace(PUSHED, distance="SquaredEuclidean"))), ("SquaredEuclidean",)),
        (schema(), schema(indexes=(INDEX, replace(PUSHED, delimiter=";"))), ("separated by ';'",)),
        (schema(), schema(indexes=(INDEX, replace(PUSHED, hnsw=Hnsw(m=32)))), ("built with other parameters",)),
        (schema(TITLE), schema(TITLE, terms=(TERM,)), ("index 'title_index' is added",)),
        (schema(TITLE, terms=(TERM,)), schema(TITLE), ("index 'title_index' goes",)),
        (
            schema(TITLE, terms=(TERM,)),
            schema(replace(TITLE, type=FieldType.TEXT), terms=(replace(TERM, kind="TEXT"),)),
            ("STRING becomes TEXT", "index 'title_index' changes"),
        ),
    ],
)
def test_what_copying_brings_about(old, new, said):
    found = changes(old, new)
    assert found.impossible == ()
    assert len(found.copied) == len(said)
    assert all(part in sentence for part, sentence in zip(said, found.copied, strict=True)), found.copied
    assert require_copying(old, new) == found.copied


def test_pictures_that_moved_are_the_same_pictures():
    index = replace(INDEX, source=PictureSource("picture", "oss", "file:///old", "b"))
    moved = replace(INDEX, source=PictureSource("picture", "oss", "file:///new", "b"))
    assert changes(schema(indexes=(index,)), schema(indexes=(moved,))).impossible == ()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (schema(), schema(key="other"), "primary key: 'id' becomes 'other'"),
        (schema(TITLE), schema(replace(TITLE, multi_value=True)), "multi_value"),
        (schema(TITLE), schema(replace(TITLE, type=FieldType.INT32)), "STRING becomes INT32"),
        (schema(), schema(indexes=(INDEX, replace(PUSHED, dimension=5))), "4 numbers cannot have 5"),
        (
            schema(),
            schema(indexes=(replace(INDEX, model="clip"), PUSHED)),
            "the model builtin are none of the model clip",
        ),
        (schema(), schema(indexes=(replace(INDEX, model=None), PUSHED)), "none of clients"),
        (
            schema(TITLE, indexes=(replace(INDEX, source=replace(PICTURE, kind="oss")),)),
            schema(TITLE, indexes=(replace(INDEX, source=PictureSource("title", "oss")),)),
            "pictures in field 'picture' (oss) are none of pictures in field 'title'",
        ),
        (schema(), schema(indexes=(PUSHED,)), "pictures as Base64"),
        (schema(FieldSpec("p", FieldType.FLOAT, multi_value=True), indexes=(INDEX,)), schema(), "vectors in it"),
    ],
)
def test_what_copying_cannot_do(old, new, reason):
    assert any(reason in sentence for sentence in changes(old, new).impossible), changes(old, new)


def test_every_reason_is_told_at_once():
    new = schema(replace(TITLE, type=FieldType.INT32), key="other", indexes=(INDEX, replace(PUSHED, dimension=5)))
    with pytest.raises(SchemaError) as refused:
        require_copying(schema(TITLE), new)
    for reason in ("primary key", "STRING becomes INT32", "4 numbers"):
        assert reason in refused.value.message
    assert len(refused.value.message.splitlines()) == 4


@pytest.mark.parametrize(
    ("old", "new", "fits"),
    [
        ("INT32", "INT64", True),
        ("INT64", "INT32", False),
        ("UINT32", "INT64", True),
        ("UINT32", "INT32", False),
        ("INT8", "UINT64", False),
        ("UINT64", "INT64", False),
        ("FLOAT", "DOUBLE", True),
        ("DOUBLE", "FLOAT", False),
        ("INT32", "DOUBLE", False),
        ("STRING", "TEXT", True),
        ("TEXT", "STRING", True),
        ("STRING", "MAP", False),
        ("MAP", "STRING", False),
    ],
)
def test_only_a_type_that_holds_all_values_takes_another(old, new, fits):
    assert takes_all(FieldType(old), FieldType(new)) is fits
