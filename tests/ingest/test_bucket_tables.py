"""Tables whose pushed pictures are in a bucket: two gateways over one store, backup, restore, drop, sweep."""

import time

import pytest
from blob_places import BucketPlace
from colour_model import ColourModel
from store_double import Answer
from support import EXTRA_FIELDS, photo_row

from embedding.service import EmbeddingService
from engines.embedded.engine import EmbeddedEngine
from havengate.bucket_blobs import GRACE_S
from havengate.documents import Command
from havengate.errors import TableExists
from havengate.services import wire
from ingest.backup import backup
from ingest.jobs.store import JobStore
from ingest.jobs.worker import Worker
from ingest.kinds import KINDS
from ingest.rebuild.swap import sweep_pictures
from ingest.restore import restore
from ingest.table_administration import open_administration
from schemas.settings import TableSettings
from schemas.templates import template


@pytest.fixture
def place(store):
    opened = BucketPlace(store, prefix="")
    yield opened
    opened.close()


@pytest.fixture
def gateways(settings, place):
    """Two sets of use cases over one engine and one bucket, as two processes have them over one cluster."""
    engine = EmbeddedEngine.open(settings.data_dir)
    opened = [
        wire(settings, engine, EmbeddingService(settings.embedding, {"builtin": lambda _: ColourModel()}), blobs)
        for blobs in (place.open(GRACE_S), place.open(GRACE_S))
    ]
    opened[0].tables.create("photos", template("base64", extra_fields=EXTRA_FIELDS), TableSettings())
    yield opened
    for each in opened:
        each.embedding.close()
    engine.close()


def push(services, *rows, cmd="add"):
    report = services.documents.push(services.engine.table("photos"), [Command(cmd, row) for row in rows])
    assert report.failures == ()


def pictures(services, *ids):
    rows = services.documents.fetch(
        services.engine.table("photos"), ids, include_vector=False, output_fields=("vector_source_image",)
    )
    return [row.fields["vector_source_image"] for row in rows]


RED, BLUE = (photo_row(1, colour)["vector_source_image"] for colour in ("red", "blue"))


def test_what_one_gateway_takes_away_the_other_keeps(gateways, place):
    one, other = gateways
    push(one, photo_row(1, "red"))
    place.age(2 * GRACE_S)
    # The other one's row comes between the moment in which nobody holds the picture and its deletion.
    delete = one.documents._pictures._blobs.delete

    def late(table, keys, since):
        keys = list(keys)
        push(other, photo_row(2, "red"))
        delete(table, keys, since)

    one.documents._pictures._blobs.delete = late
    push(one, {"id": 1}, cmd="delete")
    assert pictures(other, 2) == [RED]


def test_a_picture_goes_with_its_last_row_or_with_the_next_sweep(gateways, place):
    one, other = gateways
    push(one, photo_row(1, "red"), photo_row(2, "blue"))
    place.age(2 * GRACE_S)
    push(other, {"id": 1}, cmd="delete")
    assert len(place.uploads()) == 1
    push(other, photo_row(3, "red"))
    push(one, {"id": 3}, cmd="delete")
    assert len(place.uploads()) == 2
    place.age(2 * GRACE_S)
    sweep_pictures(one.engine, one.tables.blobs)
    assert len(place.uploads()) == 1
    assert pictures(other, 2) == [BLUE]


def test_a_sweep_leaves_what_a_push_is_about_to_name(gateways):
    one, other = gateways
    put_many = one.tables.blobs.put_many

    def swept(table, items):
        keys = put_many(table, items)
        sweep_pictures(other.engine, other.tables.blobs)
        return keys

    one.tables.blobs.put_many = swept
    push(one, photo_row(1, "red"))
    assert pictures(other, 1) == [RED]


def test_a_table_made_again_has_its_own_pictures_only(gateways, place):
    one, other = gateways
    push(one, photo_row(1, "red"), photo_row(2, "blue"))
    drop = one.engine.drop_table

    def dropped(name):
        drop(name)
        other.tables.create("photos", template("base64", extra_fields=EXTRA_FIELDS), TableSettings())
        push(other, photo_row(1, "red"))

    one.tables.engine.drop_table = dropped
    one.tables.drop("photos")
    assert pictures(other, 1) == [RED]
    assert len(place.uploads()) == 1


def test_a_table_that_is_there_already_keeps_its_pictures(gateways):
    one, _ = gateways
    push(one, photo_row(1, "red"))
    with pytest.raises(TableExists):
        one.tables.create("photos", template("base64", extra_fields=EXTRA_FIELDS), TableSettings())
    assert pictures(one, 1) == [RED]


def test_a_backup_reads_the_bucket_and_a_restore_writes_it(gateways, place, tmp_path):
    one, other = gateways
    push(one, photo_row(1, "red"), photo_row(2, "blue"))
    file = tmp_path / "photos.backup"
    assert backup(one.engine, one.tables.blobs, "photos", file).blobs == 2
    one.tables.drop("photos")
    assert place.uploads() == []
    assert restore(other.engine, other.tables.blobs, file).blobs == 2
    assert pictures(one, 1, 2) == [RED, BLUE]


def test_a_restore_clears_what_was_left_before_its_table_and_nothing_that_came_later(gateways, place, tmp_path):
    one, other = gateways
    push(one, photo_row(1, "red"))
    file = tmp_path / "photos.backup"
    backup(one.engine, one.tables.blobs, "photos", file)
    one.tables.drop("photos")
    left = one.tables.blobs.put("photos", b"left")
    build, later = one.engine.build_generation, []

    def built(*arguments):
        # Another restore of that name, where this one was thought to be dead.
        later.append(other.tables.blobs.put("photos", b"later"))
        return build(*arguments)

    one.engine.build_generation = built
    restore(one.engine, one.tables.blobs, file)
    assert pictures(one, 1) == [RED]
    assert other.tables.blobs.get("photos", later[0]) == b"later"
    assert {f"photos/{left}"}.isdisjoint(place.keys())


def test_a_bucket_that_is_away_refuses_the_write_and_keeps_the_row(gateways, place):
    one, _ = gateways
    push(one, photo_row(1, "red"))
    place.store.fault = lambda _: Answer(403, "AccessDenied")
    report = one.documents.push(one.engine.table("photos"), [Command("add", photo_row(1, "blue"))])
    assert "the blob store cannot write for table 'photos'" in report.failures[0].message
    place.store.fault = None
    assert pictures(one, 1) == [RED]


def test_whoever_runs_jobs_sweeps_once_a_day(gateways, place, settings):
    one, other = gateways
    push(one, photo_row(1, "red"))
    push(one, {"id": 1}, cmd="delete")
    assert len(place.uploads()) == 1
    place.age(2 * GRACE_S)
    day, moment = 86_400, [time.time()]
    administration = open_administration(other, "test")
    store = JobStore(settings.data_dir, now=lambda: moment[0])
    worker = Worker(other, administration.history, store, KINDS, look_s=0.01)
    try:
        worker.start()
        while place.uploads():
            moment[0] += day + 1
            worker.wake()
            time.sleep(0.02)
    finally:
        assert worker.stop(30)
        store.close()
        administration.close()
