"""The healthcheck clause."""

from __future__ import annotations

from havengate.codes import HaCode
from havengate.errors import RequestError
from havengate.types import Span
from query_parser.clause_nodes import HealthCheck
from query_parser.clauses import pair, pieces
from query_parser.nodes import Remark, Text
from query_parser.numbers import int32


def parse_health_check(text: str, span: Span, _remarks: list[Remark]) -> HealthCheck:
    """Raises RequestError 2050, 2051, 2053, 2054."""
    check: bool | None = None
    numbers: dict[str, int] = {}
    if not any(pieces(text, span, ",")):
        raise RequestError("the healthcheck clause is empty", code=HaCode.HEALTHCHECK_CLAUSE, span=span)
    for piece in pieces(text, span, ","):
        key, value = pair(text, piece, ":", HaCode.HEALTHCHECK_CLAUSE, "healthcheck")
        match key.text:
            case "check":
                if value.text.lower() not in ("true", "false"):
                    raise _wrong(key, value, "true or false", HaCode.HEALTHCHECK_CHECK_FLAG)
                check = value.text.lower() == "true"
            case "check_times":
                numbers[key.text] = _number(key, value, HaCode.HEALTHCHECK_CHECK_TIMES)
            case "recover_time":
                numbers[key.text] = _number(key, value, HaCode.HEALTHCHECK_RECOVER_TIME)
            case other:
                message = f"healthcheck has no key {other[:80]!r}"
                raise RequestError(message, code=HaCode.HEALTHCHECK_CLAUSE, span=key.span)
    return HealthCheck(check, numbers.get("check_times"), numbers.get("recover_time"))


def _number(key: Text, value: Text, code: HaCode) -> int:
    found = int32(value.text)
    if found is None or found < 0:
        raise _wrong(key, value, "a whole number from 0 to 2^31 - 1", code)
    return found


def _wrong(key: Text, value: Text, expects: str, code: HaCode) -> RequestError:
    return RequestError(f"{key.text} takes {expects}, not {value.text[:80]!r}", code=code, span=value.span)
