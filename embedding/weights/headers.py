"""The head of a safetensors file: names and shapes of its tensors, without reading them.

Layout: 8 bytes with the length of the JSON after them, little-endian; then the tensors' bytes
(the safetensors package's README, "Format").
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from havengate.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

_MOST = 100_000_000
_LENGTH = 8


def read_shapes(file: Path) -> dict[str, list[int]]:
    """Shapes by tensor name. Raises ModelError for a file that is none, or is cut off."""
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(_LENGTH), "little")
            if length > _MOST:
                raise ModelError(f"{file} is no safetensors file")
            head = json.loads(stream.read(length))
        tensors = {name: tensor for name, tensor in head.items() if name != "__metadata__"}
        end = max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
        shapes = {name: list(tensor["shape"]) for name, tensor in tensors.items()}
    except OSError as error:
        raise ModelError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ModelError(f"{file} is no safetensors file") from error
    if file.stat().st_size != _LENGTH + length + end:
        raise ModelError(f"{file} has {file.stat().st_size} bytes, its head says {_LENGTH + length + end}")
    return shapes
