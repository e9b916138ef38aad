"""Small versions of rows' pictures: read where the schema says, made once, kept in memory.

A thumbnail is kept under the hash of what it was made from, so that nobody is shown a picture that the row no longer
has. Which content a row's picture has is known without reading it for pushed pictures, whose reference is a hash. An
object in a bucket or folder may change behind the row's back: where its bytes are those that the row was made from
(the row keeps their hash), that is remembered for as long as row and path say the same; else it is read again after a
minute.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from havengate.errors import DocumentError, NoPicture, PictureError, SchemaError, SourceError, excerpt
from havengate.images import content_hash, decode_base64, decode_picture
from havengate.search import NO_PICTURE
from havengate.thumbnail_queue import Kept, Remembered, Workshop
from havengate.values import canonical_key

if TYPE_CHECKING:
    from engines.contract import Engine, TableSpec
    from havengate.blobs import BlobStore
    from havengate.objects import Readers
    from havengate.setting_groups import LimitSettings
    from havengate.settings import Settings
    from schemas.table import PictureSource, VectorIndex

SMALLEST, LARGEST, USUAL = 16, 1024, 160
"""Sizes: pixels of the longest side."""
_LOOK_AGAIN_S = 60.0
_FORMAT = "1"
"""Stands in entity tags: browsers ask anew when thumbnails are made differently."""
_QUALITY = 85
_OPAQUE = 255


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A JPEG, or a WebP where something of the picture is transparent."""

    data: bytes
    content_type: str
    etag: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Where a row's picture is: ``value`` is a path or the key of a blob; ``made_from`` what the row was made from."""

    table: str
    source: PictureSource
    value: str
    made_from: str = ""

    @property
    def identity(self) -> bytes:
        """A digest: paths are long."""
        place = (self.source.kind, self.source.endpoint, self.source.bucket, self.table, self.value, self.made_from)
        return hashlib.sha256(repr(place).encode("utf-8", "surrogatepass")).digest()


class Thumbnails:
    """May be called from several threads. ``now`` counts seconds."""

    def __init__(
        self,
        engine: Engine,
        blobs: BlobStore,
        readers: Readers,
        settings: Settings,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._blobs = blobs
        self._readers = readers
        self._limits = settings.limits
        self._kept = Kept[Thumbnail](settings.images.cache_mib << 20)
        self._contents = Remembered(now)
        self._workshop = Workshop[Thumbnail](most=max(1, settings.server.connections // 2))

    def find(self, table: TableSpec, key: str, field: str | None = None) -> Picture:
        """The picture of the row ``key`` in ``field``; without one in the first vector index that has a source.

        Raises NoPicture where there is no such row, field or picture, EngineError.
        """
        index = _index(table, field)
        try:
            pk = canonical_key(table.schema, key)
        except DocumentError as error:
            raise NoPicture(f"no row {excerpt(repr(key))}") from error
        row = self._engine.fetch(table.name, [pk]).get(pk)
        if row is None:
            raise NoPicture(f"no row {excerpt(repr(key))}")
        source = index.source
        value = row.fields.get(source.field, NO_PICTURE) if source else NO_PICTURE
        if source is None or value == NO_PICTURE:
            raise NoPicture(f"row {excerpt(repr(key))} has no picture")
        return Picture(table.table, source, str(value), row.sources.get(index.field, ""))

    def etag(self, picture: Picture, size: int) -> str | None:
        """The entity tag of the thumbnail, where it is known without reading the picture."""
        content = self._content(picture)
        return content and _etag(content, size)

    def kept(self, picture: Picture, size: int) -> Thumbnail | None:
        """The thumbnail, if it was made already."""
        content = self._content(picture)
        return self._kept.get((content, size)) if content else None

    def make(self, picture: Picture, size: int) -> Thumbnail:
        """The picture's thumbnail with ``size`` pixels on its longest side, never larger than the picture.

        Those who ask for the same at once share one. Raises NoPicture for one that is missing or broken, Overloaded
        where too many wait, SourceAway, SourceError, EngineError; Moved where the row may have been written meanwhile.
        """
        return self._workshop.shared((picture.identity, size), lambda: self._made(picture, size))

    def _content(self, picture: Picture) -> str | None:
        return picture.value if picture.source.kind == "base64" else self._contents.get(picture.identity)

    def _made(self, picture: Picture, size: int) -> Thumbnail:
        with self._workshop.working():
            data = self._read(picture)
            content = self._content(picture) or self._noted(picture, content_hash(data))
            made = self._kept.get((content, size))
            if made is None:
                with self._workshop.decoding():
                    made = self._rendered(data, size, _etag(content, size))
                self._kept.put((content, size), made, len(made.data))
            return made

    def _noted(self, picture: Picture, content: str) -> str:
        self._contents.put(picture.identity, content, None if content == picture.made_from else _LOOK_AGAIN_S)
        return content

    def _read(self, picture: Picture) -> bytes:
        source = picture.source
        try:
            if source.kind == "base64":
                return decode_base64(self._blobs.get(picture.table, picture.value).decode())
            return self._readers.reader(source).read(picture.value, self._limits.picture_bytes)
        except (DocumentError, PictureError) as error:
            # Whoever may see pictures need not be told of paths and folders.
            raise NoPicture("the picture is missing or cannot be read") from error
        except SchemaError as error:
            raise SourceError(error.message) from error

    def _rendered(self, data: bytes, size: int, etag: str) -> Thumbnail:
        try:
            return Thumbnail(*render(data, size, self._limits), etag)
        except PictureError as error:
            raise NoPicture(f"the picture cannot be shown: {error.message}") from error


def render(data: bytes, size: int, limits: LimitSettings) -> tuple[bytes, str]:
    """A thumbnail's bytes and content type: upright, nothing of the file but its pixels. Raises PictureError."""
    from PIL.Image import Resampling

    picture = decode_picture(data, limits, target=size, keep_alpha=True)
    picture.thumbnail((size, size), Resampling.LANCZOS)
    # Else Pillow would write into the answer what stood in the file beside its pixels.
    picture.info.clear()
    out = io.BytesIO()
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema()[0] != _OPAQUE:
        picture.save(out, "WEBP", quality=_QUALITY, method=2)
        return out.getvalue(), "image/webp"
    picture.convert("RGB").save(out, "JPEG", quality=_QUALITY, optimize=True)
    return out.getvalue(), "image/jpeg"


def _index(table: TableSpec, field: str | None) -> VectorIndex:
    for index in table.schema.vector_indexes.values():
        if index.source is not None and field in (None, index.source.field):
            return index
    raise NoPicture("the table has no pictures" if field is None else f"no picture field {excerpt(repr(field))}")


def _etag(content: str, size: int) -> str:
    return f"{content}-{size}-{_FORMAT}"
