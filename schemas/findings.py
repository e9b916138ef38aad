"""What `schema check` can say: every rule's name, its level and the sentence of the documentation."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong (error) or without the effect it has at the vendor's (warning); ``where`` is a path by names."""

    level: Level
    rule: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.level}: {self.where}: {self.message} [{self.rule}]"


ERRORS: Mapping[str, str] = MappingProxyType(
    {
        "fields-missing": "A schema has at least one field.",
        "name-identifier": "Names of fields and indexes are identifiers of the query language.",
        "name-unique": "No two fields and no two indexes share a name.",
        "field-type": "A field's type is one that this version stores; a MAP is not multi_value.",
        "index-type": "An index's type is one that the vendor's engine knows.",
        "index-field-unknown": "An index names fields that exist.",
        "inverted-index-fields": "TEXT is over one TEXT field, PACK over TEXT fields, STRING over one STRING field, "
        "NUMBER over one number field.",
        "primary-key": "There is exactly one primary key index, over exactly one field that is no picture.",
        "primary-key-type": "The key field is one STRING or integer.",
        "vector-field-type": "A vector field is FLOAT and multi_value.",
        "vector-modal": "A vector_modal is image.",
        "vector-source-unknown": "A field with vector_model has a picture field.",
        "picture-field-string": "A picture field is one STRING.",
        "picture-content-type": "A picture field's content_type is oss, or absent for Base64.",
        "oss-endpoint": "An oss_endpoint is the name of a host, https://HOST, http://HOST or file://DIR.",
        "oss-keys": "oss_access_key and oss_secret come together.",
        "vector-index-missing": "A field with vector_model has an index.",
        "vector-index-customized": "An index over a field with vector_model is CUSTOMIZED.",
        "vector-index-fields": "A CUSTOMIZED index names the key, a category field if wanted, and one vector field.",
        "vector-index-unique": "A vector field has one CUSTOMIZED index.",
        "vector-dimension-512": "An index over a field with vector_model has 512 dimensions.",
        "vector-dimension-range": "An index of pushed vectors has 1 to 4096 dimensions.",
        "distance-type": "A distance_type is SquaredEuclidean or InnerProduct.",
        "graph-parameters": "The build_index_params of an HNSW index are JSON with numbers that a graph can have.",
        "embedding-delimiter": "An embedding_delimiter can stand between numbers.",
        "category-field-type": "A category field is STRING or integer.",
    }
)
WARNINGS: Mapping[str, str] = MappingProxyType(
    {
        "indexs-from-template": "The schema has no indexs; the template's are used.",
        "no-vector-index": "Nothing in the table can be searched by vector.",
        "index-not-searched": "This version does not search an index of this type, or over pictures as Base64.",
        "vector-model-own": "A vector_model other than builtin, clip and clip_ecom has to be in the catalogue.",
        "vector-source-resolved": "vector_source_field does not exist; the only picture field is meant.",
        "oss-endpoint-setting": "A schema without oss_endpoint takes that of HAVENGATE_SOURCES__OSS_ENDPOINT.",
        "oss-bucket": "An oss_bucket is a bucket's name.",
        "oss-keys-swapped": "oss_access_key is the AccessKey id and oss_secret the secret; a document of the vendor "
        "swaps the labels.",
        "crop": "Pictures are not cropped.",
        "oss-role": "oss_use_slr and uid choose a role at the vendor's; here keys of the settings or the machine's "
        "role count.",
        "secret-in-schema": "A secret stands in the schema; it is never shown, and belongs in the environment.",
        "parameter-ignored": "Keys that are kept and written back but have no effect in this version.",
    }
)
LEVELS: Mapping[str, Level] = MappingProxyType({**dict.fromkeys(ERRORS, "error"), **dict.fromkeys(WARNINGS, "warning")})


def finding(rule: str, where: str, message: str) -> Finding:
    """A finding of a listed rule, at that rule's level. Raises KeyError for a rule that is not listed."""
    return Finding(LEVELS[rule], rule, _one_line(where), _one_line(message))


def _one_line(text: str) -> str:
    # Findings are listed one a line, and a schema may hold any name.
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
