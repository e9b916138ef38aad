"""A table's backup is of one moment, and what it makes is that table; a file that is not whole makes nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engines.contract import PoolQuery, TableSpec
from engines.embedded.engine import EmbeddedEngine
from engines.opensearch.engine import OpenSearchEngine
from havengate.blobs import FolderBlobStore, Since
from havengate.errors import Busy, EngineError, RequestError, SchemaError, SourceError, TableExists, UnknownTable
from havengate.setting_groups import EngineSettings
from havengate.types import Fingerprint, Row
from ingest.backup import BackedUp, backup
from ingest.restore import Restored, restore
from schemas.resolve import resolve
from schemas.settings import TableSettings
from schemas.table import AccessKeys
from schemas.templates import template
from schemas.vendor import read_schema

CHILD = Path(__file__).with_name("backup_child.py")
SECRETS = ("LTAI-the-id", "the-secret", "another-secret")
EXTRA = (
    {"field_name": "tags", "field_type": "MAP"},
    {"field_name": "numbers", "field_type": "UINT64", "multi_value": True},
)


def spec_of(name="photos", kind="base64"):
    vendor = template(kind, extra_fields=EXTRA)
    fingerprints = {"vector": Fingerprint("space", "numerics")}
    return TableSpec(name, resolve(vendor), vendor.to_json(), TableSettings(strict=True), fingerprints)


def row(key, blob="", turn=0, **fields):
    vector = np.zeros(512, np.float32)
    vector[key % 512], vector[511] = 1, turn + 0.1
    held = {"vector_source_image": blob} if blob else {}
    return Row(str(key), {"id": key, "cate_id": turn, **held, **fields}, {"vector": vector}, {"vector": f"hash{key}"})


@pytest.fixture
def blobs(tmp_path):
    return FolderBlobStore(tmp_path / "data" / "blobs")


@pytest.fixture(params=["embedded", "opensearch"])
def engine(request, tmp_path):
    if request.param == "embedded":
        with EmbeddedEngine.open(tmp_path / "data") as opened:
            yield opened
        return
    url, prefix = request.getfixturevalue("opensearch_url"), f"test-{uuid.uuid4().hex[:12]}-"
    with OpenSearchEngine.open(EngineSettings(kind="opensearch", hosts=url, index_prefix=prefix)) as opened:
        yield opened
        for name in opened.table_names():
            opened.drop_table(name)


@pytest.fixture
def embedded(tmp_path):
    with EmbeddedEngine.open(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def file(tmp_path):
    return tmp_path / "photos.backup"


def filled(engine, blobs, rows=7):
    """Every row has a picture, and two of them the same."""
    engine.create_table(spec_of())
    put(engine, blobs, *range(rows - 1))
    engine.upsert(
        "photos", [row(99, blobs.put("photos", b"picture 0"), tags={"图": [1, "zwei", 2**63]}, numbers=[2**64 - 1])]
    )


def put(engine, blobs, *keys, turn=0):
    pictures = [f"picture {key}{'!' * turn}".encode() for key in keys]
    named = zip(keys, blobs.put_many("photos", pictures), strict=True)
    engine.upsert("photos", [row(key, blob, turn) for key, blob in named])


def content(engine, name):
    """Everything of a table that can be compared."""
    rows = sorted(engine.scan(name, None, 10_000), key=lambda each: int(each.pk))
    return [(r.pk, dict(r.fields), {f: v.tolist() for f, v in r.vectors.items()}, dict(r.sources)) for r in rows]


def test_a_restored_table_is_the_one_that_was_backed_up(engine, blobs, file):
    filled(engine, blobs)
    told = []
    made = backup(engine, blobs, "photos", file, lambda *at: told.append(at))
    assert made == BackedUp(rows=7, blobs=6, bytes=file.stat().st_size, lost_pictures=0)
    assert told[-1] == (7, 7)
    before, spec = content(engine, "photos"), engine.table("photos")
    engine.drop_table("photos")
    blobs.drop_table("photos")
    told.clear()
    assert restore(engine, blobs, file, progress=lambda *at: told.append(at)) == Restored("photos", 7, 6, ())
    assert told[-1] == (7, 7)
    assert content(engine, "photos") == before
    restored = engine.table("photos")
    # Tokens that opened the former table's pictures are for the former table.
    assert restored.settings.image_tokens != spec.settings.image_tokens
    kept = restored.settings.model_copy(update={"image_tokens": spec.settings.image_tokens})
    assert replace(restored, generation="", settings=kept) == replace(spec, generation="")
    (current,) = engine.generations("photos")
    assert (current.rows, current.current) == (7, True)
    for _, fields, _, _ in before:
        assert blobs.get("photos", fields["vector_source_image"]).startswith(b"picture")
    put(engine, blobs, 1, turn=1)


def test_it_can_be_restored_beside_under_another_name(engine, blobs, file):
    filled(engine, blobs)
    backup(engine, blobs, "photos", file)
    with pytest.raises(TableExists, match="photos"):
        restore(engine, blobs, file)
    assert restore(engine, blobs, file, "other").table == "other"
    assert content(engine, "other") == content(engine, "photos")
    assert engine.table("other").fingerprints == {"vector": Fingerprint("space", "numerics")}
    assert blobs.get("other", content(engine, "other")[3][1]["vector_source_image"]) == b"picture 3"
    with pytest.raises(SchemaError, match="table name"):
        restore(engine, blobs, file, "../other")
    with pytest.raises(UnknownTable):
        backup(engine, blobs, "other@g1", file.with_name("another"))


def test_an_empty_table_without_pictures(engine, blobs, file):
    engine.create_table(spec_of("empty", "push"))
    assert backup(engine, blobs, "empty", file).rows == 0
    engine.drop_table("empty")
    assert restore(engine, blobs, file).rows == 0
    assert engine.table("empty").schema == spec_of("empty", "push").schema


def test_writes_meanwhile_are_in_it_up_to_one_moment(engine, blobs, file, monkeypatch):
    monkeypatch.setattr("ingest.backup._ROWS_PER_MEMBER", 10)
    monkeypatch.setattr("ingest.backup._FEW_KEYS", 3)
    filled(engine, blobs, 40)
    stop, turns, errors = threading.Event(), [], []

    def write():
        """Turn after turn, rows 0 and 1 are of one call; row 2 comes and goes."""
        try:
            while not stop.is_set():
                turn = len(turns) + 1
                try:
                    put(engine, blobs, 0, 1, turn=turn)
                    if turn % 2:
                        engine.delete("photos", ["2"])
                    else:
                        put(engine, blobs, 2, turn=turn)
                except Busy:
                    continue
                turns.append(turn)
        except Exception as error:  # noqa: BLE001  whatever it is fails the test
            errors.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            backup(engine, blobs, "photos", file.with_name(f"{number}"))
    finally:
        stop.set()
        writer.join()
    assert errors == []
    assert turns
    for number in range(3):
        restore(engine, blobs, file.with_name(f"{number}"), f"copy{number}")
        rows = {pk: fields["cate_id"] for pk, fields, _, _ in content(engine, f"copy{number}")}
        assert rows["0"] == rows["1"], "half of a call"
        assert len(rows) in (39, 40)
        for _, fields, vectors, _ in content(engine, f"copy{number}"):
            assert vectors["vector"][511] == pytest.approx(fields["cate_id"] + 0.1)
            assert blobs.get(f"copy{number}", fields["vector_source_image"]).count(b"!") == fields["cate_id"]


def test_a_rebuild_that_ends_meanwhile_starts_it_again(embedded, blobs, file):
    filled(embedded, blobs)
    swaps = ["g2"]

    def swap(_done, _of):
        if swaps:
            embedded.build_generation("photos", spec_of())
            embedded.upsert("photos@g2", [row(5)])
            embedded.use_generation("photos", swaps.pop())
            embedded.drop_generation("photos", "g1")

    assert backup(embedded, blobs, "photos", file, swap).rows == 1
    restore(embedded, blobs, file, "other")
    assert [pk for pk, *_ in content(embedded, "other")] == ["5"]


def test_a_table_that_somebody_else_holds_is_waited_for(embedded, blobs, file, monkeypatch):
    monkeypatch.setattr("ingest.backup._PATIENCE_S", (0, 0))
    filled(embedded, blobs)
    hold, busy = embedded.hold, [Busy("held")] * 2

    def held(name, call):
        if busy:
            put(embedded, blobs, 50 + len(busy))
            raise busy.pop()
        hold(name, call)

    embedded.hold = held
    assert backup(embedded, blobs, "photos", file).rows == 9
    busy += [Busy("held for long")] * 3
    with pytest.raises(Busy, match="held for long"):
        backup(embedded, blobs, "photos", file.with_name("another"))


def test_secrets_are_not_in_it_and_have_to_be_set_again(embedded, blobs, file):
    vendor = template("oss").to_json()
    for field in vendor["fields"]:
        if "content_type" in (param := field.get("user_defined_param", {})):
            param |= {"oss_access_key": SECRETS[0], "oss_secret": SECRETS[1], "my": {"password": SECRETS[2]}}
    spec = replace(spec_of(kind="oss"), vendor_schema=vendor)
    index = spec.schema.vector_indexes["vector"]
    source = replace(index.source, keys=AccessKeys(*SECRETS[:2]))
    spec = replace(spec, schema=replace(spec.schema, vector_indexes={"vector": replace(index, source=source)}))
    embedded.create_table(spec)
    backup(embedded, blobs, "photos", file)
    for secret in SECRETS:
        assert secret.encode() not in file.read_bytes()
    place = f"fields.{source.field}.user_defined_param"
    made = restore(embedded, blobs, file, "other")
    assert made.secrets == (f"{place}.oss_access_key", f"{place}.oss_secret", f"{place}.my.password")
    restored = embedded.table("other")
    assert restored.schema.vector_indexes["vector"].source.keys is None
    assert "******" not in json.dumps(restored.vendor_schema)
    resolve(read_schema(json.dumps(restored.vendor_schema)))


def test_a_picture_that_is_lost_is_counted(embedded, blobs, file):
    filled(embedded, blobs)
    blobs.delete("photos", [content(embedded, "photos")[3][1]["vector_source_image"]], Since())
    made = backup(embedded, blobs, "photos", file)
    assert (made.rows, made.blobs, made.lost_pictures) == (7, 5, 1)
    assert restore(embedded, blobs, file, "other").rows == 7


def test_files_that_are_there_or_cannot_be_written(embedded, blobs, tmp_path):
    filled(embedded, blobs)
    (tmp_path / "there").write_text("mine")
    with pytest.raises(RequestError, match="there already"):
        backup(embedded, blobs, "photos", tmp_path / "there")
    assert (tmp_path / "there").read_text() == "mine"
    with pytest.raises(EngineError, match="cannot be written"):
        backup(embedded, blobs, "photos", tmp_path / "no" / "folder")
    with pytest.raises(UnknownTable):
        backup(embedded, blobs, "none", tmp_path / "new")

    def another(_done, _of):
        with pytest.raises(RequestError, match="somebody else"):
            backup(embedded, blobs, "photos", tmp_path / "new")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        backup(embedded, blobs, "photos", tmp_path / "new", another)
    assert [each.name for each in tmp_path.iterdir() if "new" in each.name] == []
    with pytest.raises(SourceError, match="No such file"):
        restore(embedded, blobs, tmp_path / "none")


def members(file):
    with tarfile.open(file) as tar:
        return [(each, tar.extractfile(each).read()) for each in tar]


def packed(file, parts):
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in parts:
            tar.addfile(info, io.BytesIO(data) if data is not None else None)


@pytest.fixture
def whole(embedded, blobs, file):
    filled(embedded, blobs)
    backup(embedded, blobs, "photos", file)
    return file


def refused(embedded, blobs, file, match=None):
    with pytest.raises(SourceError, match=match) as error:
        restore(embedded, blobs, file, "other")
    assert embedded.table_names() == ["photos"]
    assert not (blobs._root / "other").exists()
    return error.value.message


def test_a_file_that_is_cut_off_anywhere_makes_nothing(embedded, blobs, whole):
    data = whole.read_bytes()
    used = len(data.rstrip(b"\0"))
    for size in [*range(0, used, 700), used - 1]:
        whole.write_bytes(data[:size])
        refused(embedded, blobs, whole)
    # The blocks of zeros at the end hold nothing.
    whole.write_bytes(data[: -(-used // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE])
    restore(embedded, blobs, whole, "other")


def test_a_file_with_one_wrong_byte_makes_nothing(embedded, blobs, whole):
    data = whole.read_bytes()
    with tarfile.open(whole) as tar:
        spans = [(each.offset_data, each.size) for each in tar]
    for start, size in spans:
        for place in {start, start + size // 2, start + size - 1}:
            broken = bytearray(data)
            broken[place] ^= 1
            whole.write_bytes(broken)
            refused(embedded, blobs, whole)


@pytest.mark.parametrize("data", [b"", b"no tar at all", b"PK\x03\x04" * 500, b"\0" * 10240])
def test_a_file_of_something_else_is_told_so(embedded, blobs, whole, data):
    whole.write_bytes(data)
    refused(embedded, blobs, whole, "is no backup of a table|cut off")


@pytest.mark.usefixtures("whole")
def test_what_is_no_file_is_not_read(embedded, blobs):
    assert "not a file" in refused(embedded, blobs, Path(os.devnull))


def test_members_of_others_are_refused_and_nothing_is_written_by_their_names(embedded, blobs, whole, tmp_path):
    good = members(whole)
    before = sorted(tmp_path.rglob("*"))
    for name in ("../escaped", "/escaped", "rows-1", "blobs-000001/../../x", "backup.json", "rows-000001"):
        for place in (1, len(good)):
            packed(whole, [*good[:place], (info(name, b"x"), b"x"), *good[place:]])
            refused(embedded, blobs, whole)
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
        link = tarfile.TarInfo("rows-000002")
        link.type, link.linkname = kind, "/etc/passwd"
        packed(whole, [good[0], (link, None), *good[1:]])
        refused(embedded, blobs, whole, "no plain file")
    for place in range(len(good)):
        packed(whole, good[:place] + good[place + 1 :])
        refused(embedded, blobs, whole)
    packed(whole, [(info("photo.jpg", b"x"), b"x"), *good])
    assert "no backup of a table" in refused(embedded, blobs, whole)
    assert sorted(tmp_path.rglob("*")) == before
    packed(whole, good)
    restore(embedded, blobs, whole, "other")


def info(name, data):
    member = tarfile.TarInfo(name)
    member.size = len(data)
    return member


def remade(file, change):
    """The file with other content and right checksums, as somebody with bad intent would make it."""
    *parts, (_, manifest) = members(file)
    parts, manifest = change([(each.name, data) for each, data in parts], json.loads(manifest))
    manifest["members"] = {name: [len(data), hashlib.sha256(data).hexdigest()] for name, data in parts}
    text = json.dumps(manifest).encode()
    parts.append((f"manifest-{hashlib.sha256(text).hexdigest()}.json", text))
    packed(file, [(info(name, data), data) for name, data in parts])


def with_data(kind, text):
    return lambda parts, manifest: (
        [(name, text if name.startswith(kind) else data) for name, data in parts],
        manifest,
    )


@pytest.mark.parametrize(
    "change",
    [
        with_data("rows", b"{}\n"),
        with_data("rows", b"no json\n"),
        with_data("rows", b"[" * 200_000 + b"\n"),
        with_data("backup.json", b"[" * 200_000),
        with_data("rows", b'{"pk": "1", "fields": {"id": 1}, "vectors": {"vector": "AAA"}, "sources": {}}\n'),
        with_data("rows", b'{"pk": "1", "fields": {"id": 1}, "vectors": [], "sources": {}}\n'),
        with_data("rows", b'{"pk": "1", "fields": {"id": 1}, "vectors": {}, "sources": {}}\n'),
        with_data("blobs", b"../../x 3\nabc\n"),
        with_data("blobs", b"%s 999999999999\nabc\n" % (b"0" * 64)),
        with_data("blobs", b"%s 3\nabc\n" % (b"0" * 64)),
        lambda parts, manifest: (parts, {**manifest, "rows": 8}),
        lambda parts, manifest: (parts, {**manifest, "rows": "many"}),
    ],
)
def test_content_that_does_not_fit_leaves_nothing(embedded, blobs, whole, change):
    remade(whole, change)
    assert "damaged" in refused(embedded, blobs, whole)


def test_rows_that_the_schema_does_not_have_leave_nothing(embedded, blobs, whole):
    remade(whole, with_data("rows", b'{"pk": "1", "fields": {"id": "one"}, "vectors": {}, "sources": {}}\n'))
    with pytest.raises(RequestError, match="row '1'"):
        restore(embedded, blobs, whole, "other")
    assert embedded.table_names() == ["photos"]


def test_a_newer_format_is_told_so(embedded, blobs, whole):
    newer = json.dumps({"havengate": "table backup", "format": 2, "table": "photos"}).encode()
    remade(whole, lambda parts, manifest: ([("backup.json", newer), *parts[1:]], manifest))
    refused(embedded, blobs, whole, "newer version")


def test_nobody_sees_a_table_that_is_half_restored(embedded, blobs, whole):
    seen = []

    def look(_done, _of):
        with pytest.raises(RequestError, match="no vector index"):
            embedded.pool("other", PoolQuery("vector", np.zeros((1, 512), np.float32), 1))
        with pytest.raises(Busy):
            restore(embedded, blobs, whole, "other")
        seen.append(embedded.table("other").schema.primary_key)

    restore(embedded, blobs, whole, "other", look)
    assert seen
    assert len(content(embedded, "other")) == 7


def killed(what, data_dir, file, step):
    environment = {**os.environ, "PYTHONPATH": str(CHILD.parents[2])}
    done = subprocess.run(
        [sys.executable, str(CHILD), what, str(data_dir), str(file), str(step)],
        env=environment,
        check=False,
        timeout=60,
    )
    return done.returncode == -signal.SIGKILL


def test_a_restore_that_another_one_overtakes_leaves_it_its_pictures(embedded, blobs, whole, monkeypatch):
    find = embedded.table_names

    def overtaken():
        names = find()
        monkeypatch.undo()
        restore(embedded, blobs, whole, "other")
        return names

    monkeypatch.setattr(embedded, "table_names", overtaken)
    with pytest.raises(TableExists):
        restore(embedded, blobs, whole, "other")
    backup(embedded, blobs, "other", whole.with_name("again.tar"))
    again = restore(embedded, blobs, whole.with_name("again.tar"), "third")
    assert again.blobs > 0


def test_a_restore_that_is_killed_leaves_what_the_next_one_clears(tmp_path, file, blobs):
    with EmbeddedEngine.open(tmp_path / "data") as engine:
        filled(engine, blobs)
        backup(engine, blobs, "photos", file)
        before = content(engine, "photos")
        engine.drop_table("photos")
    for step in (1, 2, 3):
        assert killed("restore", tmp_path / "data", file, step)
        with EmbeddedEngine.open(tmp_path / "data") as engine:
            assert [engine.stats(name).rows for name in engine.table_names()] == [0]
    with EmbeddedEngine.open(tmp_path / "data") as engine:
        restore(engine, blobs, file)
        assert content(engine, "photos") == before


def test_a_backup_that_is_killed_leaves_no_file_of_that_name(tmp_path, file, blobs):
    with EmbeddedEngine.open(tmp_path / "data") as engine:
        filled(engine, blobs)
    for step in (1, 2):
        assert killed("backup", tmp_path / "data", file, step)
        assert not file.exists()
    with EmbeddedEngine.open(tmp_path / "data") as engine:
        assert backup(engine, blobs, "photos", file).rows == 7
    assert {each.name for each in tmp_path.iterdir()} == {"data", file.name}
