"""Where the pictures of a table are read: one reader for each place and pair of keys that schemas and settings name."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from havengate.buckets import Bucket, open_bucket
from havengate.endpoints import bucket_name, is_folder, read_endpoint
from havengate.errors import SchemaError, SourceError
from havengate.folder_reader import ObjectReader, open_reader

if TYPE_CHECKING:
    from havengate.setting_groups import SourceSettings
    from schemas.table import PictureSource

_Place = tuple[str, str, tuple[str, str] | None]


class Readers:
    """Readers of buckets and folders, each opened once. May be called from several threads.

    Keys are those of the schema, else those of the settings, else what boto3 finds, down to the machine's role. The
    endpoint is the schema's, else the settings'.
    """

    def __init__(self, settings: SourceSettings) -> None:
        self._settings = settings
        self._guard = threading.Lock()
        self._opened: dict[_Place, Bucket] = {}

    def reader(self, source: PictureSource) -> ObjectReader:
        """What reads the paths of a field of kind "oss". Raises SourceError where its place is none, SchemaError."""
        endpoint = self._endpoint(source)
        return open_reader(endpoint, source.bucket) if is_folder(endpoint) else self.bucket(source)

    def bucket(self, source: PictureSource) -> Bucket:
        """As ``reader``, for what only a store can: SourceError where the endpoint is a folder."""
        endpoint = self._endpoint(source)
        if is_folder(endpoint):
            raise SourceError(f"oss_endpoint {endpoint!r} is a folder, no store; name the folder itself")
        keys = self._keys(source)
        place = (endpoint, source.bucket, keys)
        with self._guard:
            if place not in self._opened:
                self._opened[place] = self._open(*place)
            return self._opened[place]

    def close(self) -> None:
        with self._guard:
            while self._opened:
                self._opened.popitem()[1].close()

    def _open(self, endpoint: str, bucket: str, keys: tuple[str, str] | None) -> Bucket:
        addressing = self._settings.oss_addressing
        try:
            store, name = read_endpoint(endpoint), bucket_name(bucket)
        except SchemaError as error:
            # No row is to blame.
            raise SourceError(error.message) from error
        store = store if addressing == "auto" else replace(store, addressing=addressing)
        return open_bucket(store, name, keys, self._settings.timeout_s)

    def _endpoint(self, source: PictureSource) -> str:
        endpoint = source.endpoint or self._settings.oss_endpoint
        if not endpoint:
            raise SourceError(
                f"bucket {source.bucket!r}: neither the schema's oss_endpoint nor HAVENGATE_SOURCES__OSS_ENDPOINT"
                " says where it is"
            )
        return endpoint

    def _keys(self, source: PictureSource) -> tuple[str, str] | None:
        if source.keys is not None:
            return source.keys.id, source.keys.secret
        given = self._settings.oss_access_key_id, self._settings.oss_access_key_secret.get_secret_value()
        if any(given) and not all(given):
            raise SourceError("of HAVENGATE_SOURCES__OSS_ACCESS_KEY_ID and _SECRET only one is set")
        return given if all(given) else None
