"""Settings: environment variables with the prefix HAVENGATE_, nested with ``__``.

Built once by an entry point and passed down; nothing else reads the environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from havengate.errors import SettingsError
from havengate.setting_groups import (
    DATA_DIR,
    AuthSettings,
    BlobSettings,
    EmbeddingSettings,
    EngineSettings,
    ImageSettings,
    JobSettings,
    LimitSettings,
    LogSettings,
    PushSettings,
    RecallSettings,
    ServerSettings,
    SourceSettings,
)


class Settings(BaseSettings):
    """All settings with their defaults. ``havengate config`` prints them with secrets masked."""

    model_config = SettingsConfigDict(
        env_prefix="HAVENGATE_", env_nested_delimiter="__", extra="ignore", frozen=True, env_ignore_empty=True
    )

    data_dir: Path = Field(DATA_DIR, description="tables, blobs and the server's own files")
    default_table: str | None = Field(None, description="table meant by cluster=general or by no cluster clause")
    index_aliases: str = Field("image_index", description="comma-separated names that mean a table's only vector index")
    engine: EngineSettings = EngineSettings()
    auth: AuthSettings = AuthSettings()
    limits: LimitSettings = LimitSettings()
    push: PushSettings = PushSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    server: ServerSettings = ServerSettings()
    jobs: JobSettings = JobSettings()
    sources: SourceSettings = SourceSettings()
    blobs: BlobSettings = BlobSettings()
    images: ImageSettings = ImageSettings()
    log: LogSettings = LogSettings()
    recall: RecallSettings = RecallSettings()

    @model_validator(mode="after")
    def _models_with_the_data(self) -> Settings:
        if "models_dir" not in self.embedding.model_fields_set:
            given = self.embedding.model_copy(update={"models_dir": self.data_dir / "models"})
            # The settings are frozen for everyone else.
            object.__setattr__(self, "embedding", given)
        return self

    @property
    def alias_set(self) -> frozenset[str]:
        return frozenset(name.strip() for name in self.index_aliases.split(",") if name.strip())

    def blob_keys(self) -> tuple[str, str] | None:
        """AccessKey id and secret of the blobs' bucket; None: what boto3 finds."""
        given = (self.blobs.access_key_id, self.blobs.access_key_secret.get_secret_value())
        ambient = (self.sources.oss_access_key_id, self.sources.oss_access_key_secret.get_secret_value())
        keys = given if any(given) else ambient
        return keys if all(keys) else None


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment; ``overrides`` win.

    Raises SettingsError naming every variable that is wrong, or that is no setting and begins with HAVENGATE_.
    """
    _check_names()
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [f"HAVENGATE_{'__'.join(str(p) for p in e['loc']).upper()}: {e['msg']}" for e in error.errors()]
        raise SettingsError("; ".join(lines)) from error


def _check_names() -> None:
    known = {variable for variable, _, _ in describe_settings(Settings.model_construct())}
    given = (name for name in os.environ if name.upper().startswith("HAVENGATE_"))
    unknown = [name for name in given if name.upper() not in known and not name.upper().startswith("HAVENGATE_TEST_")]
    if unknown:
        raise SettingsError(f"no such setting: {', '.join(sorted(unknown))} (docs/settings.md lists them all)")


def describe_settings(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """(environment variable, value with secrets masked, description) of every setting."""
    yield from _describe(settings, "HAVENGATE_")


def _describe(group: BaseModel, prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, info in type(group).model_fields.items():
        value = getattr(group, name)
        if isinstance(value, BaseModel):
            yield from _describe(value, f"{prefix}{name.upper()}__")
        else:
            secret = value if name == "users" else isinstance(value, SecretStr) and value.get_secret_value()
            yield f"{prefix}{name.upper()}", "********" if secret else _text(value), info.description or ""


def _text(value: object) -> str:
    return "" if value is None else str(value)
