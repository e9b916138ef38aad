"""`models verify`: whether words find the photos that they should, in English and Chinese."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

    from embedding.entry import ModelEntry
    from embedding.service import EmbeddingService

ENGLISH, CHINESE = "English", "Chinese"
ENOUGH = 0.8
"""Share of the words that have to find their photo first; by chance ten words find one."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A bundled photo by its path under examples/, and the words that should find it."""

    path: str
    english: str
    chinese: str


PHOTOS = (
    Photo("general/chelsea.jpg", "a cat", "猫"),
    Photo("general/coffee.jpg", "a cup of coffee", "一杯咖啡"),
    Photo("general/kodak05.jpg", "motorcycles", "摩托车"),
    Photo("general/kodak10.jpg", "a sailing boat", "帆船"),
    Photo("general/kodak19.jpg", "a lighthouse", "灯塔"),
    Photo("general/kodak20.jpg", "an aeroplane", "飞机"),
    Photo("general/kodak23.jpg", "parrots", "鹦鹉"),
    Photo("general/rocket.jpg", "a rocket", "火箭"),
    Photo("clothes/shoes-01.jpg", "a shoe", "鞋子"),
    Photo("clothes/pants-01.jpg", "a pair of trousers", "裤子"),
)


@dataclass(frozen=True, slots=True)
class Ranking:
    """How the words of one language fared. ``wrong`` holds (words, photo wanted, photo found first)."""

    language: str
    of: int
    wrong: tuple[tuple[str, str, str], ...]
    judged: bool

    @property
    def right(self) -> int:
        return self.of - len(self.wrong)

    @property
    def good(self) -> bool:
        """Whether enough words found their photo, or nothing is expected of the language."""
        return not self.judged or self.right >= ENOUGH * self.of


def verify(service: EmbeddingService, entry: ModelEntry, pictures: Sequence[Image]) -> tuple[Ranking, ...]:
    """Embeds the photos (in the order of PHOTOS) and the words for them. Raises ModelError where it cannot.

    Chinese is asked but not judged where the text tower is CLIP's own, which was trained on English.
    """
    chinese = entry.picture is None or entry.texts[entry.text].kind == "multilingual"
    rows = service.embed_pictures(entry.name, pictures)
    words = {ENGLISH: [photo.english for photo in PHOTOS], CHINESE: [photo.chinese for photo in PHOTOS]}
    rankings = []
    for language, texts in words.items():
        found = [int((rows @ service.embed_text(entry.name, text)).argmax()) for text in texts]
        wrong = tuple(
            (texts[wanted], PHOTOS[wanted].path, PHOTOS[got].path) for wanted, got in enumerate(found) if wanted != got
        )
        rankings.append(Ranking(language, len(texts), wrong, language == ENGLISH or chinese))
    return tuple(rankings)
