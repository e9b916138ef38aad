"""What tests of several rooms share."""

import base64
import os
import subprocess
import sys

from colour_model import picture

from embedding.service import EmbeddingService
from engines.embedded.engine import EmbeddedEngine
from havengate.blobs import FolderBlobStore
from havengate.services import wire


def open_colour_services(settings, model):
    """Services as an entry point opens them, but for the model."""
    engine = EmbeddedEngine.open(settings.data_dir)
    embedding = EmbeddingService(settings.embedding, {"builtin": lambda _: model})
    blobs = FolderBlobStore(settings.data_dir / "blobs")
    return wire(settings, engine, embedding, blobs)


EXTRA_FIELDS = (
    {"field_name": "title", "field_type": "STRING"},
    {"field_name": "price", "field_type": "FLOAT"},
    {"field_name": "labels", "field_type": "STRING", "multi_value": True},
    {"field_name": "tags", "field_type": "MAP"},
)


def photo_row(key, colour, **fields):
    """A row of the table `photos` with a picture of one colour."""
    return {"id": key, "vector_source_image": base64.b64encode(picture(colour)).decode(), **fields}


def run_cli(data_dir, *arguments, check=True, **options):
    """`havengate ...` as a user runs it."""
    environment = os.environ | {"HAVENGATE_DATA_DIR": str(data_dir)} | options.pop("env", {})
    return subprocess.run(
        [sys.executable, "-m", "havengate", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=check,
        timeout=240,
        **options,
    )
