"""Rows of another table: vectors where they mean the same, pictures where they do not."""

import dataclasses

import pytest
from source_samples import read
from support import EXTRA_FIELDS, photo_row

from havengate.documents import Command
from havengate.errors import RequestError
from havengate.types import Fingerprint
from schemas.settings import TableSettings
from schemas.templates import template


@pytest.fixture
def source(services, photos):  # noqa: ARG001  the table that is read
    def rows(spec, text="table:photos"):
        return read(text, spec, engine=services.engine, blobs=services.tables.blobs)

    return rows


@pytest.fixture
def create(services):
    def make(name, kind="base64", extra=EXTRA_FIELDS, settings=None, **options):
        services.tables.create(name, template(kind, extra_fields=extra, **options), settings or TableSettings())
        return services.engine.table(name)

    return make


def test_a_copy_has_the_same_rows_vectors_and_pictures(services, model, source, create):
    target = create("copy")
    rows = [Command("add", fields) for fields, error in source(target) if not error]
    embedded = model.pictures_seen
    report = services.documents.push(target, rows)
    assert (report.written, report.failures) == (3, ())
    before, after = (contents(services.engine.scan(name, None, 9)) for name in ("photos", "copy"))
    assert after == before
    assert model.pictures_seen == embedded


def contents(rows):
    return {row.pk: (row.fields, {name: vector.tolist() for name, vector in row.vectors.items()}) for row in rows}


def test_vectors_of_another_model_are_made_anew_from_the_picture(source, create):
    target = create("copy")
    other = dataclasses.replace(target, fingerprints={"vector": Fingerprint("another", "f32")})
    fields, error = source(other)[0]
    assert error == ""
    assert "vector" not in fields
    assert fields["vector_source_image"] == photo_row(1, "red")["vector_source_image"]


def test_a_row_whose_picture_was_not_kept_is_rejected_then(services, source, create):
    lean = create("lean", settings=TableSettings(store_source=False))
    services.documents.push(lean, [Command("add", photo_row(1, "red")), Command("add", {"id": 2, "title": "bare"})])
    target = create("copy")
    same = source(target, "table:lean")
    assert [error for _, error in same] == ["", ""]
    other = dataclasses.replace(target, fingerprints={"vector": Fingerprint("another", "f32")})
    (_, first), (bare, second) = source(other, "table:lean")
    assert first == "no picture was kept to make the vector of 'vector' anew"
    assert (bare["id"], second) == (2, "")


def test_what_the_target_lacks_is_refused_unless_it_is_left_out(source, create):
    target = create("copy", extra=EXTRA_FIELDS[:1])
    with pytest.raises(RequestError, match="the table has no field 'price', 'labels', 'tags'"):
        source(target)
    rows = source(target, "table:photos?fields=id,title")
    assert [fields for fields, _ in rows] == [
        {"id": 1, "title": "tomato"},
        {"id": 2, "title": "leaf"},
        {"id": 3, "title": "sea"},
    ]
    with pytest.raises(RequestError, match="no column 'id', which is the table's key"):
        source(target, "table:photos?fields=title")
    with pytest.raises(RequestError, match="table:photos has no field 'colour'; its fields are: id"):
        source(target, "table:photos?fields=id,colour")


def test_pictures_that_are_kept_elsewhere_are_refused(source, create, tmp_path):
    target = create("copy", "oss", endpoint=tmp_path.as_uri())
    with pytest.raises(RequestError, match="pictures of field 'vector_source_image' are kept elsewhere"):
        source(target)


def test_a_table_is_no_source_of_its_own(source, photos):
    with pytest.raises(RequestError, match="table:photos: a table is no source of its own"):
        source(photos)


def test_a_row_that_goes_while_it_is_read_is_passed_by(services, photos, source, create, monkeypatch):
    target = create("copy")
    scan = services.engine.scan

    def scanned(name, after, limit):
        rows = scan(name, after, limit)
        if after is None:
            services.documents.push(photos, [Command("delete", {"id": 1}), Command("add", photo_row(2, "blue"))])
        return rows

    monkeypatch.setattr(services.engine, "scan", scanned)
    (fresh, error), _ = source(target)
    assert error == ""
    assert fresh["vector_source_image"] == photo_row(2, "blue")["vector_source_image"]
    assert "title" not in fresh
