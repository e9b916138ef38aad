"""Pushed pictures in a bucket that several gateways share: havengate.blobs.BlobStore over a store that speaks S3.

A bucket has no lock between machines, and no delete that asks whether an object was written again meanwhile. So a
blob is never overwritten and never renewed: each upload is an object of its own, ``PREFIX/<table>/<hash>/<upload>``,
any of which is the blob, and what is deleted are uploads that somebody has seen, never a blob by its name.

Why no row loses its blob, whatever runs at the same time:
1. Whoever writes a row that names a blob has uploaded it before, under a name that nobody knew, within one
   ``writing``. So each such row has an upload of its own beside those of the other rows.
2. ``delete`` (its caller has found that no row names the blob) removes uploads that were older than GRACE_S, by the
   store's own clock, when the caller began to look (``Since``: it may have stood still in between, and then a row was
   written whose upload is no longer young). An upload whose row was still to come then is younger: ``writing`` fails
   when it took half of that, so that such a row is not acknowledged, and who sent it sends it again.
3. An upload removes older ones of its blob only where they are older than GRACE_S, after it is there itself: what
   was named through them is found through it.
4. ``clearing`` removes what it had listed before the table was dropped or made. Uploads for a table of that name
   that somebody makes meanwhile have other names.
What may be left is a blob too many: unheld, but younger than GRACE_S when its row went. The next sweep
(ingest.rebuild.swap.drop_pictures) takes it.
"""

from __future__ import annotations

import re
import secrets
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from havengate.blobs import BlobStore, FolderBlobStore, Since, each, require_key, require_table
from havengate.bucket_errors import Missing
from havengate.buckets import open_bucket
from havengate.endpoints import bucket_name, read_endpoint
from havengate.errors import EngineError, HavengateError, Moved, SchemaError, SettingsError
from havengate.images import content_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from havengate.buckets import Bucket
    from havengate.settings import Settings

GRACE_S = 3600.0
_PAGE = 1000
_READS = 3
_LARGEST = 1 << 30
_UPLOAD = re.compile(r"([0-9a-f]{64})/[0-9a-f]{16}")
_PROBE = ".probe"


@dataclass(frozen=True, slots=True)
class _Upload:
    """One object: its whole key, and its age in seconds by the store's clock."""

    key: str
    age_s: float


