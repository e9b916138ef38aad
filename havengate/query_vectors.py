"""What a vector term is compared with: its words or picture embedded by the index's model, or the vector of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.contract import Engine, TableSpec, at
from havengate.codes import HaCode
from havengate.errors import ModelError, Moved, RequestError, UnknownGeneration
from havengate.images import decode_base64, decode_picture
from havengate.types import PicturePayload, StoredIdPayload, TextPayload, VectorPayload, VectorTerm
from havengate.values import canonical_key

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from embedding.service import EmbeddingService
    from havengate.setting_groups import LimitSettings
    from havengate.types import Row

    Vectors = npt.NDArray[np.float32]
    """float32 [m, dimension]"""


class QueryVectors:
    """Vectors of terms, for one engine and model service."""

    def __init__(self, engine: Engine, embedding: EmbeddingService, limits: LimitSettings) -> None:
        self._engine = engine
        self._embedding = embedding
        self._limits = limits

    def of(self, term: VectorTerm, spec: TableSpec) -> Vectors:
        """The term's query vectors, float32 [m, dimension]."""
        import numpy as np

        match term.payload:
            case VectorPayload(vectors):
                return np.array(vectors, dtype=np.float32)
            case TextPayload(text):
                return self._embed_text(text, term, spec)[np.newaxis]
            case PicturePayload(base64, crop):
                return self._embed_picture(base64, term, spec, crop=crop)
            case StoredIdPayload(pk):
                return self._stored_vector(pk, term, spec)[np.newaxis]

    def _embed_text(self, text: str, term: VectorTerm, spec: TableSpec) -> Vectors:
        if len(text) > self._limits.text_chars:
            raise RequestError(
                f"the text has {len(text)} characters, the most is {self._limits.text_chars}",
                code=HaCode.QUERY_INVALID,
                span=term.span,
            )
        return self._embedding.embed_text(self._model(term, spec), text)

    def _embed_picture(self, base64: str, term: VectorTerm, spec: TableSpec, *, crop: bool) -> Vectors:
        model = self._model(term, spec)
        try:
            picture = decode_picture(decode_base64(base64), self._limits)
        except RequestError as error:
            error.span = term.span
            raise
        if crop:
            picture = self._embedding.crop_main_object(picture)
        return self._embedding.embed_pictures(model, [picture])

    def _model(self, term: VectorTerm, spec: TableSpec) -> str:
        """The index's model, once it is sure that the rows were made with the very same."""
        model = spec.schema.vector_indexes[term.index].model
        if model is None:
            raise RequestError(f"index {term.index!r} has no model", code=HaCode.INDEX_TYPE_INVALID, span=term.span)
        check_fingerprint(spec, term.index, self._embedding)
        return model

    def _stored_vector(self, pk: str, term: VectorTerm, spec: TableSpec) -> Vectors:
        field = spec.schema.vector_indexes[term.index].field
        key = canonical_key(spec.schema, pk)
        row = stored_rows(self._engine, spec, [key], [field]).get(key)
        if row is None or field not in row.vectors:
            raise RequestError(f"no row {pk!r} with a vector", code=HaCode.QUERY_INVALID, span=term.span)
        return row.vectors[field]


def stored_rows(engine: Engine, spec: TableSpec, pks: list[str], vector_fields: list[str]) -> dict[str, Row]:
    """Rows of the very generation that a specification is of. Raises Moved where it is gone."""
    address = at(spec.table, spec.generation) if spec.generation else spec.name
    try:
        return engine.fetch(address, pks, vector_fields)
    except UnknownGeneration as error:
        raise Moved(f"table {spec.table!r} was rebuilt while it was read") from error


def check_fingerprint(spec: TableSpec, index: str, embedding: EmbeddingService) -> None:
    """Raises ModelError where the rows of an index were made with another model than the one at hand."""
    model = spec.schema.vector_indexes[index].model
    recorded = spec.fingerprints.get(index)
    if model is None or recorded is None:
        return
    now = embedding.fingerprint(model)
    if now.space != recorded.space:
        raise ModelError(
            f"index {index!r} of table {spec.table!r} was built with {recorded.space}, model {model!r} is now "
            f"{now.space}: the table has to be built again (havengate table rebuild {spec.table})"
        )
