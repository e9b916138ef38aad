"""A model whose space is colour: a picture is its mean colour, a text the colour it names."""

import io

import numpy as np
from PIL import Image

from havengate.types import Fingerprint

COLOURS = {
    "red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0), "white": (255, 255, 255),
    "红": (255, 0, 0), "orange": (255, 128, 0), "purple": (128, 0, 255),
}  # fmt: skip


class ColourModel:
    dimension = 512

    def __init__(self, space="colour-1"):
        self.fingerprint = Fingerprint(space, "numpy")
        self.pictures_seen = 0

    def prepare(self, picture):
        return np.asarray(picture.resize((4, 4), Image.Resampling.BOX), np.uint8)

    def embed_pictures(self, pixels):
        self.pictures_seen += len(pixels)
        return _unit(pixels.reshape(len(pixels), -1, 3).mean(axis=1))

    def embed_texts(self, texts):
        return _unit(np.array([COLOURS.get(text.strip(), (1, 2, 3)) for text in texts], np.float32))


def _unit(colours):
    vectors = np.zeros((len(colours), 512), np.float32)
    vectors[:, :3] = colours
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def picture(colour, suffix="PNG", size=(16, 16)):
    """The bytes of a picture of one colour."""
    out = io.BytesIO()
    Image.new("RGB", size, COLOURS.get(colour, colour)).save(out, suffix)
    return out.getvalue()