class BucketBlobStore:
    """Blobs below ``prefix`` in a bucket. May be called from several threads, processes and machines."""

    def __init__(self, bucket: Bucket, prefix: str, grace_s: float = GRACE_S) -> None:
        self._bucket = bucket
        self._root = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._grace_s = grace_s

    def put(self, table: str, data: bytes) -> str:
        return self.put_many(table, [data])[0]

    def put_many(self, table: str, items: Sequence[bytes]) -> list[str]:
        keys = [content_hash(data) for data in items]
        wanted = {self._folder(table, key): data for key, data in zip(keys, items, strict=True)}
        with _translated(f"write for table {table!r}"):
            each(self._upload, wanted.items())
        return keys

    def get(self, table: str, key: str) -> bytes:
        folder, damaged = self._folder(table, key), False
        with _translated(f"read {key} of table {table!r}"):
            # Between the listing and the reading another gateway may have replaced what was listed.
            for _ in range(_READS):
                uploads = sorted(self._uploads(folder), key=lambda upload: upload.age_s)
                for upload in uploads:
                    data = self._read(upload.key)
                    if data is not None and content_hash(data) == key:
                        return data
                    damaged = damaged or data is not None
                if not uploads or damaged:
                    break
        if damaged:
            raise EngineError(f"the blob store's {key} of table {table!r} is damaged: its bytes have another hash")
        raise Moved(f"the blob store has no {key} for table {table!r}")

    def delete(self, table: str, keys: Iterable[str], since: Since) -> None:
        folders = [self._folder(table, key) for key in keys]
        with _translated(f"remove blobs of table {table!r}"):
            each(lambda folder: self._remove(self._old(folder, since)), folders)

    def keys(self, table: str, prefix: str) -> list[str]:
        root = self._table(table)
        with _translated(f"list blobs of table {table!r}"):
            names = (_UPLOAD.fullmatch(upload.key[len(root) :]) for upload in self._uploads(f"{root}{prefix}"))
            return sorted({name[1] for name in names if name})

    @contextmanager
    def writing(self, table: str) -> Iterator[Since]:
        """Holds off nobody, because nobody has to be (see above), but fails where it took too long."""
        require_table(table)
        since = Since()
        yield since
        if (took := since.seconds()) > GRACE_S / 2:
            raise EngineError(
                f"writing table {table!r} took {took:.0f} s, more than its pictures are safe: send it again"
            )

    @contextmanager
    def clearing(self, table: str) -> Iterator[None]:
        root = self._table(table)
        # On disk, because a table may have millions.
        with tempfile.TemporaryFile("w+", encoding="utf-8") as doomed:
            with _translated(f"list blobs of table {table!r}"):
                for upload in self._uploads(root):
                    doomed.write(f"{upload.key}\n")
            yield
            doomed.seek(0)
            with _translated(f"drop table {table!r}"):
                while lines := doomed.readlines(_PAGE * 100):
                    self._remove([line.removesuffix("\n") for line in lines])

    def drop_table(self, table: str) -> None:
        with self.clearing(table):
            pass

    def probe(self) -> str:
        """Writes, reads and deletes an object; says where. Raises EngineError naming what failed."""
        key, data = f"{self._root}{_PROBE}-{secrets.token_hex(8)}", secrets.token_bytes(16)
        for what, call, request in (
            ("write", "put_object", {"Body": data}),
            ("read", "get_object", {}),
            ("list", "list_objects_v2", {"Prefix": key}),
            ("delete", "delete_object", {}),
        ):
            with _translated(f"{what} a probe"):
                self._bucket.ask(call, **({"Prefix": key} if "Prefix" in request else {"Key": key, **request}))
        return self._bucket.place

    def close(self) -> None:
        self._bucket.close()

    def _upload(self, item: tuple[str, bytes]) -> None:
        folder, data = item
        former = self._old(folder, Since())
        self._bucket.ask("put_object", Key=f"{folder}{secrets.token_hex(8)}", Body=data)
        self._remove(former)

    def _old(self, folder: str, since: Since) -> list[str]:
        """Uploads that were older than the grace already when ``since`` began."""
        uploads = list(self._uploads(folder))
        # Behind the listing, so that what has gone by is rather too much than too little.
        least = self._grace_s + since.seconds() if self._grace_s else 0.0
        return [upload.key for upload in uploads if upload.age_s >= least]

    def _read(self, key: str) -> bytes | None:
        try:
            return self._bucket.whole(key, _LARGEST)
        except Missing:
            return None

    def _remove(self, keys: Sequence[str]) -> None:
        # One by one: OSS takes many at once only with a checksum that newer clients do not send.
        each(self._remove_one, keys)

    def _remove_one(self, key: str) -> None:
        self._bucket.ask("delete_object", Key=key)

    def _uploads(self, prefix: str) -> Iterator[_Upload]:
        after = ""
        while True:
            begin = {"StartAfter": after} if after else {}
            answer = self._bucket.ask("list_objects_v2", Prefix=prefix, MaxKeys=_PAGE, **begin)
            now = _moment(answer)
            for found in answer.get("Contents", ()):
                after = str(found["Key"])
                # A store that does not say what time it is has nothing that is old.
                yield _Upload(after, now - found["LastModified"].timestamp() if now is not None else 0.0)
            if not answer.get("IsTruncated"):
                return

    def _table(self, table: str) -> str:
        return f"{self._root}{require_table(table)}/"

    def _folder(self, table: str, key: str) -> str:
        return f"{self._table(table)}{require_key(key)}/"


def open_blobs(settings: Settings) -> BlobStore:
    """Where the settings keep pushed pictures; asks no store anything. Raises SettingsError."""
    place = settings.blobs.url
    if not place:
        return FolderBlobStore(settings.data_dir / "blobs")
    return open_bucket_blobs(settings)


def open_bucket_blobs(settings: Settings) -> BucketBlobStore:
    """The store that HAVENGATE_BLOBS__URL names. Raises SettingsError for what is none, or without boto3."""
    name, _, prefix = settings.blobs.url.partition("://")[2].partition("/")
    endpoint = settings.blobs.endpoint or settings.sources.oss_endpoint
    if not endpoint:
        raise SettingsError("HAVENGATE_BLOBS__ENDPOINT: is missing; it says where HAVENGATE_BLOBS__URL is")
    addressing = settings.sources.oss_addressing
    try:
        store, bucket = read_endpoint(endpoint), bucket_name(name)
        store = store if addressing == "auto" else replace(store, addressing=addressing)
        opened = open_bucket(store, bucket, settings.blob_keys(), settings.sources.timeout_s)
    except SchemaError as error:
        raise SettingsError(f"HAVENGATE_BLOBS__URL or __ENDPOINT: {error.message}") from error
    except HavengateError as error:
        raise SettingsError(f"HAVENGATE_BLOBS__URL: {error.message}") from error
    return BucketBlobStore(opened, prefix)


def _moment(answer: Mapping[str, Any]) -> float | None:
    said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return parsedate_to_datetime(said).timestamp()
    except (TypeError, ValueError):
        return None


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except EngineError:
        raise
    except HavengateError as error:
        raise EngineError(f"the blob store cannot {what}: {error.message}") from error
