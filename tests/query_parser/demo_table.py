"""A demo table, and the two stages run one after the other."""

from dataclasses import dataclass, field

from havengate.errors import UnknownTable
from query_parser.parse import parse_request
from query_parser.plan import plan_request
from schemas.settings import TableSettings
from schemas.table import FieldSpec, FieldType, PictureSource, TableSchema, TermIndex, VectorIndex


def schema(**index):
    fields = [
        FieldSpec("id", FieldType.INT64),
        FieldSpec("cate_id", FieldType.INT64),
        FieldSpec("title", FieldType.STRING),
        FieldSpec("tags", FieldType.MAP),
        FieldSpec("picture", FieldType.STRING),
        FieldSpec("picture_vector", FieldType.FLOAT, multi_value=True),
    ]
    options = {"category_field": "cate_id", "source": PictureSource("picture", "base64"), **index}
    vector = VectorIndex("vector", "picture_vector", 3, "SquaredEuclidean", **options)
    names = TermIndex("names", "STRING", ("title",))
    return TableSchema({spec.name: spec for spec in fields}, "id", {"vector": vector}, {"names": names})


@dataclass
class Table:
    name: str = "demo"
    schema: TableSchema = field(default_factory=schema)
    settings: TableSettings = field(default_factory=TableSettings)


def resolver(*tables):
    """Finds tables by name; no name and ``general`` mean the first."""
    known = {table.name: table for table in tables}

    def resolve(cluster, span):
        if cluster in (None, "general"):
            return tables[0]
        if cluster not in known:
            raise UnknownTable(f"no table {cluster!r}", span=span)
        return known[cluster]

    return resolve


def plan(text, *tables, window=5000, **options):
    resolve = resolver(*(tables or (Table(),)))
    aliases = frozenset({"image_index"})
    return plan_request(parse_request(text), resolve, index_aliases=aliases, window=window, **options)
