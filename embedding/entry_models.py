"""Catalogue files as they are read: every wrong key is named with its file and place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from embedding.entry import Family, ModelEntry, Part, Preprocessing, TextKind
from havengate.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"
OWN = "own"
_SIDE = 4096

_WORDS = r"\w[\w-]*(\.[\w-]+)*"
Repository = Annotated[str, Field(pattern=rf"^{_WORDS}/{_WORDS}$", max_length=200)]
Revision = Annotated[str, Field(pattern=rf"^{_WORDS}(/{_WORDS})*$", max_length=200)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Picture(_Strict):
    repository: Repository
    revision: Revision = "main"

    def part(self) -> Part:
        return Part(self.repository, self.revision)


class _Text(_Picture):
    kind: TextKind

    def part(self) -> Part:
        return Part(self.repository, self.revision, self.kind)


class _Preprocessing(_Strict):
    size: int = Field(ge=16, le=_SIDE)
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @model_validator(mode="after")
    def _divisible(self) -> _Preprocessing:
        if min(self.std) <= 0:
            raise ValueError("std has three numbers above 0")
        return self


class _Entry(_Strict):
    name: str = Field(pattern=NAME)
    family: Family
    dimension: int = Field(ge=1, le=_SIDE)
    licence: str = "unknown"
    picture: _Picture | None = None
    texts: dict[Annotated[str, Field(pattern=NAME)], _Text] = Field(default_factory=dict)
    text: str | None = None
    preprocessing: _Preprocessing | None = None
    local: bool = False

    @model_validator(mode="after")
    def _whole(self) -> _Entry:
        if self.family == "builtin":
            return self
        if self.picture is None:
            raise ValueError("a model of the family clip has a picture: the repository of its picture tower")
        keys = tuple(self.texts) or (OWN,)
        if self.text is not None and self.text not in keys:
            raise ValueError(f"text {self.text!r} is none of texts: {', '.join(keys)}")
        if self.text is None and len(self.texts) > 1:
            raise ValueError(f"text has to say which of texts is in use: {', '.join(self.texts)}")
        return self

    def entry(self) -> ModelEntry:
        picture = None if self.picture is None else self.picture.part()
        texts = {key: text.part() for key, text in self.texts.items()}
        if picture is not None and not texts:
            texts = {OWN: picture}
        given = self.preprocessing
        return ModelEntry(
            name=self.name,
            family=self.family,
            dimension=self.dimension,
            licence=self.licence,
            picture=picture,
            texts=texts,
            text=self.text or next(iter(texts), ""),
            preprocessing=None if given is None else Preprocessing(given.size, given.mean, given.std),
            local=self.local,
        )


class _Catalogue(_Strict):
    models: list[_Entry]


def read_catalogue(content: bytes, source: Path | str) -> dict[str, ModelEntry]:
    """Entries by name. Raises ModelError naming the file and each wrong key."""
    read: _Catalogue = _validated(TypeAdapter(_Catalogue), content, source)
    names = [each.name for each in read.models]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ModelError(f"{source}: models: {', '.join(twice)} is there twice")
    return {each.name: each.entry() for each in read.models}


def read_entry(content: bytes, source: Path | str) -> ModelEntry:
    """One entry, as ``entry_json`` wrote it. Raises ModelError naming the file and each wrong key."""
    read: _Entry = _validated(TypeAdapter(_Entry), content, source)
    return read.entry()


def entry_json(entry: ModelEntry) -> dict[str, Any]:
    """An entry as a catalogue file has it."""
    shown: dict[str, Any] = {
        "name": entry.name,
        "family": entry.family,
        "dimension": entry.dimension,
        "licence": entry.licence,
    }
    if entry.picture is not None:
        shown["picture"] = {"repository": entry.picture.repository, "revision": entry.picture.revision}
        shown["texts"] = {
            key: {"kind": part.kind, "repository": part.repository, "revision": part.revision}
            for key, part in entry.texts.items()
        }
        shown["text"] = entry.text
    if entry.preprocessing is not None:
        given = entry.preprocessing
        shown["preprocessing"] = {"size": given.size, "mean": list(given.mean), "std": list(given.std)}
    if entry.local:
        shown["local"] = True
    return shown


def _validated(adapter: TypeAdapter[Any], content: bytes, source: Path | str) -> Any:
    try:
        return adapter.validate_json(content)
    except ValidationError as error:
        raise ModelError("\n".join(f"{source}: {_say(each)}" for each in error.errors())) from error


def _say(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    said = error["msg"].removeprefix("Value error, ")
    return f"{place}: {said}" if place else said
