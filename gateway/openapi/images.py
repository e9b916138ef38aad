"""GET /images in the document."""

from __future__ import annotations

from gateway.openapi.parts import Json, answer, operation, parameter, ref, table
from havengate.thumbnails import LARGEST, SMALLEST, USUAL

TAG = "Rows"
_SIZE = {"type": "integer", "minimum": SMALLEST, "maximum": LARGEST, "default": USUAL}
_ABOUT = """\
JPEG, or WebP where something is transparent; upright, never larger than the picture itself. A `token` is all that a \
caller needs and all that counts where one is sent; credentials do without."""


def paths() -> Json:
    key = parameter("path", "key", {"type": "string", "minLength": 1}, "The row's key, percent-encoded.", "1")
    field = "A picture field, where there are several; else that of the first vector index which has one."
    asked = [
        table("general", "The table's name."),
        key,
        parameter("query", "size", _SIZE, "Pixels of the longest side."),
        parameter("query", "field", {"type": "string"}, field),
        parameter("query", "token", {"type": "string"}, "Of `havengate images token TABLE`."),
    ]
    fault = ref("HttpError")
    told = {
        200: _thumbnail(),
        304: {"description": "The client has it: `If-None-Match` names its `ETag`."},
        400: answer("A parameter is unknown or `size` is none.", fault),
        404: answer("There is no such table, row, field or picture, or it cannot be shown.", fault),
        502: answer("The store of the picture refuses.", fault),
        503: answer("The store is away; come again after `Retry-After` seconds.", fault),
    }
    made = operation("image", TAG, "A row's picture, small", told, access="read", description=_ABOUT, parameters=asked)
    made["security"].append({"image": []})
    return {"/images/{table}/{key}": {"get": made}}


def _thumbnail() -> Json:
    headers = {"X-Opensearch-Request-ID": ref("RequestId", "headers")}
    return {"description": "The thumbnail.", "headers": headers, "content": {"image/jpeg": {}, "image/webp": {}}}
