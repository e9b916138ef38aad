"""Settings: environment variables with the prefix HAVENGATE_, nested with ``__``.

Built once by an entry point and passed down; nothing else reads the environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

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


class _KnownVariables(EnvSettingsSource):
    """The environment without the variables that are no settings: they are told by name, with what was meant."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name: text for name, text in super()._load_env_vars().items() if name.upper() in _variables()}


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

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  pydantic's own signature
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _KnownVariables(settings_cls)

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
        """AccessKey id and secret of the blobs' bucket; None: what boto3 finds. Raises SettingsError for a half."""
        given = (self.blobs.access_key_id, self.blobs.access_key_secret.get_secret_value())
        ambient = (self.sources.oss_access_key_id, self.sources.oss_access_key_secret.get_secret_value())
        keys = given if any(given) else ambient
        if any(keys) and not all(keys):
            raise SettingsError("HAVENGATE_BLOBS__URL: of its AccessKey's id and secret only one is set")
        return keys if all(keys) else None


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment; ``overrides`` win.

    Raises SettingsError naming every variable that is wrong, or that is no setting and begins with HAVENGATE_, a line
    each. Whether they fit each other and the machine is havengate.preflight's to say.
    """
    settings, problems = read_settings(**overrides)
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def read_settings(**overrides: object) -> tuple[Settings, list[str]]:
    """As ``load_settings``, with a line for each problem; what is wrong has its default."""
    problems = [_unknown(name) for name in _unknown_names()]
    try:
        return Settings(**overrides), problems  # type: ignore[arg-type]
    except ValidationError as error:
        wrong = {each["loc"]: each["msg"].removeprefix("Value error, ") for each in error.errors()}
    problems += [f"HAVENGATE_{'__'.join(map(str, place)).upper()}: {says}" for place, says in wrong.items()]
    return Settings(**_defaults(wrong)), problems


def _defaults(places: Iterable[tuple[int | str, ...]]) -> dict[str, Any]:
    """The defaults of these settings, as overrides."""
    found: dict[str, Any] = {}
    for place in places:
        name = str(place[0])
        default = Settings.model_fields[name].get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            found.setdefault(name, {})[str(place[1])] = getattr(default, str(place[1]))
        else:
            found[name] = default
    return found


def _unknown_names() -> list[str]:
    known = _variables()
    given = (name for name in os.environ if name.upper().startswith("HAVENGATE_"))
    return sorted(n for n in given if n.upper() not in known and not n.upper().startswith("HAVENGATE_TEST_"))


def _unknown(name: str) -> str:
    begin = "HAVENGATE_"
    near = get_close_matches(name.upper()[len(begin) :], [known[len(begin) :] for known in _variables()], n=1)
    hint = f"did you mean {begin}{near[0]}?" if near else "docs/settings.md lists them all"
    return f"no such setting: {name} ({hint})"


@cache
def _variables() -> frozenset[str]:
    return frozenset(variable for variable, _, _ in describe_settings(Settings.model_construct()))


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
