"""Records of a source into a table: what goes in, what is rejected, what stops it, and where it goes on."""

import threading
from dataclasses import replace

import pytest
from job_samples import ListSource, away_at, counting, record
from support import EXTRA_FIELDS, photo_row

from engines.contract import at
from havengate.documents import Command
from havengate.errors import EngineError, JobError, ModelAway, Overloaded, SourceAway, SourceError
from havengate.services import wire
from ingest.history_store import HistoryStore
from ingest.jobs.runner import Runner
from ingest.jobs.store import JobStore
from ingest.pipeline import ingest_into
from ingest.sources.base import Record
from schemas.settings import TableSettings
from schemas.templates import template

BROKEN = "no picture at all"


@pytest.fixture
def table(services):
    services.tables.create("photos", template("base64", extra_fields=EXTRA_FIELDS), TableSettings())
    return services.engine.table("photos")


@pytest.fixture
def store(services):
    store = JobStore(services.settings.data_dir)
    yield store
    store.close()


@pytest.fixture
def ingest(services, store, table):  # noqa: ARG001  the table has to be there
    """Runs one attempt at the ingest of a source, always the same job, with other services if need be."""
    job = store.add("counting", "photos", {}, "me")
    changes = HistoryStore(services.settings.data_dir)

    def ingest(source, using=services, name="photos", **options):
        def run(given, _, control):
            counts = ingest_into(given, control, source, given.engine.table(name), **options)
            return f"{counts.written} in"

        done = Runner(using, changes, store, counting(run)).run(job.id)
        counts = done.counts
        return done, (counts.read, counts.written, counts.rejected)

    yield ingest
    changes.close()


@pytest.fixture
def rejected(store):
    return lambda: [(each.place, each.pk, each.reason) for each in store.rejects(1)]


def photos(first, last, colour="red"):
    return [Record(f"line {n}", photo_row(n, colour, title=f"t{n}")) for n in range(first, last)]


def keys(services, name="photos"):
    return [row.pk for row in services.engine.scan(name, None, 10_000)]


def test_a_source_goes_in_in_batches(ingest, services, store):
    done, counts = ingest(ListSource(photos(0, 50)))
    assert (done.state, done.message, counts) == ("done", "50 in", (50, 50, 0))
    assert (done.done, done.total, done.checkpoint) == (50, 50, {"source": {"at": 50}})
    assert sorted(map(int, keys(services))) == list(range(50))
    assert store.rejects(1) == []


def test_bad_rows_are_rejected_with_place_key_and_reason(ingest, services, rejected):
    bad = {
        3: replace(record(3), fields=None, error="not JSON"),
        7: record(7, vector_source_image=BROKEN),
        8: Record("line 8", {"id": "x"}),
        9: record(9, nope=1),
        20: record(20, price="dear"),
    }
    rows = [bad.get(n, each) for n, each in enumerate(photos(0, 40))]
    rows[30] = Record("line 30", photo_row(5, "blue"))
    rows[31] = Record("line 31", photo_row(29, "blue"))
    _, counts = ingest(ListSource(rows))
    assert counts == (40, 33, 7)
    assert [(place, pk) for place, pk, _ in rejected()] == [
        ("line 3", None), ("line 7", "7"), ("line 8", "x"), ("line 9", "9"), ("line 20", "20"), ("line 30", "5"),
        ("line 31", "29"),
    ]  # fmt: skip
    reasons = [reason for *_, reason in rejected()]
    assert (reasons[0], reasons[5]) == ("not JSON", "duplicate key, line 5 has it already")
    assert reasons[6] == "duplicate key, line 29 has it already"
    assert services.engine.fetch("photos", ["5"])["5"].fields["title"] == "t5"


def test_a_record_that_is_no_row_is_rejected_with_the_key_that_it_has(ingest, rejected):
    ingest(ListSource([Record("line 1", None, "no such picture", "7")]))
    assert rejected() == [("line 1", "7", "no such picture")]


def test_a_key_whose_first_row_was_bad_is_no_duplicate(ingest, rejected):
    _, counts = ingest(ListSource([record(1, price="dear"), *photos(1, 3)]))
    assert counts == (3, 2, 1)
    assert [place for place, *_ in rejected()] == ["line 1"]


def test_too_many_rejects_stop_it_for_good(ingest, services):
    rows = [record(n, nope=1) if n in (2, 17) else each for n, each in enumerate(photos(0, 48))]
    failed, counts = ingest(ListSource(rows), max_rejects=1)
    assert (failed.state, failed.message) == ("failed", "2 rows rejected, the most is 1")
    assert counts == (32, 30, 2)
    assert len(keys(services)) == 30
    again, counts = ingest(ListSource(rows), max_rejects=1)
    assert (again.state, counts) == ("failed", (32, 30, 2))
    done, counts = ingest(ListSource(rows), max_rejects=2)
    assert (done.state, counts) == ("done", (48, 46, 2))


