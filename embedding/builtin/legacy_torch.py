"""Reader of the torch checkpoint format from before version 1.6, without torch and without trust.

The file is a sequence: magic number, format version, system information, the object with its tensors as
references, the list of storage keys (each a pickle), then per storage an int64 count and the raw elements.
Source: torch.serialization._legacy_load. A pickle can name any callable to be called; the unpicklers here
know three kinds of names and refuse the rest.
"""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from havengate.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    dtype: str
    count: int


@dataclass(frozen=True, slots=True)
class _TensorRef:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def resolve(self, storages: Mapping[str, npt.NDArray[np.generic]]) -> npt.NDArray[np.generic]:
        data = storages[self.storage.key]
        if any(n < 0 for n in (self.offset, *self.shape, *self.strides)) or len(self.shape) != len(self.strides):
            raise ModelError(f"the weights file has a tensor of shape {self.shape} with strides {self.strides}")
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if 0 not in self.shape and last >= len(data):
            raise ModelError(f"the weights file has a tensor that reaches beyond its storage of {len(data)} elements")
        steps = tuple(step * data.itemsize for step in self.strides)
        view = np.lib.stride_tricks.as_strided(data[self.offset :], self.shape, steps, writeable=False)
        return np.ascontiguousarray(view).reshape(self.shape)


class _PlainUnpickler(pickle.Unpickler):
    """Numbers, texts and containers only."""

    def find_class(self, module: str, name: str) -> object:
        raise ModelError(f"the weights file names {module}.{name}, which a file of tensors has no use for")

    def persistent_load(self, pid: object) -> object:
        raise ModelError(f"the weights file has an unexpected reference {pid!r:.80}")


class _TensorUnpickler(_PlainUnpickler):
    """Also ordered dicts and tensors, the latter as references into storages that follow in the file."""

    def find_class(self, module: str, name: str) -> object:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _DTYPES:
            return name
        return super().find_class(module, name)

    def persistent_load(self, pid: object) -> object:
        match pid:
            case ("storage", str(kind), str(key), str(), int(count), None) if kind in _DTYPES:
                return _Storage(key, _DTYPES[kind], count)
            case _:
                return super().persistent_load(pid)


def _rebuild_tensor(  # the arguments are those that torch pickles
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_gradient: object
) -> _TensorRef:
    return _TensorRef(storage, offset, tuple(shape), tuple(strides))


def read_state_dict(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """Names -> contiguous arrays, equal bit by bit to what torch.load gives.

    Raises ModelError when the file is missing, is of another format, or names anything but tensors.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except (OSError, pickle.UnpicklingError, struct.error, EOFError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"the weights file {path.name} cannot be read: {error}") from error


def _read(file: BinaryIO) -> dict[str, npt.NDArray[np.generic]]:
    magic, version, system = (_PlainUnpickler(file).load() for _ in range(3))
    if (magic, version) != (_MAGIC, _VERSION) or not system["little_endian"]:
        raise ModelError("the weights file is not a little-endian legacy torch checkpoint")
    tensors = _TensorUnpickler(file).load()
    if not isinstance(tensors, dict) or not all(isinstance(ref, _TensorRef) for ref in tensors.values()):
        raise ModelError("the weights file is not a dictionary of tensors")
    declared = {ref.storage.key: ref.storage for ref in tensors.values()}
    keys = _PlainUnpickler(file).load()
    storages = {key: _read_storage(file, declared[key]) for key in keys}
    return {name: ref.resolve(storages) for name, ref in tensors.items()}


def _read_storage(file: BinaryIO, storage: _Storage) -> npt.NDArray[np.generic]:
    (count,) = struct.unpack("<q", file.read(8))
    if count != storage.count:
        raise ModelError(f"the weights file's storage {storage.key} has {count} elements, not {storage.count}")
    dtype = np.dtype(storage.dtype)
    raw = file.read(count * dtype.itemsize)
    if len(raw) != count * dtype.itemsize:
        raise ModelError(f"the weights file ends within storage {storage.key}")
    return np.frombuffer(raw, dtype)
