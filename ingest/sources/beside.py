"""Pictures that rows of a file name by their path beside that file."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from havengate.errors import DocumentError
from havengate.folder_reader import ObjectReader
from schemas.table import TableSchema

_LOOKED_AT = 1024
_SHOWN = 100


class PicturesBeside:
    """Reads the pictures of a Base64 table's rows by their paths, which ``reader`` takes from the file's folder on."""

    def __init__(self, reader: ObjectReader, schema: TableSchema, max_bytes: int) -> None:
        self._reader = reader
        self._names = schema.base64_fields
        self._key = schema.primary_key
        self._max_bytes = max_bytes

    def fill(self, fields: dict[str, object]) -> dict[str, object]:
        """The fields with a Base64 picture for each path. Raises DocumentError, PictureError."""
        for name in self._names & fields.keys():
            value = fields[name]
            # A dot is in every file name with a suffix and never in Base64.
            if isinstance(value, str) and "." in value[:_LOOKED_AT]:
                fields = fields | {name: base64_picture(self._reader, value, self._max_bytes)}
        return fields

    def key(self, fields: Mapping[str, object]) -> str | None:
        """The key of a row whose picture is no good."""
        return None if self._key not in fields else str(fields[self._key])[:_SHOWN]


def base64_picture(reader: ObjectReader, path: str, max_bytes: int) -> str:
    """A picture as Base64 text. Raises DocumentError, PictureError."""
    data = reader.read(path, max_bytes)
    if not data:
        raise DocumentError("the picture is empty (0 bytes)")
    return base64.b64encode(data).decode()
