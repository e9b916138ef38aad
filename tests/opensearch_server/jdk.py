"""A JDK of this machine that is new enough."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("/usr/lib/jvm", "/opt/java", "/usr/java", "~/.sdkman/candidates/java", "~/.jdks")


class Missing(Exception):
    """Java or Maven is not on this machine."""


def find_jdk(oldest: int) -> Path:
    """JAVA_HOME, the `javac` of the path, else the oldest one that fits of the usual folders. Raises Missing."""
    fitting = [(found, home) for home in _named() if (found := _version(home)) >= oldest]
    fitting = fitting or sorted((found, home) for home in _usual() if (found := _version(home)) >= oldest)
    if not fitting:
        raise Missing(f"no JDK of Java {oldest} or newer (JAVA_HOME, {', '.join(FOLDERS)})")
    return fitting[0][1]


def _named() -> Iterator[Path]:
    if os.environ.get("JAVA_HOME"):
        yield Path(os.environ["JAVA_HOME"])
    if compiler := shutil.which("javac"):
        yield Path(compiler).resolve().parents[1]


def _usual() -> Iterator[Path]:
    for folder in FOLDERS:
        yield from Path(folder).expanduser().glob("*")


def _version(home: Path) -> int:
    """The major version of a JDK, 0 for what is none."""
    try:
        told = re.search(r'^JAVA_VERSION="(\d+)', (home / "release").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(told[1]) if told and (home / "bin" / "javac").exists() else 0
