"""Gateways over one bucket in orders that chance chooses: steps in between, kills, hours that go by unnoticed."""

import random
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from colour_model import ColourModel
from support import EXTRA_FIELDS, photo_row

from embedding.service import EmbeddingService
from engines.embedded.engine import EmbeddedEngine
from havengate.bucket_blobs import GRACE_S, BucketBlobStore
from havengate.bucket_errors import Missing
from havengate.documents import Command
from havengate.errors import EngineError
from havengate.services import wire
from ingest.rebuild.swap import sweep_pictures
from schemas.settings import TableSettings
from schemas.templates import template

COLOURS = ("red", "blue")


class Killed(BaseException):
    pass


class Memory:
    """A bucket that tells ``step`` of requests before it does them."""

    place = "memory"

    def __init__(self, world):
        self.world = world
        self.objects = {}

    def ask(self, call, **given):
        # A sweep lists 256 beginnings of keys.
        if not given.get("Prefix", "long").startswith("photos/") or len(given["Prefix"]) > len("photos/ff"):
            self.world.step()
        return getattr(self, call)(**given)

    def whole(self, key, _most):
        if key not in self.objects:
            raise Missing(key)
        return self.objects[key][0]

    def put_object(self, Key, Body):  # noqa: N803  as a client of S3 calls them
        self.objects[Key] = Body, self.world.now

    def delete_object(self, Key):  # noqa: N803
        self.objects.pop(Key, None)

    def list_objects_v2(self, Prefix, MaxKeys):  # noqa: N803, ARG002
        found = [
            {"Key": key, "LastModified": datetime.fromtimestamp(int(made), UTC)}
            for key, (_, made) in sorted(self.objects.items())
            if key.startswith(Prefix)
        ]
        date = format_datetime(datetime.fromtimestamp(int(self.world.now), UTC), usegmt=True)
        return {"Contents": found, "ResponseMetadata": {"HTTPHeaders": {"date": date}}}

    def close(self):
        pass


class World:
    """Some gateways, one bucket and one clock. ``step`` is where anything may come in between."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.now = 1_700_000_000.0
        self.bucket = Memory(self)
        self.idle = []
        self.depth = 0
        self.unsure = set()
        """Rows whose writer was not told that they are written, because it took too long."""

    def step(self):
        if not self.depth:
            return
        chance = self.random.random()
        if chance < 0.01:
            raise Killed
        if chance < 0.05:
            self.now += self.random.choice((GRACE_S / 3, 3 * GRACE_S))
        elif chance < 0.25 and self.idle:
            self.act()

    def act(self):
        gateway = self.idle.pop(self.random.randrange(len(self.idle)))
        pk, begin = self.random.randrange(3), self.now
        self.depth += 1
        try:
            failed = self.do(gateway, pk)
        except Killed:
            failed = True
        finally:
            self.depth -= 1
            self.idle.append(gateway)
        if failed and self.now - begin > GRACE_S / 2:
            self.unsure.add(pk)
        elif not failed and not self.depth:
            self.unsure.discard(pk)

    def do(self, gateway, pk):
        what = self.random.choice(("add", "update_field", "delete", "delete", "sweep"))
        if what == "sweep":
            with suppress(EngineError):
                sweep_pictures(gateway.engine, gateway.tables.blobs)
            return True
        row = {"id": pk} if what == "delete" else photo_row(pk, self.random.choice(COLOURS))
        report = gateway.documents.push(gateway.engine.table("photos"), [Command(what, row)])
        return bool(report.failures)


@pytest.fixture
def world(settings, monkeypatch, request):
    made = World(request.param)
    engine = EmbeddedEngine.open(settings.data_dir)
    # Threads would come in an order of their own.
    monkeypatch.setattr("havengate.bucket_blobs.each", lambda do, items: [do(item) for item in items])
    monkeypatch.setattr("havengate.blobs.time.time", lambda: made.now)
    embedding = EmbeddingService(settings.embedding, {"builtin": lambda _: ColourModel()})
    made.idle = [wire(settings, engine, embedding, BucketBlobStore(made.bucket, "")) for _ in range(3)]
    for gateway in made.idle:
        # Between what the engine says and what is done about it.
        gateway.documents._pictures._engine = Interrupted(engine, made)
    made.idle[0].tables.create("photos", template("base64", extra_fields=EXTRA_FIELDS), TableSettings())
    yield made
    embedding.close()
    engine.close()


class Interrupted:
    def __init__(self, engine, world):
        self._engine, self._world = engine, world

    def __getattr__(self, name):
        call = getattr(self._engine, name)

        def asked(*arguments, **options):
            self._world.step()
            answer = call(*arguments, **options)
            self._world.step()
            return answer

        return asked


@pytest.mark.parametrize("world", range(6), indirect=True)
def test_no_row_loses_its_picture(world):
    gateway = world.idle[0]
    for _ in range(25):
        world.act()
        world.now += world.random.choice((1, GRACE_S / 2, 2 * GRACE_S))
        for row in gateway.engine.fetch("photos", [str(pk) for pk in range(3) if pk not in world.unsure]).values():
            assert gateway.tables.blobs.get("photos", row.fields["vector_source_image"])
    world.now += 2 * GRACE_S
    sweep_pictures(gateway.engine, gateway.tables.blobs)
    rows = gateway.engine.fetch("photos", [str(pk) for pk in range(3)]).values()
    held = {row.fields["vector_source_image"] for row in rows}
    assert {key.split("/")[1] for key in world.bucket.objects} <= held
