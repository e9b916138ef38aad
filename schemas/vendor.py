"""The vendor's table-schema JSON: read as it stands, written back JSON-equal.

The shape is that of the vendor's documents "Solution for image search" and "Best practices for vectorized
image retrieval"; type names and aliases are those of havenask (indexlib/config/FieldConfig.cpp), which
compares them without case.
"""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Discriminator, Field, PlainValidator, Tag, ValidationError

from havengate.errors import SchemaError
from schemas.table import FieldType

TYPE_ALIASES = {"INTEGER": FieldType.INT32, "LONG": FieldType.INT64}
PRIMARY_KEY_TYPES = frozenset({"PRIMARYKEY64", "PRIMARYKEY128", "PRIMARYKEY"})
INVERTED_TYPES = frozenset(
    {"NUMBER", "STRING", "TEXT", "PACK", "EXPACK", "ENUM", "PROPERTY", "TRIE", "SPATIAL", "DATE", "RANGE"}
)
MAX_DEPTH = 64
"""Levels of nesting; a schema of the vendor has six."""
MASK = "******"
_SECRET_WORDS = ("secret", "password", "accesskey")


def _flag(value: object) -> bool | str:
    if isinstance(value, bool) or value in ("true", "false"):
        return value
    raise ValueError('should be true, false, "true" or "false"')


def _whole(value: object) -> int | str:
    if isinstance(value, int | str) and not isinstance(value, bool):
        return value
    raise ValueError("should be a whole number, or one as text")


Flag = Annotated[bool | str, PlainValidator(_flag)]
"""A boolean, or one as text, kept in the form it came in."""
Whole = Annotated[int | str, PlainValidator(_whole)]
"""A whole number, or one as text, kept in the form it came in."""


class _Open(BaseModel):
    # Keys that this version does not know are the user's: kept and written back. Inputs stay out of errors
    # because a schema may hold secrets.
    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    @property
    def extra_keys(self) -> frozenset[str]:
        return frozenset(self.__pydantic_extra__ or ())

    def extra_value(self, key: str) -> object:
        """The value of a key outside the model, None where it is not given."""
        return (self.__pydantic_extra__ or {}).get(key)


class UserDefinedParam(_Open):
    """Advanced settings of a vector field (``vector_*``) or of a picture field (the others)."""

    vector_model: str | None = None
    vector_modal: str | None = None
    vector_source_field: str | None = None
    content_type: str | None = None
    oss_endpoint: str | None = None
    oss_bucket: str | None = None
    oss_access_key: str | None = Field(None, repr=False)
    oss_secret: str | None = Field(None, repr=False)

    @property
    def uses_role(self) -> bool:
        """Whether oss_use_slr asks for a role in place of keys; it may come as a boolean or as text."""
        return str(self.extra_value("oss_use_slr")).lower() == "true"

    @property
    def has_keys(self) -> bool:
        """Whether keys of an account are given and count."""
        return bool(self.oss_access_key or self.oss_secret) and not self.uses_role


class VendorField(_Open):
    field_name: str
    field_type: str
    multi_value: Flag = False
    user_defined_param: UserDefinedParam | None = Field(None, repr=False)

    @property
    def stored_type(self) -> FieldType | None:
        """None for a type that this version does not store."""
        name = self.field_type.upper()
        return TYPE_ALIASES.get(name) or (FieldType(name) if name in FieldType.__members__ else None)

    @property
    def multi(self) -> bool:
        return self.multi_value in (True, "true")

    @property
    def param(self) -> UserDefinedParam:
        return self.user_defined_param or UserDefinedParam()

    @property
    def model(self) -> str | None:
        return self.param.vector_model

    @property
    def is_vector_shaped(self) -> bool:
        return self.stored_type is FieldType.FLOAT and self.multi

    @property
    def is_key_shaped(self) -> bool:
        kind = self.stored_type
        return not self.multi and kind is not None and (kind.is_integer or kind is FieldType.STRING)


