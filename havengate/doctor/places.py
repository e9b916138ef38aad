"""What is somewhere else: the cluster, the bucket of blobs, the server of models; and the models that are here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from havengate.errors import ModelAway

if TYPE_CHECKING:
    from havengate.settings import Settings


def cluster(settings: Settings) -> str:
    from engines.opensearch.engine import OpenSearchEngine

    with OpenSearchEngine.open(settings.engine) as engine:
        return engine.examine()


def blobs(settings: Settings) -> str:
    from havengate.bucket_blobs import open_bucket_blobs

    store = open_bucket_blobs(settings)
    try:
        return f"{store.probe()}: an object was written, read, listed and deleted"
    finally:
        store.close()


def model_server(needed: list[str], settings: Settings) -> str:
    from embedding.service import EmbeddingService

    service = EmbeddingService(settings.embedding)
    try:
        spaces = [f"{name}: {service.fingerprint(name).space}" for name in needed]
        if not service.ready(needed):
            raise ModelAway(f"the model server at {settings.embedding.url} does not answer, or not as one")
    finally:
        service.close()
    return f"{settings.embedding.url} answers; {'; '.join(spaces) or 'no table needs a model'}"


def builtin(settings: Settings) -> str:
    from embedding.service import EmbeddingService

    service = EmbeddingService(settings.embedding)
    try:
        vector = service.embed_text("builtin", "a photo")
    finally:
        service.close()
    return f"loads, {len(vector)} dimensions, {service.fingerprint('builtin').space}"


def model(name: str, settings: Settings) -> str:
    from embedding.catalogue import find_card
    from embedding.weights.store import open_store

    card = find_card(name, settings.embedding)
    space = card.fingerprint().space
    size = open_store(settings.embedding.models_dir, card.entry).size()
    return f"ready, {size / 1e6:.1f} MB, {card.runtime()}, {space}"
