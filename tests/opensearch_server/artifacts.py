"""OpenSearch with its k-NN plugin as a folder of jars: fetched by Maven and compiled once, kept under tests/.cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

from opensearch_server.jdk import Missing, find_jdk
from opensearch_server.releases import Release

HERE = Path(__file__).parent
CACHE = HERE.parent / ".cache"


class Failed(Exception):
    """A server could not be fetched, compiled or started; the text ends with what the tool said."""


def prepared(release: Release, say: Callable[[str], None] = lambda _: None) -> Path:
    """The folder with ``lib`` and ``classes``, for any number of nodes. Raises Missing naming the tool, Failed."""
    jdk = find_jdk(release.java)
    home = CACHE / f"opensearch-{release.version}-{_recipe(release)}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / ".opensearch.lock").open("w") as lock:
        # Whoever else runs tests here waits for the first.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            _make(release, jdk, home, say)
    return home


def _make(release: Release, jdk: Path, home: Path, say: Callable[[str], None]) -> None:
    if shutil.which("mvn") is None:
        raise Missing("mvn is not installed (Debian: maven)")
    say(f"fetching OpenSearch {release.version} by Maven into {CACHE} (once)")
    # Built beside and renamed: an interrupted download must not look like a whole one.
    fresh = CACHE / f".opensearch-{os.getpid()}"
    try:
        _fetch(release, fresh)
        _compile(release, jdk, fresh)
        (fresh / "complete").touch()
        shutil.rmtree(home, ignore_errors=True)
        fresh.rename(home)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _pom(release: Release) -> str:
    """A project whose only content is what it depends on."""
    server = [("org.opensearch", name, release.version) for name in ("opensearch", "opensearch-plugin-classloader")]
    modules = [("org.opensearch.plugin", name, release.version) for name in release.modules]
    wanted = [_dependency(*item) for item in (*server, *modules, *release.libraries)]
    # The archive brings its own jars; what its pom names besides would come in other versions.
    knn = _dependency("org.opensearch.plugin", "opensearch-knn", f"{release.version}.0", "zip", alone=True)
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>havengate</groupId><artifactId>opensearch-node</artifactId><version>1</version>"
        f"<packaging>pom</packaging><dependencies>{''.join(wanted)}{knn}</dependencies></project>"
    )


def _recipe(release: Release) -> str:
    """Changes with whatever the folder is made from."""
    sources = [_pom(release), *((HERE / name).read_text() for name in release.sources)]
    return hashlib.sha256("".join(sources).encode()).hexdigest()[:8]


def _dependency(group: str, artifact: str, version: str, kind: str = "jar", *, alone: bool = False) -> str:
    parts = {"groupId": group, "artifactId": artifact, "version": version, "type": kind}
    inner = "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in parts.items())
    every = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    return f"<dependency>{inner}{every if alone else ''}</dependency>"


def _fetch(release: Release, home: Path) -> None:
    lib = home / "lib"
    lib.mkdir(parents=True)
    (home / "pom.xml").write_text(_pom(release), encoding="utf-8")
    options = ["-q", "-B", "-f", str(home / "pom.xml"), "-DincludeScope=runtime", f"-DoutputDirectory={lib}"]
    _run(["mvn", *options, "dependency:copy-dependencies"])
    for archive in lib.glob("*.zip"):
        with zipfile.ZipFile(archive) as plugin:
            for name in plugin.namelist():
                if name.endswith(".jar") and not (lib / Path(name).name).exists():
                    (lib / Path(name).name).write_bytes(plugin.read(name))
        archive.unlink()


def _compile(release: Release, jdk: Path, home: Path) -> None:
    options = ["--release", str(release.java), "-proc:none", "-nowarn", "-cp", f"{home / 'lib'}/*"]
    sources = [str(HERE / name) for name in release.sources]
    _run([str(jdk / "bin" / "javac"), *options, "-d", str(home / "classes"), *sources])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{command[0]} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
