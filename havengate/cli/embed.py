"""The command that shows a vector: for scripts and for holding runtimes against each other."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.option("--model", required=True, help="A name of `havengate models list`.")
@click.option("--runtime", type=click.Choice(["auto", "openvino", "torch"]), help="Instead of the setting.")
@click.option("--text", help="The words to embed.")
@click.option("--image", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The picture to embed.")
def embed(model: str, runtime: str | None, text: str | None, image: Path | None) -> None:
    """Print the vector of a text or a picture as one line of JSON, the last of stdout.

    {"model": …, "fingerprint": {"space": …, "numerics": …}, "vector": […]}, of length 1. The model is loaded in this
    process, whatever HAVENGATE_EMBEDDING__URL says. Vectors of two runtimes are equal but for rounding.

    Example: havengate embed --model builtin --text "red shoes"
    """
    from dataclasses import asdict

    from embedding.service import EmbeddingService
    from havengate.images import decode_picture
    from havengate.settings import load_settings

    if (text is None) == (image is None):
        raise click.UsageError("give one of --text and --image", click.get_current_context())
    settings = load_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    given = {"url": ""} if runtime is None else {"url": "", "runtime": runtime}
    service = EmbeddingService(settings.embedding.model_copy(update=given))
    try:
        if image is None:
            vector = service.embed_text(model, text or "")
        else:
            vector = service.embed_pictures(model, [decode_picture(image.read_bytes(), settings.limits)])[0]
        fingerprint = asdict(service.fingerprint(model))
    finally:
        service.close()
    shown = {"model": model, "fingerprint": fingerprint, "vector": [float(number) for number in vector]}
    click.echo(json.dumps(shown, ensure_ascii=False))
