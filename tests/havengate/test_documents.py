"""The documents use case: what a push writes, refuses and forgets."""

import base64
import json
import threading

import pytest
from colour_model import picture
from support import photo_row

from havengate.codes import HaCode
from havengate.documents import Command
from havengate.errors import EngineError, ModelError, RequestError
from havengate.services import wire
from havengate.types import Fingerprint
from ingest.rebuild.swap import sweep_pictures
from schemas.settings import TableSettings
from schemas.templates import template
from schemas.vendor import read_schema


def add(key, colour="red", **fields):
    return Command("add", photo_row(key, colour, **fields))


def rows(services, table, *keys, **options):
    options = {"include_vector": False, "output_fields": None} | options
    return services.documents.fetch(table, list(keys), **options)


def test_values_come_as_text_too(services, photos):
    report = services.documents.push(photos, [add("7", cate_id="3", price="2.25", labels="a\x1db")])
    assert report.failures == ()
    (row,) = rows(services, photos, "7")
    assert row.fields["cate_id"] == 3
    assert row.fields["price"] == 2.25
    assert row.fields["labels"] == ["a", "b"]


def test_good_documents_are_written_and_bad_ones_named(services, photos):
    commands = [
        add(10),
        add("x"),
        Command("add", {"title": "no key"}),
        add(11, nope=1),
        add(12, cate_id="many"),
        Command("add", {"id": 13, "vector_source_image": base64.b64encode(b"no picture").decode()}),
        Command("add", {"id": 14, "vector": "1,2,3"}),
        Command("add", {"id": 15, "vector": [float("nan")] * 512}),
        Command("drop", {"id": 16}),
        Command("update_field", {"id": 17, "title": "ghost"}),
        add(18, cate_id=True),
        add(2**63),
        add(19),
        Command("add", {"id": 20, "vector": [10**400] + [0] * 511}),
        add(21, tags={"c": 10**400}),
        add(22, tags={"c": 2**64}),
        add(23, price="1_0"),
        Command("add", {"id": 24, "vector": ["\u0661"] * 512}),
        add(25),
    ]
    report = services.documents.push(photos, commands)
    assert [failure.index for failure in report.failures] == [*range(1, 12), *range(13, 18)]
    assert report.failures[2].code is HaCode.ATTRIBUTE_NOT_EXIST
    assert report.written == 3
    assert [row.pk for row in rows(services, photos, 10, 19, 25, 13)] == ["10", "19", "25"]


def test_a_repeated_push_changes_nothing_and_embeds_nothing(services, photos, model):
    seen = model.pictures_seen
    before = rows(services, photos, 1, include_vector=True)[0]
    again = photo_row(1, "red", cate_id=1, title="tomato", price=1.5, labels=["hot", "round"], tags={"colour": "red"})
    services.documents.push(photos, [Command("add", again)])
    after = rows(services, photos, 1, include_vector=True)[0]
    assert model.pictures_seen == seen
    assert after.fields == before.fields
    assert (after.vectors["vector"] == before.vectors["vector"]).all()


def test_one_picture_in_many_rows_is_embedded_once(services, photos, model):
    seen = model.pictures_seen
    report = services.documents.push(photos, [add(key, "purple") for key in range(50, 60)])
    assert report.written == 10
    assert model.pictures_seen == seen + 1


def test_update_field_keeps_the_rest(services, photos):
    report = services.documents.push(photos, [Command("update_field", {"id": 1, "title": "apple"})])
    assert report.written == 1
    (row,) = rows(services, photos, 1)
    assert (row.fields["title"], row.fields["cate_id"]) == ("apple", 1)


def test_update_field_with_a_picture_moves_the_vector(services, photos):
    new = base64.b64encode(picture("blue")).decode()
    services.documents.push(photos, [Command("update_field", {"id": 1, "vector_source_image": new})])
    (row,) = rows(services, photos, 1, include_vector=True)
    assert row.vectors["vector"].argmax() == 2


def test_commands_of_one_push_keep_their_order(services, photos):
    commands = [
        add(5, title="first"),
        Command("delete", {"id": 5}),
        add(5, title="second"),
        Command("delete", {"id": 1}),
    ]
    report = services.documents.push(photos, commands)
    assert (report.written, report.deleted) == (2, 2)
    assert [row.fields.get("title") for row in rows(services, photos, 5, 1)] == ["second"]


