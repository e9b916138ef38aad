"""Commands about models: which there are, their files, whether they work."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from havengate.errors import ModelError

if TYPE_CHECKING:
    from PIL.Image import Image

    from embedding.weights.source import Progress
    from havengate.setting_groups import EmbeddingSettings, LimitSettings

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def models() -> None:
    """Fetch, add, list, check and remove the models that make vectors.

    `builtin` comes with the packages. `clip` and `clip_ecom` need the packages of the extra clip
    (pip install 'havengate[clip]') and their weights, 0.6 to 1.2 GB, which `models pull` fetches from a model hub, a
    mirror (HAVENGATE_EMBEDDING__HUB) or a folder (HAVENGATE_EMBEDDING__OFFLINE).

    Example: havengate models pull clip
    """


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_models(as_json: bool) -> None:
    """List the models of the catalogue: state, size on disk, dimension, licence, and what would run them.

    States: ready, missing (not pulled), partial (a pull was interrupted: run it again), damaged (run it again).

    Example: havengate models list
    """
    from havengate.cli.common import printable
    from havengate.settings import load_settings

    for row in _rows(load_settings().embedding):
        if as_json:
            click.echo(json.dumps(row, ensure_ascii=False))
            continue
        size = f"{row['bytes'] / 1e6:.1f} MB" if row["bytes"] else "-"
        cells = (row["model"], row["state"], size, f"{row['dimension']} dimensions", row["runtime"], row["licence"])
        click.echo("\t".join(printable(cell) for cell in cells))


def _rows(settings: EmbeddingSettings) -> Iterator[dict[str, Any]]:
    from embedding.catalogue import find_card, load_catalogue
    from embedding.weights.store import State, open_store

    for name, entry in load_catalogue(settings).items():
        store = open_store(settings.models_dir, entry)
        yield {
            "model": name,
            "state": str(State.READY if entry.picture is None else store.state()),
            "bytes": 0 if entry.picture is None else store.size(),
            "dimension": entry.dimension,
            "licence": entry.licence,
            "runtime": find_card(name, settings).runtime(),
            "repositories": [f"{part.repository}@{part.revision}" for part in entry.parts.values()],
        }


@models.command("pull")
@click.argument("name")
@click.option("--accept", is_flag=True, help="Take other content than that of the first pull.")
def pull(name: str, accept: bool) -> None:
    """Fetch the weights of a model; a pull that was interrupted goes on where it stopped.

    The first pull records the commit and the sha256 of every file in lock.json, and later ones hold to them: where the
    hub has other content, --accept takes it, and tables built with the former have to be built again. Only safetensors
    are fetched, never a pickle. What is here is then converted for OpenVINO, where that runs it.

    \b
    HAVENGATE_EMBEDDING__HUB        another hub or a mirror
    HAVENGATE_EMBEDDING__OFFLINE    a folder with the repositories as OWNER/NAME, instead of any hub
    HAVENGATE_EMBEDDING__REVISIONS  REPOSITORY=REVISION: another branch, commit or refs/pr/N
    HAVENGATE_EMBEDDING__HUB_TOKEN  for repositories that ask to accept a licence

    Example: havengate models pull clip
    """  # noqa: D301  (click's \b keeps the lines)
    from embedding.catalogue import find_entry
    from embedding.weights import pull as pulling
    from embedding.weights.card import convert
    from embedding.weights.store import open_store
    from havengate.settings import load_settings

    settings = load_settings().embedding
    store = open_store(settings.models_dir, find_entry(name, settings))
    if store.entry.picture is None:
        click.echo(f"{name} comes with the packages: there is nothing to pull")
        return
    with _bars(name) as bar:
        done = pulling.pull(store, pulling.open_source(settings), bar, accept=accept)
    if done.note:
        click.echo(f"not compared: {done.note}", err=True)
    for part in done.lock.parts.values():
        click.echo(f"{part.repository}\t{part.commit[:12] or 'no commit'}\t{part.size / 1e6:.1f} MB")
    click.echo(f"model {name} is {'here' if done.changed else 'here already'}, in {store.folder}")
    convert(store.entry, settings, _converting)


@models.command("add")
@click.argument("path", type=_FOLDER)
@click.option("--name", required=True, help="What schemas call it (vector_model).")
@click.option("--family", type=click.Choice(["clip"]), default="clip", show_default=True, help="Its architecture.")
@click.option("--licence", default="unknown", show_default=True, help="Shown by `models list`.")
@click.option("--link", is_flag=True, help="Point to the files instead of copying them.")
def add(path: Path, name: str, family: str, licence: str, link: bool) -> None:
    """Add a model of your own from a plain Hugging Face folder.

    PATH holds config.json, model.safetensors, tokenizer and preprocessor files, as save_pretrained writes them; the
    text tower is the folder's own. The dimension is that of config.json; a vendor's table takes 512 only.

    Example: havengate models add ./my-clip --name mine --family clip
    """
    del family  # there is one so far
    from embedding.catalogue import load_catalogue
    from embedding.weights.add import add as adding
    from embedding.weights.add import describe_folder
    from embedding.weights.card import convert
    from embedding.weights.store import open_store
    from havengate.settings import load_settings

    settings = load_settings().embedding
    entry = describe_folder(path, name, licence, load_catalogue(settings))
    store = open_store(settings.models_dir, entry)
    with _bars(name) as bar:
        adding(store, path, bar, link=link)
    click.echo(f"model {name} is here, {entry.dimension} dimensions, in {store.folder}")
    convert(entry, settings, _converting)


@models.command("verify")
@click.argument("name")
def verify(name: str) -> None:
    """Load a model and see whether words find the bundled photos that they should; exit code 1 when they do not.

    Reads every file against its recorded hash first. Ten words in English and in Chinese are asked; at least eight
    have to find their photo first. Chinese is shown but not judged where the text tower is CLIP's own, English one.

    Example: havengate models verify builtin
    """
    from embedding.catalogue import find_entry
    from embedding.service import EmbeddingService
    from embedding.weights import verify as verifying
    from embedding.weights.store import open_store
    from havengate.settings import load_settings

    settings = load_settings()
    entry = find_entry(name, settings.embedding)
    if entry.picture is not None:
        store = open_store(settings.embedding.models_dir, entry)
        store.require_lock()
        if damage := store.damage():
            raise ModelError(f"model {name!r}: not what was recorded: {', '.join(damage)} (in {store.folder})")
    photos = _photos([photo.path for photo in verifying.PHOTOS], settings.limits)
    service = EmbeddingService(settings.embedding.model_copy(update={"url": ""}))
    try:
        rankings = verifying.verify(service, entry, photos)
        click.echo(f"{name} loads: {service.dimension(name)} dimensions, {service.fingerprint(name).numerics}")
    finally:
        service.close()
    for ranking in rankings:
        judged = "" if ranking.judged else " (not judged: the text tower is English)"
        click.echo(f"{ranking.language}: {ranking.right} of {ranking.of} words find their photo first{judged}")
        for words, wanted, found in ranking.wrong:
            click.echo(f"    {words!r} finds {found} before {wanted}")
    if not all(ranking.good for ranking in rankings):
        click.echo("it does not rank as a trained model does: random or wrong weights, or a wrong tokenizer", err=True)
        raise click.exceptions.Exit(1)
    click.echo("it ranks as it should")


@models.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(name: str, yes: bool) -> None:
    """Delete a model's files. Tables stay; searches that need the model fail until it is there again.

    Example: havengate models remove clip --yes
    """
    from embedding.catalogue import find_entry
    from embedding.weights.add import remove as removing
    from havengate.settings import load_settings

    settings = load_settings().embedding
    entry = find_entry(name, settings)
    if not yes:
        click.confirm(f"delete the files of model {name} in {settings.models_dir / name}?", abort=True)
    click.echo(f"model {name} is gone, {removing(settings.models_dir, entry) / 1e6:.1f} MB")


def _photos(paths: list[str], limits: LimitSettings) -> list[Image]:
    from havengate.demo.tables import folder
    from havengate.images import decode_picture

    return [decode_picture((folder() / path).read_bytes(), limits) for path in paths]


def _converting(tower: str) -> None:
    click.echo(f"converting the {tower} tower for OpenVINO (once)", err=True)


@contextmanager
def _bars(name: str) -> Iterator[Callable[[int], Progress]]:
    """What shows arrivals on a terminal, and nothing where there is none."""
    from tqdm import tqdm

    with tqdm(unit="B", unit_scale=True, desc=name, disable=None) as shown:

        def bar(total: int) -> Progress:
            shown.total = total
            update: Progress = shown.update
            return update

        yield bar