def test_a_source_that_is_away_is_asked_again_where_it_was(ingest):
    source = ListSource(photos(0, 60), before=away_at(48, 1))
    waiting, counts = ingest(source)
    assert (waiting.state, waiting.message, counts) == ("queued", "the store says: come again", (32, 32, 0))
    done, counts = ingest(source)
    assert (done.state, counts, source.asked) == ("done", (60, 60, 0), [0, 32])


class Refusing:
    """Stands for another object, but for one method, which raises so many times before it does what it should."""

    def __init__(self, inner, method, *errors):
        self._inner, self._method, self._errors = inner, method, list(errors)

    def __getattr__(self, name):
        if name != self._method:
            return getattr(self._inner, name)

        def refusing(*given, **options):
            if self._errors:
                raise self._errors.pop(0)
            return getattr(self._inner, name)(*given, **options)

        return refusing


def with_parts(services, **parts):
    given = {"engine": services.engine, "embedding": services.embedding, **parts}
    return wire(services.settings, given["engine"], given["embedding"], services.tables.blobs)


@pytest.mark.parametrize(
    "parts",
    [
        {"embedding": ("embed_pixels", ModelAway("the model is away"))},
        {"embedding": ("prepare", ModelAway("the model is away"))},
        {"engine": ("upsert", EngineError("the cluster is away"))},
        {"engine": ("vectors_by_source", EngineError("the cluster is away"))},
    ],
)
def test_a_service_that_is_away_rejects_no_row(ingest, services, parts):
    using = with_parts(services, **{part: Refusing(getattr(services, part), *how) for part, how in parts.items()})
    waiting, counts = ingest(ListSource(photos(0, 40)), using)
    assert (waiting.state, waiting.message[-4:]) == ("queued", "away")
    assert counts[2] == 0
    done, counts = ingest(ListSource(photos(0, 40)), using)
    assert (done.state, counts) == ("done", (40, 40, 0))


def test_a_busy_model_is_waited_for(ingest, services):
    busy = [Overloaded("256 are waiting", retry_after_s=0) for _ in range(10)]
    done, counts = ingest(
        ListSource(photos(0, 5)), with_parts(services, embedding=Refusing(services.embedding, "embed_pixels", *busy))
    )
    assert (done.state, counts) == ("done", (5, 5, 0))


def test_a_model_that_stays_busy_is_tried_again_later(ingest, services):
    busy = [Overloaded("256 are waiting", retry_after_s=0) for _ in range(1000)]
    waiting, _ = ingest(
        ListSource(photos(0, 5)), with_parts(services, embedding=Refusing(services.embedding, "embed_pixels", *busy))
    )
    assert (waiting.state, waiting.message) == ("queued", "256 are waiting")


class Objects:
    """A bucket by path; what is not there is away, or refused."""

    def __init__(self, there, trouble):
        self.there, self.trouble, self.asked = there, trouble, []

    def reader(self, _):
        return self

    def read(self, path, _):
        self.asked.append(path)
        if path in self.there:
            return self.there[path]
        raise self.trouble(f"{path}: no answer")


@pytest.fixture
def by_path(services, ingest, tmp_path, monkeypatch):
    """Ingests rows that name these paths, with these objects behind them."""
    from colour_model import picture

    monkeypatch.setattr("ingest.pipeline._AGAIN_S", (0.0, 0.0))
    services.tables.create("by_path", template("oss", endpoint=tmp_path.as_uri()), TableSettings())

    def run(objects, *paths):
        objects.there = dict.fromkeys(objects.there, picture("red"))
        documents = type(services.documents)(
            services.engine, services.embedding, services.tables.blobs, objects, services.settings
        )
        using = replace(services, documents=documents)
        rows = [record(n, vector_source_image=path) for n, path in enumerate(paths)]
        return ingest(ListSource(rows), using, name="by_path")

    return run


def test_one_object_that_never_comes_is_rejected(by_path, rejected):
    objects = Objects({"a", "c"}, SourceAway)
    _, counts = by_path(objects, "a", "b", "c")
    assert counts == (3, 2, 1)
    assert rejected() == [("line 1", "1", "b: no answer")]
    # The last is the proof that others come.
    assert objects.asked == ["a", "b", "c", "b", "b", "a"]


def test_a_store_that_is_away_rejects_nothing(by_path, rejected):
    waiting, counts = by_path(Objects(set(), SourceAway), "a", "b")
    assert (waiting.state, counts, rejected()) == ("queued", (0, 0, 0), [])
    assert by_path(Objects({"a", "b"}, SourceAway), "a", "b")[1] == (2, 2, 0)


