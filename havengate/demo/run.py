"""`havengate demo`: tables from bundled photos, a gateway, the vendor's SDK samples, a contact sheet."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from havengate.demo.contact_sheet import Panel, Shown, write_contact_sheet
from havengate.demo.process import gateway
from havengate.demo.samples import TEXT_SAMPLE, Sample, SampleClient, picture_query, text_query
from havengate.demo.tables import CLOTHES, GENERAL, create_tables, photos, push_clothes, rows
from havengate.errors import EngineError, SettingsError

if TYPE_CHECKING:
    from havengate.settings import Settings

_HELMET_ZH = "5pGp5omY6L2mJuWktOeblA=="
_SPORT = "cate_id=1"
_SHOES = "cate_id=8"


def build_tables(settings: Settings) -> None:
    """The demo's tables, complete. Raises SettingsError without the demo extra, DataFolderBusy."""
    _need_sdk()
    if create_tables(settings):
        with gateway(settings.data_dir) as endpoint:
            push_clothes(SampleClient(endpoint))
    click.echo(f"tables {GENERAL} and {CLOTHES} are in {settings.data_dir}")


def run_demo(settings: Settings, out: Path) -> None:
    """Everything the demo shows; the contact sheet's two files go to ``out``."""
    _need_sdk()
    clothes_missing = create_tables(settings)
    with gateway(settings.data_dir) as endpoint:
        click.echo(f"gateway on {endpoint}")
        client = SampleClient(endpoint)
        if clothes_missing:
            push_clothes(client)
        panels = [_run(client, sample) for sample in samples()]
    html, png = out / "contact-sheet.html", out / "contact-sheet.png"
    out.mkdir(parents=True, exist_ok=True)
    write_contact_sheet(panels, html, png, heading="havengate: pictures found by words and by a picture")
    click.echo(f"\ncontact sheet: {html.resolve()}\n               {png.resolve()}")


def samples() -> list[Sample]:
    """The seeds' queries on both tables, each with and without a filter."""
    motocross = _detail(photos(GENERAL) / "kodak05.jpg")
    shoe = _detail(photos(CLOTHES) / "shoes-03.jpg")
    return [
        Sample("motorcycle helmet", "", TEXT_SAMPLE),
        *_pair(GENERAL, "motorcycle helmet", "", "motorcycle helmet", _SPORT),
        *_pair(GENERAL, "摩托车&头盔", "motorcycle & helmet", _HELMET_ZH, _SPORT),
        *_picture_pair(GENERAL, motocross, "GET", _SPORT),
        *_picture_pair(GENERAL, motocross, "POST", _SPORT),
        *_pair(CLOTHES, "shoes", "", "shoes", _SHOES),
        *_pair(CLOTHES, "鞋子", "shoes", base64.b64encode("鞋子".encode()).decode(), _SHOES),
        *_picture_pair(CLOTHES, shoe, "GET", _SHOES),
        *_picture_pair(CLOTHES, shoe, "POST", _SHOES),
    ]


def _pair(table: str, words: str, gloss: str, content: str, filter_: str) -> list[Sample]:
    return [
        Sample(f"{words} in {table}", gloss, text_query(table, content)),
        Sample(f"{words} in {table} where {filter_}", gloss, text_query(table, content, filter_)),
    ]


def _picture_pair(table: str, picture: bytes, method: str, filter_: str) -> list[Sample]:
    words = f"a picture by {method} in {table}"
    return [
        Sample(words, "", picture_query(table, picture), method, picture),
        Sample(f"{words} where {filter_}", "", picture_query(table, picture, filter_), method, picture),
    ]


def _detail(path: Path) -> bytes:
    """The middle of a photo, mirrored: a picture that no row holds."""
    from PIL import Image, ImageOps

    with Image.open(path) as photo:
        width, height = photo.size
        box = (width // 8, height // 8, width - width // 8, height - height // 8)
        out = io.BytesIO()
        ImageOps.mirror(photo.convert("RGB").crop(box)).save(out, "JPEG", quality=90)
    return out.getvalue()


def _run(client: SampleClient, sample: Sample) -> Panel:
    answer = client.search(sample.query, sample.method)
    if answer["errors"]:
        raise EngineError(f"{sample.words}: {answer['errors']}")
    result = answer["result"]
    items, certificate = result["items"], result["certificate"]
    proof = (
        f"{certificate['returned']} of {certificate['matched']} matching rows in the pool "
        f"(n={certificate['requested']}, {certificate['strategy']})"
    )
    click.echo(f"\n{sample.words}" + (f"  ({sample.gloss})" if sample.gloss else ""))
    for item in items:
        fields = item["fields"]
        click.echo(f"  {fields['id']:>4}  {item['score']:.4f}  cate_id={fields['cate_id']:<3} {fields['title']}")
    click.echo(f"  certificate: {proof}")
    return Panel(sample.words, sample.gloss, proof, sample.picture, _shown(items))


def _shown(items: Sequence[dict[str, Any]]) -> list[Shown]:
    files = {
        str(row["id"]): photos(table) / str(row["vector_source_image"])[1:]
        for table in (GENERAL, CLOTHES)
        for row in rows(table)
    }
    return [
        Shown(
            title=item["fields"]["title"],
            category=f"category {item['fields']['cate_id']}",
            distance=f"{item['score']:.3f}",
            picture=files[item["fields"]["id"]].read_bytes(),
        )
        for item in items
    ]


def _need_sdk() -> None:
    from importlib.util import find_spec

    if find_spec("alibabacloud_ha3engine") is None:
        raise SettingsError("the demo needs the vendor's SDK: pip install 'havengate[demo]'")
