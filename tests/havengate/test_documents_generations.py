"""Pushes while a table gets another generation: what was made for one is never written into another."""

from dataclasses import replace

import pytest
from support import EXTRA_FIELDS, photo_row

from engines.contract import at
from havengate.codes import HaCode
from havengate.documents import Command, Failure
from havengate.errors import EngineError, Moved
from havengate.services import wire
from schemas.resolve import resolve
from schemas.templates import template


def add(key, colour="red", **fields):
    return Command("add", photo_row(key, colour, **fields))


def swap(services, photos):
    """The table gets a generation without titles."""
    fields = tuple(field for field in EXTRA_FIELDS if field["field_name"] != "title")
    vendor = template("base64", extra_fields=fields)
    spec = replace(photos, schema=resolve(vendor), vendor_schema=vendor.to_json(), generation="")
    generation = services.engine.build_generation("photos", spec)
    services.engine.use_generation("photos", generation)
    return generation


def keys(services, name):
    return {row.pk for row in services.engine.scan(name, None, 100)}


def test_a_push_is_prepared_again_for_the_generation_that_came_in_between(services, photos):
    generation = swap(services, photos)
    report = services.documents.push(photos, [add(4), add(5, title="gone"), Command("delete", {"id": 1})])
    assert [(failure.index, failure.code) for failure in report.failures] == [(1, HaCode.ATTRIBUTE_NOT_EXIST)]
    assert (report.written, keys(services, at("photos", generation))) == (1, {"4"})
    assert keys(services, at("photos", photos.generation)) == {"1", "2", "3"}


@pytest.mark.parametrize("cmd", ["add", "update_field"])
def test_what_was_prepared_for_another_generation_is_not_written(services, photos, cmd):
    prepared = services.documents.prepared(photos, [Command(cmd, photo_row(1, "blue"))])
    swap(services, photos)
    with pytest.raises(Moved):
        services.documents.write(prepared)
    assert keys(services, "photos") == set()
    again = services.documents.prepared(services.engine.table("photos"), prepared.commands)
    assert services.documents.write(again).written == (1 if cmd == "add" else 0)


def test_an_address_is_written_whatever_is_current(services, photos):
    former = services.engine.table(at("photos", photos.generation))
    swap(services, photos)
    assert services.documents.push(former, [add(4, title="old")]).written == 1
    assert keys(services, former.name) == {"1", "2", "3", "4"}
    (row,) = services.documents.fetch(former, [4], include_vector=False, output_fields=("vector_source_image",))
    assert row.fields["vector_source_image"] == photo_row(4, "red")["vector_source_image"]


def test_nothing_is_written_before_it_is_written(services, photos):
    prepared = services.documents.prepared(photos, [add(4), add(5), Command("delete", {"id": 1}), add("x")])
    assert keys(services, "photos") == {"1", "2", "3"}
    refused = Failure(1, "5", HaCode.CONST_EXPRESSION_VALUE, "not this one")
    report = services.documents.write(prepared.without([refused]))
    assert (report.written, report.deleted) == (1, 1)
    assert [failure.index for failure in report.failures] == [1, 3]
    assert keys(services, "photos") == {"2", "3", "4"}


class Away:
    """An engine that takes no rows."""

    def __init__(self, engine):
        self._engine = engine

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def upsert(self, *_, **__):
        raise EngineError("the cluster is away")


def test_who_is_strict_hears_of_trouble_that_is_no_documents_own(services, photos):
    wired = wire(services.settings, Away(services.engine), services.embedding, services.tables.blobs)
    prepared = wired.documents.prepared(photos, [add(4), add("x")])
    with pytest.raises(EngineError, match="away"):
        wired.documents.write(prepared, strict=True)
    assert wired.documents.write(prepared).failures[0].message == "the cluster is away"
