"""OpenSearch with its k-NN plugin as a folder of jars: fetched by Maven and compiled once, kept under tests/.cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

VERSION = "2.19.6"
"""The newest server of Java 17 whose modules and k-NN plugin are all published."""

HERE = Path(__file__).parent
CACHE = HERE.parent / ".cache"
MODULES = (
    "transport-netty4-client",
    "lang-painless",
    "opensearch-scripting-painless-spi",
    "analysis-common",
    "mapper-extras-client",
    "reindex-client",
    "parent-join-client",
)
LIBRARIES = (("org.apache.logging.log4j", "log4j-core", "2.25.4"), ("net.java.dev.jna", "jna", "5.13.0"))


class Missing(Exception):
    """Java or Maven is not on this machine."""


def prepared() -> Path:
    """The folder with ``lib`` and ``classes``. Raises Missing naming the tool that is not there."""
    for tool in ("java", "javac", "mvn"):
        if shutil.which(tool) is None:
            raise Missing(f"{tool} is not installed (Debian: openjdk-17-jdk-headless, maven)")
    home = CACHE / f"opensearch-{VERSION}-{_recipe()}"
    if not (home / "complete").exists():
        # Built beside and renamed: an interrupted download must not look like a whole one.
        fresh = CACHE / f".opensearch-{os.getpid()}"
        shutil.rmtree(fresh, ignore_errors=True)
        _fetch(fresh)
        _compile(fresh)
        (fresh / "complete").touch()
        shutil.rmtree(home, ignore_errors=True)
        fresh.rename(home)
    return home


def pom() -> str:
    """A project whose only content is what it depends on."""
    server = [("org.opensearch", "opensearch", VERSION), ("org.opensearch", "opensearch-plugin-classloader", VERSION)]
    modules = [("org.opensearch.plugin", name, VERSION) for name in MODULES]
    wanted = [_dependency(*item) for item in (*server, *modules, *LIBRARIES)]
    # The archive brings its own jars; what its pom names besides would come in other versions.
    knn = _dependency("org.opensearch.plugin", "opensearch-knn", f"{VERSION}.0", "zip", alone=True)
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>havengate</groupId><artifactId>opensearch-node</artifactId><version>1</version>"
        f"<packaging>pom</packaging><dependencies>{''.join(wanted)}{knn}</dependencies></project>"
    )


def _recipe() -> str:
    """Changes with whatever the folder is made from."""
    sources = [pom(), *(path.read_text() for path in sorted(HERE.glob("*.java")))]
    return hashlib.sha256("".join(sources).encode()).hexdigest()[:8]


def _dependency(group: str, artifact: str, version: str, kind: str = "jar", *, alone: bool = False) -> str:
    parts = {"groupId": group, "artifactId": artifact, "version": version, "type": kind}
    inner = "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in parts.items())
    every = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    return f"<dependency>{inner}{every if alone else ''}</dependency>"


def _fetch(home: Path) -> None:
    lib = home / "lib"
    lib.mkdir(parents=True)
    (home / "pom.xml").write_text(pom(), encoding="utf-8")
    options = ["-q", "-B", "-f", str(home / "pom.xml"), "-DincludeScope=runtime", f"-DoutputDirectory={lib}"]
    _run(["mvn", *options, "dependency:copy-dependencies"])
    for archive in lib.glob("*.zip"):
        with zipfile.ZipFile(archive) as plugin:
            for name in plugin.namelist():
                if name.endswith(".jar") and not (lib / Path(name).name).exists():
                    (lib / Path(name).name).write_bytes(plugin.read(name))
        archive.unlink()


def _compile(home: Path) -> None:
    sources = [str(path) for path in sorted(HERE.glob("*.java"))]
    _run(["javac", "-nowarn", "-cp", f"{home / 'lib'}/*", "-d", str(home / "classes"), *sources])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
