"""Stage 8: what the model does with pictures that training never saw, beside the same model without the network.

Queries and relevance are data (evaluation_queries.json). No query is a phrasing of training.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image
from tqdm import tqdm

import examples
from embedding.builtin.model import BuiltinModel
from embedding.builtin.preprocess import prepare
from embedding.builtin.training import measures
from embedding.builtin.training.augment import clean_drawing, generator, near_copy
from embedding.builtin.training.clothes import photos
from embedding.builtin.training.data import SEED, concepts, unseen_drawings
from embedding.builtin.training.plain import PlainConse
from embedding.builtin.training.render import picture_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    Rows = npt.NDArray[np.float32]
    Figures = dict[str, float]

_QUERIES = Path(__file__).with_name("evaluation_queries.json")
_LANGUAGES = {"en": "English", "zh": "Chinese"}
_BATCH = 32


class Towers(Protocol):
    """What is compared: words and prepared pictures to vectors."""

    def embed_texts(self, texts: Sequence[str]) -> Rows: ...

    def embed_pictures(self, pixels: npt.NDArray[np.uint8]) -> Rows: ...


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures of the evaluation, prepared: uint8 [pictures, 224, 224, 3] each."""

    clothes: npt.NDArray[np.uint8]
    kinds: list[str]
    general: npt.NDArray[np.uint8]
    names: list[str]
    copies: npt.NDArray[np.uint8]
    drawings: npt.NDArray[np.uint8]
    codes: list[str]


def evaluate(work: Path, clothing: Path, part: str = "test") -> dict[str, Figures]:
    """Prints a row per figure, without the network and with it; gives them by model and name."""
    words = queries()
    labels = {c.code: {"en": c.english.label, "zh": c.chinese.label} for c in concepts(work)}
    shown = read_pictures(work, clothing, part)
    models: dict[str, Towers] = {"without": PlainConse(), "with": BuiltinModel()}
    figures = {name: dict(_figures(model, shown, words, labels, part)) for name, model in models.items()}
    sys.stdout.write("| figure | without the network | with it |\n|---|---|---|\n")
    for name, value in figures["with"].items():
        sys.stdout.write(f"| {name} | {figures['without'][name]:.3f} | {value:.3f} |\n")
    return figures


def queries() -> dict[str, Any]:
    """Clothing queries by part, class and language; photo groups with the photos that are right."""
    found: dict[str, Any] = json.loads(_QUERIES.read_text(encoding="utf-8"))
    return found


def read_pictures(work: Path, clothing: Path, part: str) -> Pictures:
    """Reads, renders and prepares all pictures of one part of the clothing photos. Raises ModelError."""
    worn = photos(clothing, part)
    general = sorted((Path(examples.__file__).parent / "general").glob("*.jpg"))
    drawings = unseen_drawings(work)
    originals = [path for _, path in worn] + general
    copies = (near_copy(_photo(path), generator(SEED, "near copy", path.name)) for path in originals)
    return Pictures(
        _prepared("clothes", (_photo(path) for _, path in worn)),
        [kind for kind, _ in worn],
        _prepared("photos", map(_photo, general)),
        [path.stem for path in general],
        _prepared("near-duplicates", copies),
        _prepared("drawings", (clean_drawing(Image.open(picture_path(d, work / "drawings"))) for d in drawings)),
        [drawing.code for drawing in drawings],
    )


def _figures(
    model: Towers, shown: Pictures, words: dict[str, Any], labels: dict[str, dict[str, str]], part: str
) -> Iterable[tuple[str, float]]:
    clothes, general, copies, drawings = (
        _embedded(model, pixels) for pixels in (shown.clothes, shown.general, shown.copies, shown.drawings)
    )
    for asked, title in ((part, "clothes, new phrasings"), ("unseen", "clothes, words not in training")):
        for key, language in _LANGUAGES.items():
            pairs = [(kind, text) for kind, texts in words[asked].items() for text in texts[key]]
            right = np.array([[kind == shown_kind for shown_kind in shown.kinds] for kind, _ in pairs])
            scores = model.embed_texts([text for _, text in pairs]) @ clothes.T
            yield f"{title}, {language}: P@10", measures.precision(scores, right, 10)
    standard = [n for n, code in enumerate(shown.codes) if code in labels]
    for key, language in _LANGUAGES.items():
        texts = model.embed_texts([labels[shown.codes[n]][key] for n in standard])
        for title, rows in (("", drawings[standard]), (" with OpenMoji's own beside", drawings)):
            at = np.arange(len(standard)) if len(rows) == len(standard) else np.array(standard)
            for first in (1, 10):
                name = f"unseen drawings{title}, {language}: R@{first}"
                yield name, measures.recall(texts @ rows.T, at, first)
    for title, rows in (("", general), (" among clothes", np.concatenate([general, clothes]))):
        for key, language in _LANGUAGES.items():
            right = np.zeros((len(words["photos"]), len(rows)), dtype=bool)
            for n, group in enumerate(words["photos"]):
                right[n, [shown.names.index(name) for name in group["photos"]]] = True
            scores = model.embed_texts([group[key] for group in words["photos"]]) @ rows.T
            yield f"photo groups{title}, {language}: mean average precision", measures.average_precision(scores, right)
    originals = np.concatenate([clothes, general])
    yield "near-duplicates: R@1", measures.recall(copies @ originals.T, np.arange(len(originals)), 1)
    kinds = np.array(shown.kinds)
    likeness = clothes @ clothes.T
    np.fill_diagonal(likeness, -np.inf)
    yield "clothes by picture, same class: P@10", measures.precision(likeness, kinds[:, None] == kinds, 10)


def _embedded(model: Towers, pixels: npt.NDArray[np.uint8]) -> Rows:
    starts = tqdm(range(0, len(pixels), _BATCH), desc="embedding", leave=False)
    return np.concatenate([model.embed_pictures(pixels[at : at + _BATCH]) for at in starts])


def _prepared(name: str, pictures: Iterable[Image.Image]) -> npt.NDArray[np.uint8]:
    return np.stack([prepare(picture) for picture in tqdm(pictures, desc=name, leave=False)])


def _photo(path: Path) -> Image.Image:
    with Image.open(path) as file:
        return file.convert("RGB")
