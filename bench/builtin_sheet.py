"""The bundled photos that words find without the trained network of `builtin` (left) and with it (right), as a picture.

The photos of clothes are of clothing-dataset-small's part "validation": training never saw them.

    python bench/builtin_sheet.py [docs/builtin-before-after.jpg]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import examples
from embedding.builtin.model import BuiltinModel
from embedding.builtin.preprocess import prepare
from embedding.builtin.training.plain import PlainConse
from havengate.demo.contact_sheet import Panel, Shown
from havengate.demo.sheet_png import draw

QUERIES = (
    ("motorcycle helmet", ""),
    ("trousers", ""),
    ("裤子", "trousers"),
    ("coat", ""),
    ("外套", "coat"),
    ("skirt", ""),
    ("衬衫", "shirt"),
    ("帽子", "hat"),
)


def main(target: Path) -> None:
    folder = Path(examples.__file__).parent
    paths = sorted(folder.glob("general/*.jpg")) + sorted(folder.glob("clothes/*.jpg"))
    pixels = np.stack([prepare(Image.open(path).convert("RGB")) for path in paths])
    models = {"without the network": PlainConse(), "with it": BuiltinModel()}
    rows = {name: model.embed_pictures(pixels) for name, model in models.items()}
    panels = []
    for query, gloss in QUERIES:
        for name, model in models.items():
            scores = rows[name] @ model.embed_texts([query])[0]
            best = np.argsort(-scores)[:4]
            hits = [Shown(paths[n].stem, paths[n].parent.name, f"{scores[n]:.3f}", paths[n].read_bytes()) for n in best]
            panels.append(Panel(query, gloss, name, None, hits))
    sheet = draw(panels, "builtin without its trained network (left) and with it (right)")
    sheet.resize((sheet.width // 2, sheet.height // 2), Image.Resampling.LANCZOS).save(target, quality=85)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/builtin-before-after.jpg"))
