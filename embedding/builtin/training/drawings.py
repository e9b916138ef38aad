"""Stage 2: which concepts there are, what they are called, and which drawings of each a package has.

A concept is an emoji of emojibase's list, without flags and components (skin tones, hair); its labels and tags in
English and Chinese are those of Unicode's CLDR. Some packages lack code points: their icons are found by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from embedding.builtin.training.sources import DRAWINGS, UNSEEN_DRAWINGS, Package, read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_PRIVATE_USE = range(0xE000, 0xF900)
_COMPONENTS, _FLAGS = "component", "flags"
_CLOTHING = "clothing"
_NAMED_LIKE = {"noto-v1": "noto", "fluent-emoji": "fluent-emoji-flat"}
"""Packages without code points, and the one that uses the same names with them."""


@dataclass(frozen=True, slots=True)
class Words:
    """One language's label and tags of a concept."""

    label: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Concept:
    """``code`` is the emoji's code points in lower-case hex, without the variation selector."""

    code: str
    english: Words
    chinese: Words
    clothing: bool
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Drawing:
    """``code`` is the concept's, or a name of the package's own where no concept has this drawing."""

    package: str
    code: str
    svg: str


def read_concepts(labels: Path) -> list[Concept]:
    """The concepts of emojibase's archive, in its order."""
    english, chinese = read_json(labels, "en/data.json"), read_json(labels, "zh/data.json")
    groups = read_json(labels, "meta/groups.json")
    left_out = {int(key) for key, name in groups["groups"].items() if name in {_COMPONENTS, _FLAGS}}
    (clothing,) = (int(key) for key, name in groups["subgroups"].items() if name == _CLOTHING)
    in_chinese = {row["hexcode"]: row for row in chinese}
    names = _short_names(labels)
    return [
        Concept(
            code_of(row["hexcode"]),
            _words(row),
            _words(in_chinese[row["hexcode"]]),
            row["subgroup"] == clothing,
            frozenset({_squash(row["label"]), *names.get(row["hexcode"], ())}),
        )
        for row in english
        if row.get("group") is not None and row["group"] not in left_out and row["hexcode"] in in_chinese
    ]


def read_drawings(archives: Mapping[str, Path], concepts: Sequence[Concept]) -> list[Drawing]:
    """The drawings of the concepts in all training packages; ``archives`` by the packages' short names."""
    return [drawing for package in DRAWINGS for drawing in _of_package(package, archives, concepts)]


def read_unseen(archive: Path, concepts: Sequence[Concept]) -> list[Drawing]:
    """OpenMoji's drawings of the concepts, and of its own subjects outside Unicode."""
    icons = read_json(archive, "icons.json")
    codes = {concept.code for concept in concepts}
    found = {code_of(code): name for code, name in read_json(archive, "chars.json").items()}
    kept = {code: name for code, name in found.items() if code in codes or _is_private(code)}
    return [Drawing(UNSEEN_DRAWINGS.short, code, _svg(icons, name)) for code, name in sorted(kept.items())]


def code_of(hexcode: str) -> str:
    """Code points as concepts and packages both spell them."""
    return "-".join(part for part in hexcode.lower().split("-") if part != "fe0f")


def _of_package(package: Package, archives: Mapping[str, Path], concepts: Sequence[Concept]) -> Iterable[Drawing]:
    icons = read_json(archives[package.short], "icons.json")
    if package.short == "fxemoji":
        by_name = {name: concept.code for concept in concepts for name in concept.names}
        named = {by_name[_squash(name)]: name for name in icons["icons"] if _squash(name) in by_name}
    else:
        coded = archives[_NAMED_LIKE.get(package.short, package.short)]
        named = {code_of(code): name for code, name in read_json(coded, "chars.json").items()}
    for concept in concepts:
        name = named.get(concept.code, "")
        if name in icons["icons"]:
            yield Drawing(package.short, concept.code, _svg(icons, name))


def _svg(icons: Mapping[str, Any], name: str) -> str:
    icon = icons["icons"][name]
    width, height = (icon.get(side, icons[side]) for side in ("width", "height"))
    box = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{icon["body"]}</svg>'


def _words(row: Mapping[str, Any]) -> Words:
    return Words(row["label"], tuple(row.get("tags", ())))


def _short_names(labels: Path) -> dict[str, set[str]]:
    names: dict[str, set[str]] = {}
    for kind in ("emojibase", "iamcal", "github", "joypixels"):
        for code, given in read_json(labels, f"en/shortcodes/{kind}.json").items():
            names.setdefault(code, set()).update(map(_squash, [given] if isinstance(given, str) else given))
    return names


def _squash(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _is_private(code: str) -> bool:
    """Whether OpenMoji gave the code point itself; above are its own flags and the like."""
    return "-" not in code and int(code, 16) in _PRIVATE_USE
