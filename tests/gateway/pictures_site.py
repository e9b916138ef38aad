"""Tables with pictures of known colours, and the gateway's answers looked at as a browser would."""

import io
import time
from base64 import b64encode
from dataclasses import dataclass

from PIL import Image

from gateway.app import create_app
from gateway.parts import Parts
from havengate.documents import Command
from havengate.image_tokens import load_key, make
from schemas.settings import TableSettings
from schemas.templates import template
from schemas.vendor import VendorSchema

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
TEXT_KEY = {"field_name": "id", "field_type": "STRING"}


def quarters(width, height, mode="RGB"):
    """Red and green above, blue and white below."""
    sheet = Image.new("RGB", (width, height), COLOURS["red"])
    sheet.paste(COLOURS["green"], (width // 2, 0, width, height))
    sheet.paste(COLOURS["blue"], (0, height // 2, width // 2, height))
    sheet.paste(COLOURS["white"], (width // 2, height // 2, width, height))
    return sheet.convert(mode)


def saved(picture, form="PNG", **options):
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def plain(colour, size=(40, 40)):
    return saved(Image.new("RGB", size, COLOURS[colour]))


def opened(data):
    return Image.open(io.BytesIO(data))


def corners(data):
    """Names of the colours at the corners: left and right above, left and right below."""
    picture = opened(data).convert("RGB")
    right, below = picture.width - 3, picture.height - 3
    return [_nearest(picture.getpixel(at)) for at in ((2, 2), (right, 2), (2, below), (right, below))]


def colour(data):
    (only,) = set(corners(data))
    return only


def _nearest(pixel):
    return min(COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(COLOURS[name], pixel, strict=True)))


def two_pictures(endpoint):
    """A schema with pictures in two fields: `vector_source_image` and, with an index of its own, `back`."""
    schema = template("oss", endpoint=endpoint, extra_fields=[TEXT_KEY]).to_json()
    image, vector, index = schema["fields"][1], schema["fields"][3], schema["indexs"][1]
    schema["fields"] += [
        image | {"field_name": "back"},
        vector
        | {
            "field_name": "back_vector",
            "user_defined_param": vector["user_defined_param"] | {"vector_source_field": "back"},
        },
    ]
    fields = [f | {"field_name": "back_vector"} if f["field_name"] == "vector" else f for f in index["index_fields"]]
    schema["indexs"].append(index | {"index_name": "back", "index_fields": fields})
    return VendorSchema.model_validate(schema)


@dataclass
class Site:
    """One application over services, and a client of it."""

    services: object

    def __post_init__(self):
        self.app = create_app(self.services, Parts())
        self.client = self.app.test_client()

    def create(self, name, schema=None, **settings):
        schema = schema or template("base64", extra_fields=[TEXT_KEY])
        self.services.tables.create(name, schema, TableSettings(**settings))

    def push(self, table, *rows, cmd="add"):
        report = self.services.documents.push(self.services.engine.table(table), [Command(cmd, row) for row in rows])
        assert report.failures == ()

    def keep(self, table, key, data):
        """A row with a pushed picture."""
        self.push(table, {"id": key, "vector_source_image": b64encode(data).decode()})

    def get(self, path, **options):
        return self.client.get(path, **options)

    def token(self, table, *, seconds=1000, series=1):
        return make(load_key(self.services.settings), table, series, int(time.time()) + seconds)
