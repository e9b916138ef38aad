"""Documents are true: their examples run, their tables match the code."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from colour_model import picture
from dashboards_double import dashboards
from support import run_cli
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser

from havengate.settings import Settings, describe_settings
from ingest.sources.folder import PICTURE_SUFFIXES
from schemas.settings import TableSettings

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SERVED = "127.0.0.1:8000"
DASHBOARDS = "http://127.0.0.1:5601"


def blocks(document, language):
    sybil = Sybil([CodeBlockParser(language, evaluator=lambda _: None)])
    return [example.parsed for example in sybil.parse(document).examples()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_python_examples_run_from_top_to_bottom(document, request):
    namespace = {}
    for block in blocks(document, "python"):
        if SERVED in block:
            block = block.replace(SERVED, request.getfixturevalue("endpoint"))  # noqa: PLW2901
        if block.startswith(">>>"):
            run_doctest(block, document.name)
        else:
            exec(compile(block, document.name, "exec"), namespace)  # noqa: S102


def run_doctest(block, name):
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(doctest.DocTestParser().get_doctest(block, {}, name, name, 0))
    assert runner.failures == 0


def commands(document):
    """The commands of all console blocks: lines after ``$``, with the lines that continue them."""
    for block in blocks(document, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            yield part.strip()


@pytest.fixture(scope="session")
def workplace(tmp_path_factory):
    """A folder with the files that the documents' commands speak of."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "schema.json").write_text(blocks(ROOT / "README.md", "json")[0])
    (folder / "models.json").write_text(blocks(ROOT / "docs" / "models.md", "json")[0])
    (folder / "password.txt").write_text("not a secret\n")
    (folder / "pictures").mkdir()
    (folder / "pictures" / "red.png").write_bytes(picture("red"))
    (folder / "examples").symlink_to(ROOT / "examples")
    return folder


@pytest.fixture(scope="session")
def dashboards_url():
    """A double of OpenSearch Dashboards, which takes what it is sent."""
    with dashboards() as double:
        yield double.url


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_console_examples_run(document, workplace, request):
    binaries = Path(sys.executable).parent
    for command in commands(document):
        environment = os.environ | {
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "HAVENGATE_DATA_DIR": str(workplace / f"data-{document.stem}"),
        }
        if DASHBOARDS in command:
            command = command.replace(DASHBOARDS, request.getfixturevalue("dashboards_url"))  # noqa: PLW2901
        if SERVED in command:
            command = command.replace(SERVED, request.getfixturevalue("endpoint"))  # noqa: PLW2901
            environment["HAVENGATE_DATA_DIR"] = str(request.getfixturevalue("served_data"))
        done = subprocess.run(
            ["bash", "-ec", command],
            cwd=workplace,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        if command.startswith("curl"):
            assert '"errors":[{' not in done.stdout.replace(" ", ""), done.stdout
            assert '"code"' not in done.stdout, done.stdout


def test_every_setting_is_documented_with_its_default():
    text = (ROOT / "docs" / "settings.md").read_text()
    for variable, value, description in describe_settings(Settings()):
        shown = f"`{value}`" if value else ""
        assert f"| `{variable}` | {shown} | {description} |" in text
    for name, field in TableSettings.model_fields.items():
        shown = f"`{str(field.default).lower()}`" if field.default != "" else ""
        assert f"| `{name}` | {shown} | {field.description} |" in text


def test_the_suffixes_that_ingest_takes_are_documented():
    (line,) = [line for line in (ROOT / "docs" / "ingest.md").read_text().splitlines() if "names end in" in line]
    assert set(re.findall(r"\.[a-z]{3,4}\b", line)) == PICTURE_SUFFIXES


def test_every_dependency_says_what_it_earns():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "docs" / "dependencies.md").read_text().lower()
    listed = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    names = [re.split(r"[<>=\[]", dependency)[0] for dependency in listed]
    assert [name for name in names if name not in text] == []


def test_links_between_documents_lead_somewhere():
    for document in [*DOCUMENTS, *ROOT.glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_command_has_help_with_an_example(tmp_path):
    import click

    from havengate.cli import cli

    def walk(command, path):
        if isinstance(command, click.Group):
            for name, child in command.commands.items():
                yield from walk(child, [*path, name])
        if path:
            yield path

    for path in walk(cli, []):
        assert "Example" in run_cli(tmp_path, *path, "--help").stdout, path
