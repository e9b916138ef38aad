"""The names that clients send, and the tables they mean."""

import json
from dataclasses import replace

import pytest
from support import EXTRA_FIELDS, photo_row

from havengate.documents import Command
from havengate.errors import ModelError, SchemaError, TableExists, UnfitTable, UnknownGeneration, UnknownTable
from schemas.settings import TableSettings
from schemas.templates import template
from schemas.vendor import read_schema


def create(services, *names):
    for name in names:
        services.tables.create(name, template("base64"), TableSettings())


def meant(services, cluster, **changes):
    return replace(services.tables, **changes).resolve(cluster).name


def test_an_exact_name_wins(services):
    create(services, "general", "shoes")
    assert meant(services, "shoes") == "shoes"
    assert meant(services, "general", default_table="shoes") == "general"


def test_general_and_no_name_are_the_default_table_else_the_only_one(services):
    create(services, "shoes")
    assert meant(services, None) == meant(services, "general") == "shoes"
    create(services, "hats")
    for cluster in (None, "general"):
        assert meant(services, cluster, default_table="hats") == "hats"
        with pytest.raises(UnknownTable, match="hats, shoes"):
            meant(services, cluster)


def test_unknown_names_are_not_guessed(services):
    create(services, "shoes")
    with pytest.raises(UnknownTable, match="shoe'"):
        meant(services, "shoe")
    with pytest.raises(UnknownTable, match="gone"):
        replace(services.tables, default_table="gone").resolve("gone")


def test_without_tables_nothing_is_meant(services):
    with pytest.raises(UnknownTable, match="none"):
        meant(services, None)


def test_a_data_source_ends_in_a_tables_name(services):
    create(services, "a", "b_a", "x_b_a")
    target = services.tables.push_target
    assert target("b_a").name == "b_a"
    assert target("ha-cn-1_a").name == "a"
    assert target("inst_b_a").name == "b_a"
    assert target("i_x_b_a").name == "x_b_a"
    for wrong in ("xa", "a_", "c"):
        with pytest.raises(UnknownTable):
            target(wrong)


def test_create_refuses_what_cannot_be_served(services):
    create(services, "t")
    with pytest.raises(TableExists):
        create(services, "t")
    with pytest.raises(ModelError, match="`havengate models pull clip`"):
        services.tables.create("c", template("base64", model="clip"), TableSettings())
    with pytest.raises(SchemaError):
        services.tables.create("s", read_schema('{"fields": []}'), TableSettings())
    assert services.tables.names() == ["t"]


@pytest.mark.usefixtures("photos")
def test_drop_takes_the_pictures_along(services):
    blobs = services.settings.data_dir / "blobs"
    assert list(blobs.rglob("*"))
    services.tables.drop("photos")
    assert services.tables.names() == []
    assert not [path for path in blobs.rglob("*") if path.is_file()]
    with pytest.raises(UnknownTable):
        services.tables.drop("photos")


@pytest.mark.usefixtures("photos")
def test_models_are_those_that_indexes_name(services):
    assert services.models() == {"builtin"}


def silent(_done, _of):
    pass


WITHOUT_TITLE = tuple(field for field in EXTRA_FIELDS if field["field_name"] != "title")
STOCK = {"field_name": "stock", "field_type": "INT32"}


@pytest.mark.usefixtures("photos")
def test_a_changed_table_keeps_rows_vectors_and_pictures(services):
    spec, sentences = services.tables.changed("photos", template("base64", extra_fields=(*WITHOUT_TITLE, STOCK)))
    assert [sentence.split("'")[1] for sentence in sentences] == ["stock", "title"]
    before = services.engine.table("photos")
    assert spec.fingerprints == before.fingerprints
    assert services.tables.change(spec, silent).rows == 3
    wanted = ("vector_source_image", "price")
    (row,) = services.documents.fetch(spec, [1], include_vector=True, output_fields=wanted)
    assert row.fields["vector_source_image"] == photo_row(1, "red")["vector_source_image"]
    assert row.fields["price"] == 1.5
    assert "title" not in services.engine.fetch("photos", ["1"])["1"].fields
    assert row.vectors["vector"].shape == (512,)


