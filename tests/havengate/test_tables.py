"""The names that clients send, and the tables they mean."""

from dataclasses import replace

import pytest

from havengate.errors import ModelError, SchemaError, TableExists, UnfitTable, UnknownTable
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


@pytest.mark.usefixtures("photos")
def test_what_a_table_would_be_is_told_without_making_it(services):
    fingerprint = services.engine.table("photos").fingerprints["vector"]
    spec = services.tables.specify("other", template("base64"), TableSettings(text="plain"))
    assert (spec.name, spec.settings.text, spec.fingerprints) == ("other", "plain", {"vector": fingerprint})
    assert services.tables.names() == ["photos"]


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