def test_deleting_what_is_not_there_is_no_error(services, photos):
    report = services.documents.push(photos, [Command("delete", {"id": 404})])
    assert (report.deleted, report.failures) == (0, ())


def test_a_pushed_vector_is_taken_as_it_is(services, photos, model):
    seen = model.pictures_seen
    vector = [0.0] * 511 + [3.0]
    text = ",".join(map(str, vector))
    services.documents.push(photos, [Command("add", {"id": 8, "vector": vector}), add(9, vector=text)])
    for row in rows(services, photos, 8, 9, include_vector=True):
        assert row.vectors["vector"][511] == 3
    assert model.pictures_seen == seen


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_pictures_come_back_byte_for_byte(services, photos, prefix):
    text = prefix + base64.urlsafe_b64encode(picture("blue")).decode()
    services.documents.push(photos, [Command("add", {"id": 30, "vector_source_image": text})])
    (row,) = rows(services, photos, 30, output_fields=("id", "vector_source_image"))
    assert row.fields["vector_source_image"] == text


def blob_count(services):
    return sum(path.is_file() for path in (services.settings.data_dir / "blobs").rglob("*"))


def test_a_picture_goes_with_its_last_row(services, photos):
    before = blob_count(services)
    services.documents.push(photos, [add(40, "orange"), add(41, "orange")])
    assert blob_count(services) == before + 1
    services.documents.push(photos, [Command("delete", {"id": 40})])
    assert blob_count(services) == before + 1
    services.documents.push(photos, [add(41, "red")])
    assert blob_count(services) == before


@pytest.mark.parametrize(
    "commands",
    [
        [Command("update_field", photo_row(404, "orange"))],
        [add(42, "orange"), add(42, "purple"), Command("delete", {"id": 42})],
    ],
)
def test_no_picture_stays_that_no_row_holds(services, photos, commands):
    before = blob_count(services)
    services.documents.push(photos, commands)
    assert blob_count(services) == before


def test_update_field_forgets_the_picture_that_it_replaces(services, photos):
    before = blob_count(services)
    services.documents.push(photos, [Command("update_field", photo_row(1, "orange"))])
    assert blob_count(services) == before


def test_update_field_cannot_empty_a_field(services, photos):
    for empty in ({"vector_source_image": ""}, {"title": None}, {"vector": []}):
        report = services.documents.push(photos, [Command("update_field", {"id": 1, **empty})])
        assert "cannot empty" in report.failures[0].message


@pytest.mark.usefixtures("photos")
def test_a_picture_that_is_not_kept_leaves_no_older_one(services):
    services.engine.set_settings("photos", TableSettings(store_source=False))
    table = services.engine.table("photos")
    services.documents.push(table, [Command("update_field", photo_row(1, "blue"))])
    (row,) = rows(services, table, 1, include_vector=True, output_fields=("id", "vector_source_image"))
    assert row.vectors["vector"].argmax() == 2
    assert "vector_source_image" not in row.fields


class RefusingEngine:
    """An engine that cannot write one key, nor any call that has it."""

    def __init__(self, engine, key, error):
        self._engine, self._key, self._error = engine, key, error

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def upsert(self, table, rows, *, generation=None):
        if any(row.pk == self._key for row in rows):
            raise self._error
        self._engine.upsert(table, rows, generation=generation)


@pytest.mark.parametrize(
    ("error", "lost"), [(RequestError("not this one"), [2]), (EngineError("the disk is full"), [1, 2, 3])]
)
def test_what_an_engine_refuses_costs_no_other_run(services, photos, error, lost):
    engine = RefusingEngine(services.engine, "62", error)
    wired = wire(services.settings, engine, services.embedding, services.tables.blobs)
    commands = [Command("delete", {"id": 1}), add(61), add(62), add(63), Command("delete", {"id": 2})]
    report = wired.documents.push(photos, commands)
    assert [failure.index for failure in report.failures] == lost
    assert (report.written, report.deleted) == (3 - len(lost), 2)


@pytest.mark.parametrize(("error", "left"), [(RequestError("not this one"), 0), (EngineError("no answer came"), 1)])
def test_a_picture_stays_where_its_row_may_still_come(services, photos, error, left):
    """A cluster may do later what it did not answer; then the row names the picture."""
    before = blob_count(services)
    engine = RefusingEngine(services.engine, "62", error)
    wired = wire(services.settings, engine, services.embedding, services.tables.blobs)
    assert wired.documents.push(photos, [add(62, "orange")]).failures != ()
    assert blob_count(services) == before + left
    sweep_pictures(services.engine, services.tables.blobs)
    assert blob_count(services) == before


