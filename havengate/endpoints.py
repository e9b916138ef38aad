"""What an oss_endpoint, an oss_bucket and the path of a picture name: stores that speak S3, or local folders. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from havengate.errors import SchemaError

FILE_SCHEME = "file://"
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|data:", re.IGNORECASE)
"""What begins like this is no path in a bucket."""
NEUTRAL_REGION = "us-east-1"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,200}}$){_LABEL}(?:\.{_LABEL})*")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_OSS = re.compile(r"(?:^|\.)oss-([a-z]+-[a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com")
_S3 = re.compile(r"(?:^|\.)s3[.-]([a-z]{2}(?:-[a-z]+)+-\d+)\.amazonaws\.com")
_KEY_BYTES = 1024
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A store's URL without a path, the region that requests are signed for, and where a bucket's name goes."""

    url: str
    region: str
    addressing: Literal["virtual", "path"]


def is_folder(endpoint: str) -> bool:
    return endpoint.lower().startswith(FILE_SCHEME)


def read_endpoint(text: str) -> Endpoint:
    """The store behind a URL or a bare host name, which gets https://.

    OSS refuses buckets in the path of a URL, and an address or the name of one machine has no names below it
    for buckets. Raises SchemaError for anything else.
    """
    url = _split(text.strip())
    host = (url.hostname or "").lower()
    return Endpoint(f"{url.scheme.lower()}://{url.netloc}", _region(host), "path" if _is_machine(host) else "virtual")


def bucket_name(text: str) -> str:
    """The bucket that an oss_bucket means; slashes around it, as the vendor's example has, are dropped.

    Raises SchemaError for what OSS and S3 take for no name.
    """
    name = text.strip("/")
    if not _BUCKET.fullmatch(name):
        raise SchemaError(
            f"oss_bucket {text[:_SHOWN]!r}: 3 to 63 lower-case letters, digits, '-' and '.' are the name of a bucket"
        )
    return name


def object_key(path: str) -> str:
    """The key of the object that a row's path names: without its leading slash, everything else as it stands.

    Raises ValueError with the reason where it can name none.
    """
    if ADDRESS.match(path):
        raise ValueError("a path in the table's bucket is wanted; addresses in rows are not fetched")
    key = path.removeprefix("/")
    if not key:
        raise ValueError("an empty path")
    if "\0" in key or any(part in (".", "..") for part in key.split("/")):
        # Some stores and proxies take these for steps, out of the bucket even where its name is in the path.
        raise ValueError("a path without '.', '..' between slashes and without NUL characters is wanted")
    try:
        if len(key.encode()) > _KEY_BYTES:
            raise ValueError(f"a path of more than {_KEY_BYTES} bytes")
    except UnicodeEncodeError as error:
        raise ValueError("a path that is not UTF-8") from error
    return key


def _split(text: str) -> SplitResult:
    try:
        url = urlsplit(text if "://" in text else f"https://{text}")
        fits = _is_store(url)
    except ValueError:  # brackets or a port that are none
        fits = False
    if not fits:
        shown = "(with a user or password)" if "@" in text else repr(text[:_SHOWN])
        raise SchemaError(
            f"oss_endpoint {shown}: the name of a host, https://HOST, http://HOST or file://DIR is wanted"
        )
    return url


def _is_store(url: SplitResult) -> bool:
    rest = url.path.strip("/") + url.query + url.fragment
    plain = url.scheme.lower() in ("http", "https") and not rest and "@" not in url.netloc and url.port != 0
    host = url.hostname or ""
    return plain and (_HOST.fullmatch(host) is not None or _is_address(host))


def _is_address(host: str) -> bool:
    if "%" in host:  # a zone, which boto3 takes in no URL
        return False
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_machine(host: str) -> bool:
    return "." not in host or _is_address(host)


def _region(host: str) -> str:
    found = _OSS.search(host) or _S3.search(host)
    return found[1] if found else NEUTRAL_REGION
