"""A table's specification as JSON text and back, exactly."""

from __future__ import annotations

import json
from functools import cache

from pydantic import TypeAdapter, ValidationError

from engines.contract import TableSpec
from havengate.errors import UnfitTable

FORMAT = 1


def encode_spec(spec: TableSpec) -> str:
    """Without the generation, which is known by where the text is found."""
    content = _adapter().dump_python(spec, mode="json", exclude={"generation"})
    return json.dumps({"format": FORMAT, **content}, ensure_ascii=False)


def decode_spec(text: str, where: str) -> TableSpec:
    """Raises UnfitTable naming ``where`` when the text is damaged or was written by a newer version."""
    try:
        content = json.loads(text)
        written = content["format"]
        if written == FORMAT:
            return _adapter().validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise _damaged(where, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(where, repr(error)) from error
    raise UnfitTable(f"{where} has format {written}, this version reads {FORMAT}; use a newer version of havengate")


@cache
def _adapter() -> TypeAdapter[TableSpec]:
    """Built once: that costs more than using it, and the specifications of a cluster are read every few seconds."""
    return TypeAdapter(TableSpec)


def _damaged(where: str, why: str) -> UnfitTable:
    return UnfitTable(f"{where} is damaged ({why}); restore it from a backup")