def test_pushes_of_one_picture_at_once_leave_no_hole(services, photos):
    """A picture that one push forgets while another brings it stays as long as a row holds it."""

    def push(key):
        for _ in range(15):
            services.documents.push(photos, [add(key, "orange")])
            services.documents.push(photos, [Command("delete", {"id": key})])
        services.documents.push(photos, [add(key, "orange")])

    threads = [threading.Thread(target=push, args=(key,)) for key in range(80, 84)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = rows(services, photos, *range(80, 84), output_fields=("vector_source_image",))
    assert [row.fields["vector_source_image"] for row in found] == [photo_row(0, "orange")["vector_source_image"]] * 4


def test_store_source_off_keeps_the_vector_only(services):
    table = services.tables.create("lean", template("base64"), TableSettings(store_source=False))
    services.documents.push(table, [add(1)])
    (row,) = rows(services, table, 1, include_vector=True, output_fields=("id", "vector_source_image"))
    assert "vector_source_image" not in row.fields
    assert row.vectors["vector"].shape == (512,)
    assert blob_count(services) == 0


def test_too_many_pictures_or_documents_write_nothing(with_settings, services, photos):
    small = with_settings(push={"max_pictures": 2, "max_documents": 4})
    with pytest.raises(RequestError, match="3 pictures"):
        small.documents.push(photos, [add(key) for key in (70, 71, 72)])
    with pytest.raises(RequestError, match="5 documents"):
        small.documents.push(photos, [Command("delete", {"id": key}) for key in range(5)])
    assert rows(services, photos, 70) == []


def test_a_changed_model_refuses_pictures(services, photos, model):
    model.fingerprint = Fingerprint("colour-2", "numpy")
    with pytest.raises(ModelError, match="built again"):
        services.documents.push(photos, [add(90)])


def test_fetch_leaves_out_what_is_not_there_and_keeps_the_order(services, photos):
    assert [row.pk for row in rows(services, photos, "3", "99", "1")] == ["3", "1"]
    with pytest.raises(RequestError, match="id"):
        rows(services, photos, "abc")
    with pytest.raises(RequestError, match="nope"):
        rows(services, photos, 1, output_fields=("nope",))


def test_paths_name_pictures_in_the_bucket_folder(services, tmp_path):
    bucket = tmp_path / "photos" / "Test image"
    bucket.mkdir(parents=True)
    (bucket / "10031.png").write_bytes(picture("green"))
    schema = template("oss", endpoint=tmp_path.as_uri(), bucket="/photos")
    table = services.tables.create("by_path", schema, TableSettings())
    commands = [
        Command("add", {"id": key, "vector_source_image": path})
        for key, path in enumerate(
            ("/Test image/10031.png", "/../secret.png", "/missing.png", "http://127.0.0.1/x.png", "Test image")
        )
    ]
    report = services.documents.push(table, commands)
    assert report.written == 1
    assert [failure.index for failure in report.failures] == [1, 2, 3, 4]
    (row,) = rows(services, table, 0, include_vector=True)
    assert row.vectors["vector"].argmax() == 1
    assert row.fields["vector_source_image"] == "/Test image/10031.png"


def test_a_table_without_a_model_takes_vectors_of_its_own_dimension(services):
    schema = {
        "fields": [
            {"field_name": "id", "field_type": "STRING"},
            {"field_name": "v", "field_type": "FLOAT", "multi_value": True},
        ],
        "indexs": [
            {"index_name": "id", "index_type": "PRIMARYKEY64", "index_fields": "id"},
            {
                "index_name": "v",
                "index_type": "CUSTOMIZED",
                "index_fields": [{"field_name": "id"}, {"field_name": "v"}],
                "parameters": {"dimension": "3", "distance_type": "InnerProduct"},
            },
        ],
    }
    table = services.tables.create("bare", read_schema(json.dumps(schema)), TableSettings())
    commands = [Command("add", {"id": "a", "v": [1, 2, 3]}), Command("add", {"id": "b", "v": [1, 2]})]
    report = services.documents.push(table, commands)
    assert [failure.pk for failure in report.failures] == ["b"]
    assert table.fingerprints == {}