@pytest.mark.usefixtures("photos")
def test_a_rolled_back_table_has_the_pictures_of_rows_that_were_deleted_since(services):
    spec, _ = services.tables.changed("photos", template("base64", extra_fields=WITHOUT_TITLE))
    services.tables.change(spec, silent)
    services.documents.push(spec, [Command("delete", {"id": 1}), Command("add", photo_row(2, "white"))])
    assert services.tables.rollback("photos") == "g1"
    spec = services.engine.table("photos")
    wanted = ("vector_source_image", "title")
    rows = services.documents.fetch(spec, [1, 2], include_vector=False, output_fields=wanted)
    assert [row.fields["vector_source_image"] for row in rows] == [
        photo_row(key, colour)["vector_source_image"] for key, colour in ((1, "red"), (2, "green"))
    ]
    assert rows[0].fields["title"] == "tomato"


@pytest.mark.parametrize(("keep", "left"), [(0, ["g4"]), (1, ["g3", "g4"]), (2, ["g2", "g3", "g4"])])
@pytest.mark.usefixtures("photos")
def test_older_generations_go_as_the_setting_says(services, keep, left):
    tables = replace(services.tables, keep_generations=keep)
    for _ in range(3):
        tables.change(services.engine.table("photos"), silent)
    assert [each.name for each in services.engine.generations("photos")] == left


@pytest.mark.usefixtures("photos")
def test_what_was_in_use_is_kept_for_the_way_back(services):
    tables = replace(services.tables, keep_generations=1)
    tables.change(services.engine.table("photos"), silent)
    assert tables.rollback("photos") == "g1"
    tables.change(services.engine.table("photos"), silent)
    assert [each.name for each in services.engine.generations("photos")] == ["g1", "g3"]


@pytest.mark.usefixtures("photos")
def test_without_an_older_generation_there_is_no_way_back(services):
    for call in (lambda: services.tables.rollback("photos"), lambda: services.tables.rollback("photos", "g7")):
        with pytest.raises(UnknownGeneration, match="g1"):
            call()
    with pytest.raises(UnknownTable):
        services.tables.rollback("nope")


@pytest.mark.usefixtures("photos")
def test_a_renamed_index_keeps_its_fingerprint_and_settings_may_change_along(services):
    vendor = template("base64", extra_fields=EXTRA_FIELDS).to_json()
    (index,) = [index for index in vendor["indexs"] if index["index_type"] == "CUSTOMIZED"]
    former, index["index_name"] = index["index_name"], "image"
    before = services.engine.table("photos")
    spec, sentences = services.tables.changed(
        "photos", read_schema(json.dumps(vendor)), before.settings.with_pairs(("text=plain",))
    )
    assert spec.fingerprints == {"image": before.fingerprints[former]}
    assert sentences == (f"vector index {former!r} is called 'image'", "setting text: auto becomes plain")


@pytest.mark.usefixtures("photos")
def test_what_cannot_be_copied_is_refused_before_anything_is_done(services):
    fields = ({"field_name": "price", "field_type": "STRING"}, {"field_name": "title", "field_type": "INT32"})
    with pytest.raises(SchemaError) as refused:
        services.tables.changed("photos", template("base64", extra_fields=fields))
    assert "'price'" in refused.value.message
    assert "'title'" in refused.value.message
    with pytest.raises(UnknownTable):
        services.tables.changed("nope", template("base64"))
    assert len(services.engine.generations("photos")) == 1


class Touched:
    """An engine whose table `hats` was changed by others."""

    def __init__(self, engine):
        self._engine = engine

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def table(self, name):
        if name == "hats":
            raise UnfitTable("somebody else's index")
        return self._engine.table(name)


def test_a_table_that_cannot_be_used_does_not_hide_the_models_of_the_others(services):
    create(services, "hats", "shoes")
    assert replace(services.tables, engine=Touched(services.engine)).models() == {"builtin"}


@pytest.mark.parametrize("name", ["", "../x", "a b", "n" * 65])
def test_a_tables_name_is_judged_before_anything_is_done(services, name):
    with pytest.raises(SchemaError, match="table name"):
        create(services, name)
