"""boto3's exceptions as this project's errors: what one object is to blame for, and what its store is."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from havengate.errors import DocumentError, HavengateError, SourceAway, SourceChanged, SourceError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_CODE = re.compile(r"[A-Za-z0-9.]{1,64}")
_DENIED = frozenset({"AccessDenied", "Forbidden", "403"})
_OF_THE_OBJECT = {
    "KeyTooLongError": "its path is too long for the store",
    "InvalidObjectName": "the store takes no such path",
    "InvalidURI": "the store takes no such path",
    "InvalidObjectState": "it is archived and has to be restored first",
    "MethodNotAllowed": "it was deleted",
}
_PASSING = frozenset({"RequestTimeout", "RequestLimitExceeded", "SlowDown", "Throttling", "ThrottlingException"})
_PASSING_STATUS = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_WHY = {
    "NoSuchBucket": "there is no such bucket",
    "InvalidAccessKeyId": "it does not know the AccessKey id",
    "SignatureDoesNotMatch": "the AccessKey secret does not belong to the id, or the region is another",
    "RequestTimeTooSkewed": "the clocks of this machine and of the store differ",
    "ExpiredToken": "the credentials have expired",
    "SecurityTokenExpired": "the credentials have expired",
    "PermanentRedirect": "the bucket is at another endpoint",
    "SecondLevelDomainForbidden": "the bucket's name has to stand in the host's name",
}


class Unclear(DocumentError):
    """An object that cannot be read, where the answer does not tell whether the whole bucket cannot."""


class Missing(DocumentError):
    """The store knows that there is no such object."""


class BrokenOff(DocumentError):
    """An object whose bytes did not come, however often it was asked for."""


def failures() -> tuple[type[Exception], ...]:
    """What a call of a boto3 client raises."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    return BotoCoreError, ClientError, ResponseParserError


def body_failures() -> tuple[type[Exception], ...]:
    """What reading the body of an answer raises."""
    from botocore.exceptions import BotoCoreError
    from urllib3.exceptions import HTTPError

    return BotoCoreError, HTTPError, OSError


def silence(error: Exception) -> int:
    """How much a call without an answer says of the store: 2 nobody was there, 1 nothing came, 0 it had an answer."""
    from botocore import exceptions

    if isinstance(error, (exceptions.ConnectTimeoutError, exceptions.EndpointConnectionError)):
        return 2
    return int(isinstance(error, exceptions.HTTPClientError))


def translated(error: Exception, store: str) -> HavengateError:
    """The error of a call about an object or, as SourceError, about ``store``, which is its name in messages."""
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        return _refused(error, store)
    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        return SourceError(
            f"{store}: no credentials; they belong in the schema (oss_access_key, oss_secret),"
            " in HAVENGATE_SOURCES__OSS_ACCESS_KEY_ID and _SECRET, or in the machine's role"
        )
    if isinstance(error, exceptions.SSLError):
        return SourceError(f"{store}: no trusted connection (TLS)")
    passing = (exceptions.HTTPClientError, exceptions.CredentialRetrievalError, exceptions.MetadataRetrievalError)
    if isinstance(error, (*passing, exceptions.ConnectionError)):
        return SourceAway(f"{store} cannot be reached ({type(error).__name__})")
    return SourceError(f"{store}: not read ({type(error).__name__})")


def _refused(error: ClientError, store: str) -> HavengateError:
    code, status = _code(error.response), _status(error.response)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _PASSING_STATUS or code in _PASSING:
        return SourceAway(f"{store} does not answer now ({code}, status {status})")
    if status == HTTPStatus.PRECONDITION_FAILED:
        return SourceChanged(f"{store}: the object is not what it was")
    if code in _DENIED:
        return Unclear(f"access is denied ({code})")
    if code in _OF_THE_OBJECT:
        return DocumentError(f"{_OF_THE_OBJECT[code]} ({code})")
    if status == HTTPStatus.NOT_FOUND and code != "NoSuchBucket":
        # Every web server answers like this, but without a code.
        kind = Unclear if code == str(status) else Missing
        return kind("no such object in the bucket")
    return SourceError(f"{store}: {_WHY.get(code, 'refused')} ({code}, status {status})")


def _code(response: Any) -> str:
    code = str(response.get("Error", {}).get("Code", ""))
    return code if _CODE.fullmatch(code) else "unknown"


def _status(response: Any) -> int:
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
