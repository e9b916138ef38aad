"""What the class vectors need of WordNet's noun file: synsets, their parents, and which one a class means.

File format: wndb(5WN) of WordNet 3.1. Class ids are offsets of WordNet 3.0, so classes are found by their words
and definitions instead.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_HYPERNYM, _INSTANCE_HYPERNYM = "@", "@i"


@dataclass(frozen=True, slots=True)
class Synset:
    """``parent`` is the offset of the first hypernym, None at the root."""

    offset: str
    words: tuple[str, ...]
    gloss: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class ClassText:
    """One class: its short name, its lemmas and its definition."""

    name: str
    lemmas: tuple[str, ...]
    definition: str


class Nouns:
    """WordNet's nouns by offset and by word."""

    def __init__(self, data_noun: str) -> None:
        lines = (line for line in data_noun.splitlines() if not line.startswith("  "))
        self._synsets = {synset.offset: synset for synset in map(_read_synset, lines)}
        self._by_word: Mapping[str, list[Synset]] = defaultdict(list)
        for synset in self._synsets.values():
            for word in synset.words:
                self._by_word[word.lower()].append(synset)

    def find(self, text: ClassText) -> Synset:
        """The synset that shares most words and most of the definition with a class."""
        lemmas = {lemma.lower() for lemma in text.lemmas}
        candidates = {s.offset: s for lemma in sorted(lemmas) for s in self._by_word.get(lemma, ())}

        def score(synset: Synset) -> float:
            words = {word.lower() for word in synset.words}
            likeness = SequenceMatcher(None, synset.gloss, text.definition).ratio()
            return len(words & lemmas) / len(words | lemmas) + 2 * likeness

        return max(candidates.values(), key=score)

    def hypernyms(self, synset: Synset) -> Iterator[Synset]:
        """First parents up to the root, nearest first."""
        while synset.parent is not None:
            synset = self._synsets[synset.parent]
            yield synset


def telling_hypernyms(nouns: Nouns, classes: Sequence[ClassText], coverage: int) -> list[list[Synset]]:
    """Per class its hypernyms, nearest first, without those above more than ``coverage`` of the classes."""
    chains = [list(nouns.hypernyms(nouns.find(text))) for text in classes]
    covered = Counter(synset.offset for chain in chains for synset in chain)
    return [[s for s in chain if covered[s.offset] <= coverage] for chain in chains]


def _read_synset(line: str) -> Synset:
    data, _, gloss = line.partition(" | ")
    fields = data.split()
    word_count = int(fields[3], 16)
    words = tuple(fields[4 + 2 * i].replace("_", " ") for i in range(word_count))
    pointers = fields[5 + 2 * word_count :]
    parents = [
        offset
        for symbol, offset in zip(pointers[::4], pointers[1::4], strict=True)
        if symbol in {_HYPERNYM, _INSTANCE_HYPERNYM}
    ]
    return Synset(fields[0], words, gloss.partition('; "')[0].strip(), parents[0] if parents else None)
