"""Which files of a repository a model is made of."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from havengate.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from embedding.entry import Part
    from embedding.weights.source import Announced, Listing

WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def needed_files(part: Part, listing: Listing) -> dict[str, Announced]:
    """The files to take of a repository: never all of it, never a pickle.

    Raises ModelError naming what is missing, and the setting that chooses another revision where weights are.
    """
    names = [name for name in listing.files if part.takes(name)]
    if WEIGHTS in names:
        names = [name for name in names if name == WEIGHTS or not fnmatchcase(name, "model[.-]*safetensors*")]
    weights = {WEIGHTS if _INDEX not in names else _INDEX}
    weights |= {f"{name.partition('/')[0]}/{WEIGHTS}" for name in names if fnmatchcase(name, "*_Dense/config.json")}
    wanted = {"config.json", *weights} | ({"modules.json"} if part.kind == "multilingual" else set())
    missing = sorted(wanted - set(names))
    if missing:
        raise ModelError(_say(part, listing, missing))
    return {name: listing.files[name] for name in names}


def _say(part: Part, listing: Listing, missing: Iterable[str]) -> str:
    at = f" at {part.revision!r} ({listing.commit[:12]})" if listing.commit else ""
    says = f"{part.repository}{at} has no {', '.join(missing)}"
    pickles = [name for name in listing.files if any(fnmatchcase(name, pattern) for pattern in _PICKLES)]
    if pickles and any(name.endswith(WEIGHTS) for name in missing):
        says += f", only {', '.join(pickles)}, which can run code and is not taken"
    if not listing.commit:
        return says
    choose = f"HAVENGATE_EMBEDDING__REVISIONS={part.repository}=REVISION"
    return f"{says}. {choose} chooses another branch, commit or refs/pr/N of the repository"
