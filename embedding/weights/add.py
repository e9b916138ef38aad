"""`models add`: a folder of one's own as a model of the catalogue."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

from embedding.entry import ModelEntry, Part
from embedding.entry_models import NAME, OWN, entry_json
from embedding.weights.headers import read_shapes
from embedding.weights.needed import needed_files
from embedding.weights.pull import alone, finish, require_room
from embedding.weights.source import PlainFolder
from embedding.weights.staging import Wanted, begin, collect
from embedding.weights.store import ENTRY, open_store, write_atomically
from havengate.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from embedding.weights.pull import Bar
    from embedding.weights.store import ModelStore

_TOWERS = ("visual_projection.weight", "text_projection.weight")


def describe_folder(path: Path, name: str, licence: str, taken: Collection[str]) -> ModelEntry:
    """The entry that a plain Hugging Face folder of a CLIP model makes; its dimension is in its config.json.

    Raises ModelError for a name that is taken or no name, and for a folder that no such model is in.
    """
    if re.fullmatch(NAME, name) is None:
        raise ModelError(f"{name!r} is no name of a model: a letter, then letters, digits, - and _, at most 64")
    if name in taken:
        raise ModelError(f"model {name!r} is there already; `havengate models list` shows all")
    part = Part(f"local/{name}")
    try:
        found = needed_files(part, PlainFolder(path).look(part))
    except ModelError as error:
        raise ModelError(f"{path}: {error.message}") from error
    if "tokenizer.json" not in found and not {"vocab.json", "merges.txt"} <= found.keys():
        raise ModelError(f"{path} has no tokenizer: tokenizer.json, or vocab.json and merges.txt")
    dimension = _dimension(path / "config.json")
    shapes: dict[str, list[int]] = {}
    for file in found:
        if file.endswith(".safetensors"):
            shapes |= read_shapes(path / file)
    for tower in _TOWERS:
        if tower not in shapes or shapes[tower][0] != dimension:
            says = f"is {shapes[tower]}" if tower in shapes else "is missing"
            raise ModelError(f"{path}: {tower} {says}; config.json says {dimension} dimensions")
    return ModelEntry(name, "clip", dimension, licence, part, {OWN: part}, OWN, local=True)


def add(store: ModelStore, path: Path, bar: Bar, *, link: bool = False) -> None:
    """Copies the folder's files (or points to them) and records the entry. Raises ModelError."""
    (name, part), source = next(iter(store.entry.parts.items())), PlainFolder(path, link=link)
    with alone(store):
        wanted = Wanted(part, "", needed_files(part, source.look(part)))
        if not link:
            require_room(store, {name: wanted})
        begin(store, {name: wanted})
        finish(store, {name: collect(store, name, wanted, source, bar(wanted.size))})
        # Last: with it the catalogue has the model.
        write_atomically(store.folder / ENTRY, json.dumps(entry_json(store.entry), indent=2) + "\n")


def remove(models_dir: Path, entry: ModelEntry) -> int:
    """Deletes a model's files and, of an added one, its entry; returns the bytes that were freed."""
    store = open_store(models_dir, entry)
    if not store.folder.exists():
        raise ModelError(f"model {entry.name!r} has no files in {models_dir}")
    with alone(store):
        freed = sum(f.lstat().st_size for f in store.folder.rglob("*") if f.is_file())
        store.lock_file.unlink(missing_ok=True)
        shutil.rmtree(store.folder)
    return freed


def _dimension(config: Path) -> int:
    try:
        content = json.loads(config.read_bytes())
        kind, dimension = content.get("model_type"), content.get("projection_dim")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{config} cannot be read: {error}") from error
    if kind != "clip":
        raise ModelError(f"{config}: model_type is {kind!r}, not 'clip', the family that this version has")
    if not isinstance(dimension, int) or dimension < 1:
        raise ModelError(f"{config}: projection_dim is {dimension!r}")
    return dimension
