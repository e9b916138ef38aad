"""Rules about where the pictures of an OSS table are, and with whose rights they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from havengate.endpoints import bucket_name, is_folder, read_endpoint
from havengate.errors import SchemaError
from schemas.findings import Finding, finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.vendor import UserDefinedParam

_ID_BEGINS = "LTAI"
"""What every AccessKey id of an Alibaba account begins with, and no secret has to."""


def stored_pictures(param: UserDefinedParam, where: str) -> Iterator[Finding]:
    """What there is to say about the parameters of a picture field with content_type oss."""
    endpoint = param.oss_endpoint or ""
    if not endpoint:
        says = "none is given: that of HAVENGATE_SOURCES__OSS_ENDPOINT is taken"
        yield finding("oss-endpoint-setting", f"{where}.oss_endpoint", says)
    if not is_folder(endpoint):
        yield from _store(endpoint, param.oss_bucket or "", where)
    yield from _keys(param, where)


def _store(endpoint: str, bucket: str, where: str) -> Iterator[Finding]:
    try:
        if endpoint:
            read_endpoint(endpoint)
    except SchemaError as error:
        yield finding("oss-endpoint", f"{where}.oss_endpoint", error.message)
    try:
        bucket_name(bucket)
    except SchemaError as error:
        yield finding("oss-bucket", f"{where}.oss_bucket", error.message)


def _keys(param: UserDefinedParam, where: str) -> Iterator[Finding]:
    if param.has_keys and not (param.oss_access_key and param.oss_secret):
        given, missing = ("oss_access_key", "oss_secret") if param.oss_access_key else ("oss_secret", "oss_access_key")
        yield finding("oss-keys", f"{where}.{missing}", f"{given} is given without {missing}")
    elif param.has_keys and (param.oss_secret or "").startswith(_ID_BEGINS):
        says = (
            f"begins with {_ID_BEGINS} as AccessKey ids do; the id belongs in oss_access_key, the secret in oss_secret"
        )
        yield finding("oss-keys-swapped", f"{where}.oss_secret", says)
