"""A table's specification as JSON text and back, exactly."""

from __future__ import annotations

import json

from pydantic import TypeAdapter, ValidationError

from engines.contract import TableSpec
from havengate.errors import EngineError

FORMAT = 1


def encode_spec(spec: TableSpec) -> str:
    return json.dumps({"format": FORMAT, **TypeAdapter(TableSpec).dump_python(spec, mode="json")}, ensure_ascii=False)


def decode_spec(text: str, where: str) -> TableSpec:
    """Raises EngineError naming ``where`` when the text is damaged or was written by a newer version."""
    try:
        content = json.loads(text)
        if content.pop("format") != FORMAT:
            raise EngineError(f"{where} was written by a newer version of havengate")
        return TypeAdapter(TableSpec).validate_python(content)
    except (ValueError, KeyError, AttributeError, ValidationError) as error:
        raise EngineError(f"{where} is damaged ({error}); restore it from a backup") from error
