"""Random rows of a small table, for what is computed over pools."""

import polars as pl
from hypothesis import strategies as st

from engines.frames.columns import column, columns
from havengate.types import FIELDS, KEY, PK
from schemas.table import FieldSpec, FieldType, TableSchema

SPECS = (
    FieldSpec("id", FieldType.INT64),
    FieldSpec("shop", FieldType.STRING),
    FieldSpec("size", FieldType.INT64),
    FieldSpec("stock", FieldType.UINT64),
    FieldSpec("price", FieldType.FLOAT),
    FieldSpec("weight", FieldType.DOUBLE),
    FieldSpec("labels", FieldType.STRING, multi_value=True),
    FieldSpec("sizes", FieldType.INT32, multi_value=True),
)
SCHEMA = TableSchema({spec.name: spec for spec in SPECS}, "id", {})
PRICES = st.sampled_from([-1.5, -0.0, 0.0, 0.25, 1.0, 2.0, 1e10])
FIELDS_OF_A_ROW = {
    "shop": st.sampled_from(["a", "b", "B", "", "é", "\U0001f600", "\uffff"]),
    "size": st.integers(-3, 3) | st.sampled_from([2**63 - 1, -(2**63), 2**53, 2**53 + 1]),
    "stock": st.integers(0, 3) | st.just(2**64 - 1),
    "price": PRICES,
    "weight": PRICES | st.sampled_from([0.1, 0.2, 0.3, 1e300, -1e300, 1e16]),
    "labels": st.lists(st.sampled_from("xyz"), max_size=3),
    "sizes": st.lists(st.integers(-2, 2), max_size=3),
}


@st.composite
def tables(draw, most=25):
    """Rows with keys of their own in no order; each may lack any field."""
    rows = draw(st.lists(st.fixed_dictionaries({}, optional=FIELDS_OF_A_ROW), max_size=most))
    keys = draw(st.permutations(range(len(rows))))
    return [{"id": key, **row} for key, row in zip(keys, rows, strict=True)]


def frame_of(rows):
    key = column(SCHEMA.fields["id"], rows)
    stored = pl.Series(FIELDS, ["{}"] * len(rows), dtype=pl.String)
    fields = columns(SCHEMA, SCHEMA.attribute_fields, rows)
    return pl.DataFrame([key.cast(pl.String).alias(PK), key.alias(KEY), stored, *fields])