class IndexField(_Open):
    field_name: str


class IndexParameters(_Open):
    dimension: Whole | None = None
    distance_type: str | None = None
    embedding_delimiter: str | None = None


def _form(value: object) -> str:
    return "<list>" if isinstance(value, list) else "<name>"


IndexFields = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[list[IndexField], Tag("<list>")],
    Discriminator(_form),
]


class VendorIndex(_Open):
    index_name: str
    index_type: str
    index_fields: IndexFields
    parameters: IndexParameters | None = None

    @property
    def kind(self) -> Literal["primary", "vector", "inverted"] | None:
        """None for a type that the vendor's engine does not know."""
        name = self.index_type.upper()
        if name in PRIMARY_KEY_TYPES:
            return "primary"
        if name == "CUSTOMIZED":
            return "vector"
        return "inverted" if name in INVERTED_TYPES else None

    @property
    def field_names(self) -> list[str]:
        fields = self.index_fields
        return [fields] if isinstance(fields, str) else [field.field_name for field in fields]

    @property
    def settings(self) -> IndexParameters:
        return self.parameters or IndexParameters()


class VendorSchema(_Open):
    """One table's schema as the vendor writes it; what it says is judged by schemas.rules."""

    fields: list[VendorField] = Field(default_factory=list)
    indexs: list[VendorIndex] = Field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The JSON that came in; a fragment comes back as the object that it stands for. Holds secrets."""
        return self.model_dump(exclude_unset=True)


def read_schema(text: str | bytes) -> VendorSchema:
    """The schema in a JSON object, or in the vendor's form without the outer braces (``"fields": […]``).

    Raises SchemaError with the line and column of broken JSON, or the path of a value of the wrong type.
    """
    data = _load(_decode(text))
    if not isinstance(data, dict):
        raise SchemaError('line 1 column 1: a table schema is a JSON object with "fields"')
    if _deeper(data, MAX_DEPTH):
        raise SchemaError(f"nested deeper than {MAX_DEPTH} levels")
    try:
        return VendorSchema.model_validate(data)
    except ValidationError as error:
        lines = (f"{_path(e['loc'])}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors())
        raise SchemaError("\n".join(lines)) from error


def schema_public(vendor: VendorSchema) -> dict[str, Any]:
    """``to_json()``, ``masked``."""
    public = masked(vendor.to_json())
    if not isinstance(public, dict):
        raise TypeError(public)
    return public


def is_secret(key: str) -> bool:
    plain = key.lower().replace("_", "").replace("-", "")
    return any(word in plain for word in _SECRET_WORDS)


def masked(value: object) -> object:
    """JSON with the value of every key that names a secret masked, at any depth."""
    if isinstance(value, dict):
        return {key: MASK if is_secret(key) and item else masked(item) for key, item in value.items()}
    return [masked(item) for item in value] if isinstance(value, list) else value


def _decode(text: str | bytes) -> str:
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SchemaError(f"byte {error.start}: a table schema is UTF-8 text") from error


def _load(text: str) -> object:
    braces = text.lstrip().startswith('"')
    try:
        return json.loads(f"{{{text}}}" if braces else text, parse_constant=_no_number, parse_float=_finite)
    except json.JSONDecodeError as error:
        at = min(error.pos - braces, len(text))
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        raise SchemaError(f"line {line} column {column}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"not usable as JSON: {error}") from error


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    # 1e999 reads as infinity, which cannot be written back as JSON.
    return number if math.isfinite(number := float(text)) else _no_number(text)


def _deeper(value: object, levels: int) -> bool:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_deeper(item, levels - 1) for item in items)


def _path(location: tuple[int | str, ...]) -> str:
    """``("fields", 1, "field_name")`` -> ``fields[1].field_name``; union tags are left out."""
    parts = (part for part in location if not str(part).startswith("<"))
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in parts).removeprefix(".") or "schema"
