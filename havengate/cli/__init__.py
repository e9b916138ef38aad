"""The command line: one module per group of commands; heavy libraries load inside the commands that use them."""

from __future__ import annotations

import os
import sys
import traceback

import click

from havengate.cli.backup import backup, restore
from havengate.cli.changes import changes
from havengate.cli.common import printable
from havengate.cli.dashboards import dashboards
from havengate.cli.data import schema, table
from havengate.cli.embed import embed
from havengate.cli.generations import generations, rebuild, rollback
from havengate.cli.images import images
from havengate.cli.ingest import ingest
from havengate.cli.jobs import job
from havengate.cli.models import models
from havengate.cli.parse import parse
from havengate.cli.query import explain, search
from havengate.cli.server import config, demo, doctor, embed_server, serve
from havengate.cli.user import user
from havengate.cli.worker import worker
from havengate.errors import HavengateError

NOT_RUN = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--debug", is_flag=True, help="Show a traceback when a command fails.")
@click.version_option(package_name="havengate")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """Search pictures by words or by a picture, in the dialects of Alibaba Cloud's search services.

    \b
    havengate demo                      two tables, a gateway, the vendor's SDK, a contact sheet
    havengate serve --port 8000         the gateway over the tables in HAVENGATE_DATA_DIR
    havengate search --table general --text "motorcycle helmet"
    """  # noqa: D301  (click's \b keeps the lines)
    context.obj = debug


_DATA = (changes, dashboards, images, ingest, job, schema, table)
_MODELS = (embed, embed_server, models)
_QUERIES = (explain, parse, search)
_RUNNING = (config, demo, doctor, serve, user, worker)
for command in (*_DATA, *_MODELS, *_QUERIES, *_RUNNING):
    cli.add_command(command)
for command in (backup, generations, rebuild, restore, rollback):
    table.add_command(command)


def main() -> None:
    """Runs the command line; every error is one line on stderr, a traceback only with --debug."""
    # BLAS threads of several requests fight over the cores: a text takes 20 times as long (docs/models.md).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    debug = "--debug" in sys.argv[1:2]
    try:
        code = cli(standalone_mode=False)
    except click.exceptions.Exit as done:
        code = done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.ClickException as error:
        _report(_usage(error), debug)
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped", err=True)
        code = 130
    except HavengateError as error:
        _report(error.message, debug)
        code = NOT_RUN
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:
        _report(f"{error.filename}: {error.strerror}" if error.filename else str(error), debug)
        code = NOT_RUN
    except Exception as error:  # noqa: BLE001  (the last line of defence of a command line)
        _report(f"unexpected {type(error).__name__}: {error} (havengate --debug shows where)", debug)
        code = NOT_RUN
    sys.exit(code if isinstance(code, int) else 0)


def _usage(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f" ({context.command_path} --help shows how)" if context else ""
    return " ".join(error.format_message().split()) + hint


def _report(message: str, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    click.echo("error: " + "\n".join(printable(line) for line in message.split("\n")), err=True)
