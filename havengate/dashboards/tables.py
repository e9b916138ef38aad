"""What one table looks like: its index pattern with pictures, its rows as a saved search, its categories. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from engines.opensearch.mapping import INTERNAL, mappings, shown_name
from havengate.dashboards.charts import by_terms, chart, rows
from havengate.dashboards.objects import Json, SavedObject, of_index, search_source
from havengate.dashboards.patterns import index_pattern, mapped_fields, scripted_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from engines.contract import TableSpec
    from havengate.setting_groups import EngineSettings
    from schemas.table import FieldSpec, TableSchema

PICTURE = "picture"
SIZE = 160
"""Pixels of the longer side of a picture in a table."""
_COLUMNS = 8
_CATEGORIES = 20


@dataclass(frozen=True, slots=True)
class Table:
    """A table to be shown; ``picture_url`` is that of its pictures, up to the id, and ``token`` opens them."""

    spec: TableSpec
    alias: str
    picture_url: str
    token: str

    @property
    def name(self) -> str:
        return self.spec.table

    @property
    def schema(self) -> TableSchema:
        return self.spec.schema


def picture_url(gateway: str, table: str) -> str:
    return f"{gateway}/images/{quote(table, safe='')}"


def table_objects(table: Table, settings: EngineSettings) -> tuple[SavedObject, ...]:
    """The index pattern first, then the rows, then the categories where the schema has a field for them."""
    pattern = table_pattern(table, settings)
    return (pattern, _rows(table, pattern), *_categories(table, pattern))


def table_pattern(table: Table, settings: EngineSettings) -> SavedObject:
    """Over the table's alias, so that a rebuild, which moves it, changes nothing here."""
    properties = mappings(table.spec, settings)["properties"]
    pictures = _pictures(table.schema)
    return index_pattern(
        table.alias,
        [
            *(scripted_field(name, _key_script(table.schema)) for name in pictures),
            *mapped_fields(properties),
        ],
        formats={name: _picture_format(table, field) for name, field in pictures.items()},
        # With a dot the object would stay, empty; no field of a schema begins like this.
        hidden=[f"{INTERNAL}*"],
    )


def category_field(schema: TableSchema) -> FieldSpec | None:
    """What rows are counted by: the category of a vector index, else the first integer or STRING of one value that is
    neither the key nor a picture's source. How many different values a field has, no schema says.
    """
    named = [index.category_field for index in schema.vector_indexes.values() if index.category_field]
    if named:
        return schema.fields[named[0]]
    sources = _source_fields(schema)
    fields = (field for field in schema.attribute_fields.values() if not field.multi_value)
    able = (field for field in fields if field.name != schema.primary_key and field.name not in sources)
    return next((field for field in able if field.type.is_integer or field.type == "STRING"), None)


def columns(schema: TableSchema) -> list[str]:
    """Pictures, then what reads best: TEXT, STRING, the key, and the other fields in the schema's order."""
    sources, pictures = _source_fields(schema), _pictures(schema)
    # A MAP is not indexed at the top of a document, and Dashboards has no column for what is not.
    able = (field for field in schema.attribute_fields.values() if field.type != "MAP")
    fields = [field for field in able if field.name not in sources]
    ordered = sorted(fields, key=lambda field: _rank(field, schema.primary_key))
    return [*pictures, *(shown_name(field.name) for field in ordered)][:_COLUMNS]


def _rank(field: FieldSpec, key: str) -> int:
    if field.name == key:
        return 2
    return {"TEXT": 0, "STRING": 1}.get(field.type.value, 3)


def _rows(table: Table, pattern: SavedObject) -> SavedObject:
    attributes = {
        "title": f"{table.name}: rows",
        "description": f"The rows of the havengate table {table.name}.",
        "hits": 0,
        "columns": columns(table.schema),
        "sort": [[shown_name(table.schema.primary_key), "asc"]],
        "version": 1,
        "kibanaSavedObjectMeta": search_source(),
    }
    return SavedObject("search", f"{pattern.id}.rows", attributes, of_index(pattern))


def _categories(table: Table, pattern: SavedObject) -> Iterator[SavedObject]:
    field = category_field(table.schema)
    if field is not None:
        name = shown_name(field.name)
        counted = [rows("rows"), by_terms(name, _CATEGORIES, field.name)]
        title = f"{table.name}: rows by {field.name}"
        yield chart(f"{pattern.id}.categories", title, "horizontal_bar", pattern, counted)


def _pictures(schema: TableSchema) -> dict[str, str]:
    """Fields that pictures come from, by the scripted field that shows those; the first one is `picture`."""
    taken = {shown_name(name) for name in schema.attribute_fields}
    named: dict[str, str] = {}
    for field in _source_fields(schema):
        named[_free(f"{PICTURE}_{field}" if named else PICTURE, taken | {*named})] = field
    return named


def _free(name: str, taken: Iterable[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _source_fields(schema: TableSchema) -> list[str]:
    """In the order of the vector indexes, each once."""
    sources = (index.source for index in schema.vector_indexes.values())
    return list(dict.fromkeys(source.field for source in sources if source is not None))


def _key_script(schema: TableSchema) -> str:
    """As text: a browser's numbers are exact to 2**53 only."""
    return f"doc['{shown_name(schema.primary_key)}'].value.toString()"


def _picture_format(table: Table, field: str) -> Json:
    """Dashboards puts the row's key, escaped for a URL, where {{value}} stands."""
    which = "" if len(_pictures(table.schema)) == 1 else f"&field={quote(field, safe='')}"
    template = f"{table.picture_url}/{{{{value}}}}?token={table.token}&size={SIZE}{which}"
    params = {"type": "img", "urlTemplate": template, "labelTemplate": "{{value}}", "width": str(SIZE)}
    return {"id": "url", "params": params | {"height": str(SIZE)}}