def test_a_last_lonely_object_that_never_comes_is_rejected_at_the_last_try(by_path, services):
    attempts = services.settings.jobs.attempts
    states = [by_path(Objects(set(), SourceAway), "a")[0].state for _ in range(attempts)]
    assert states == ["queued"] * (attempts - 1) + ["done"]


def test_a_store_that_refuses_its_keys_stops_it(by_path, rejected):
    failed, counts = by_path(Objects({"a"}, SourceError), "a", "b")
    assert (failed.state, failed.message, counts, rejected()) == ("failed", "b: no answer", (0, 0, 0), [])


def test_it_goes_on_in_the_generation_that_came_in_between(ingest, services, table):
    def swap(end):
        if end == 32:
            built = services.engine.build_generation("photos", replace(table, name="photos", generation=""))
            services.engine.use_generation("photos", built)

    done, counts = ingest(ListSource(photos(0, 50), before=swap))
    assert (done.state, counts[2]) == ("done", 0)
    assert services.engine.table("photos").generation == "g2"
    # What came before the swap stays where it went: copying is the swap's business.
    assert "49" in keys(services)
    assert len(keys(services)) + len(keys(services, at("photos", "g1"))) == 50


def test_it_fills_a_generation_that_is_being_built(ingest, services, table):
    built = services.engine.build_generation("photos", replace(table, name="photos", generation=""))
    address = at("photos", built)
    done, counts = ingest(ListSource(photos(0, 20)), name=address)
    assert (done.state, counts) == ("done", (20, 20, 0))
    assert (len(keys(services, address)), keys(services)) == (20, [])
    services.engine.use_generation("photos", built)
    table = services.engine.table("photos")
    (row,) = services.documents.fetch(table, [7], include_vector=False, output_fields=("vector_source_image",))
    assert row.fields["vector_source_image"] == photo_row(7, "red")["vector_source_image"]


def test_other_parts_of_a_checkpoint_stay(ingest, store):
    store.save(1, {"checkpoint": {"generation": "g2", "source": {"at": 16}}})
    done, counts = ingest(ListSource(photos(0, 20)))
    assert (counts, done.checkpoint) == ((4, 4, 0), {"generation": "g2", "source": {"at": 20}})


def test_a_source_is_never_read_far_ahead(ingest, services, with_settings):
    """However fast it gives, what is under way is bounded by the threads."""
    reached, written, far = [0], [0], []
    using = with_settings(jobs={"workers": 2})
    source = ListSource(photos(0, 400), before=lambda end: (reached.__setitem__(0, end), far.append(end - written[0])))

    class Watched:
        def __getattr__(self, name):
            return getattr(services.engine, name)

        def upsert(self, name, rows, **options):
            services.engine.upsert(name, rows, **options)
            written[0] += len(rows)

    done, _ = ingest(source, wire(using.settings, Watched(), services.embedding, services.tables.blobs))
    assert (done.state, written[0]) == ("done", 400)
    batch = services.settings.embedding.batch
    # Two batches for each thread, one that is being read, one that is being written.
    assert max(far) <= (2 * 2 + 2) * batch


def test_large_batches_are_fewer_at_a_time(ingest, services, monkeypatch):
    """Of batches that weigh too much one is under way, and the next is read."""
    monkeypatch.setattr("ingest.ahead.MOST", 1)
    together, most, guard = [0], [0], threading.Lock()
    embedding = services.embedding

    class Watched:
        def __getattr__(self, name):
            return getattr(embedding, name)

        def embed_pixels(self, model, pixels):
            with guard:
                together[0] += 1
                most[0] = max(most[0], together[0])
            vectors = embedding.embed_pixels(model, pixels)
            with guard:
                together[0] -= 1
            return vectors

    done, _ = ingest(ListSource(photos(0, 100)), with_parts(services, embedding=Watched()))
    assert (done.state, most[0]) == ("done", 1)


def test_it_can_be_stopped_while_a_source_says_nothing(ingest, store, monkeypatch):
    monkeypatch.setattr("ingest.ahead._LOOK_S", 0.01)
    silent = threading.Event()

    def before(end):
        if end == 32:
            store.ask(1, "pause")
            silent.wait(30)

    monkeypatch.setattr("ingest.ahead._LEAVE_S", 0.01)
    paused, counts = ingest(ListSource(photos(0, 40), before=before))
    silent.set()
    assert (paused.state, counts) == ("paused", (16, 16, 0))


def test_writers_beside_it_are_not_lost(ingest, services, table):
    rows = photos(0, 40)

    def push(end):
        services.documents.push(table, [Command("add", photo_row(1000 + end, "blue"))])

    ingest(ListSource(rows, before=push))
    assert len(keys(services)) == 43


def test_a_job_error_is_no_reject(ingest):
    def broken(_):
        raise JobError("no such thing")

    failed, counts = ingest(ListSource(photos(0, 5), before=broken))
    assert (failed.state, failed.message, counts) == ("failed", "no such thing", (0, 0, 0))
