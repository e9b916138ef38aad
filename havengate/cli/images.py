"""Commands about GET /images: the tokens that stand in the URLs of pictures."""

from __future__ import annotations

from urllib.parse import quote

import click

_ANYWHERE = "http://127.0.0.1:8000"


@click.group()
def images() -> None:
    """Make and revoke tokens for the URLs of pictures.

    Example: havengate images token general --days 30
    """


@images.command("token")
@click.argument("table")
@click.option("--days", type=click.IntRange(1, 36_500), default=365, show_default=True, help="How long it is valid.")
def token(table: str, days: int) -> None:
    """Print a token that opens the pictures of a table, an example URL, and when it ends.

    Example: havengate images token general --days 30
    """
    from havengate.cli.common import open_administration
    from havengate.cli.moments import moment

    with open_administration(prefer_server=True) as administration:
        made = administration.image_token(table, days)
    click.echo(made["token"])
    click.echo(f"{_address()}/images/{quote(table, safe='')}/ID?size=160&token={made['token']}")
    click.echo(f"valid until {moment(made['expires'])}")


@images.command("revoke")
@click.argument("table")
def revoke(table: str) -> None:
    """Make all tokens of a table invalid, for good.

    Example: havengate images revoke general
    """
    from havengate.cli.common import open_administration

    with open_administration() as administration:
        series = administration.table(table)["settings"]["image_tokens"] + 1
        administration.set_table(table, (f"image_tokens={series}",))
    click.echo(f"tokens of table {table} made before are invalid; new ones are of series {series}")


def _address() -> str:
    """Where the server of this data folder listens, if one runs."""
    from havengate.cli.remote import running_server
    from havengate.settings import load_settings

    server = running_server(load_settings().data_dir)
    return server.url if server else _ANYWHERE
