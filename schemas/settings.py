"""Settings of one table that the vendor's schema has no place for."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from havengate.errors import SettingsError


class TableSettings(BaseModel):
    """``table create --set key=value`` and ``table set NAME key=value``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Literal["auto", "plain", "base64"] = Field("auto", description="how the text of a vector term is read")
    strict: bool = Field(False, description="what the HA3 engine silently drops is an error instead of a warning")
    store_source: bool = Field(True, description="keep pushed Base64 pictures so that clients can ask for them")
    source: str = Field("", description="where `table rebuild --from-source` reads the rows")
    rebuild: Literal["manual", "auto"] = Field(
        "manual", description="auto: the table is rebuilt when a new partition of its MaxCompute source appears"
    )

    image_tokens: int = Field(
        1,
        ge=1,
        le=2**32 - 1,
        description="the series of /images tokens that is taken, random for a new table; `havengate images revoke` "
        "begins the next",
    )

    def with_pairs(self, pairs: tuple[str, ...]) -> TableSettings:
        """A copy with ``key=value`` pairs applied. Raises SettingsError naming the pair."""
        changes = dict(pair.partition("=")[::2] for pair in pairs)
        try:
            return TableSettings.model_validate({**self.model_dump(), **changes})
        except ValidationError as error:
            first = error.errors()[0]
            known = ", ".join(TableSettings.model_fields)
            raise SettingsError(f"table setting {first['loc'][0]!r}: {first['msg']} (settings: {known})") from error
