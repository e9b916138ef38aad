import os
import pickle
import struct
from collections import OrderedDict

import numpy as np
import pytest

from embedding.builtin.legacy_torch import read_state_dict
from havengate.errors import ModelError

MAGIC = 0x1950A86A20F9469CFC6C
SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
VALUES = np.arange(6, dtype=np.float32).tobytes()


class Named:
    """Pickles as a call of ``module.name`` without that module being there."""

    def __init__(self, module, name, *arguments):
        self.call = (module, name, arguments)


class Writer(pickle._Pickler):
    """Writes names that need not exist, and tuples marked as storages as persistent references."""

    def persistent_id(self, obj):
        return obj if isinstance(obj, tuple) and obj[:1] == ("storage",) else None

    def save(self, obj, save_persistent_id=True):  # the base class's signature
        if isinstance(obj, Named):
            module, name, arguments = obj.call
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())
            if arguments:
                super().save(arguments)
                self.write(pickle.REDUCE)
            return
        super().save(obj, save_persistent_id)


def tensor(offset=0, shape=(2, 3), strides=(1, 2), kind="FloatStorage", count=6):
    storage = ("storage", Named("torch", kind), "7", "cpu", count, None)
    return Named("torch._utils", "_rebuild_tensor_v2", storage, offset, shape, strides, False, OrderedDict())


@pytest.fixture
def write(tmp_path):
    def write(tensors, magic=MAGIC, system=SYSTEM, count=6, data=VALUES):
        path = tmp_path / "weights.pth"
        with path.open("wb") as file:
            for part in (magic, 1001, system, tensors, ["7"]):
                Writer(file, 2).dump(part)
            file.write(struct.pack("<q", count) + data)
        return path

    return write


def test_tensors_come_out_with_their_strides_and_offsets_applied(write):
    tensors = OrderedDict(a=tensor(), b=tensor(offset=4, shape=(2,), strides=(1,)), c=tensor(5, (), ()))
    arrays = read_state_dict(write(tensors))
    assert arrays["a"].tolist() == [[0, 2, 4], [1, 3, 5]]
    assert arrays["b"].tolist() == [4, 5]
    assert arrays["c"].shape == ()
    assert arrays["c"] == 5


@pytest.mark.parametrize(
    ("module", "name"),
    [("os", "system"), ("builtins", "eval"), ("torch", "load"), ("collections", "Counter"), ("torch._utils", "x")],
)
def test_any_other_name_is_refused_before_it_is_called(write, tmp_path, module, name):
    trace = tmp_path / "trace"
    path = write({"a": Named(module, name, f"touch {trace}")})
    with pytest.raises(ModelError, match=f"names {module}.{name}"):
        read_state_dict(path)
    assert not trace.exists()


def test_a_plain_pickle_that_would_run_a_command_is_refused(tmp_path):
    class Command:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps(Command()))
    with pytest.raises(ModelError, match="mkdir"):
        read_state_dict(path)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "bad",
    [
        {"a": tensor(offset=1)},
        {"a": tensor(shape=(2, 4))},
        {"a": tensor(strides=(1, -2))},
        {"a": tensor(offset=-1)},
        {"a": tensor(kind="FloatStorage", count=9)},
        {"a": 3},
        [1, 2],
    ],
)
def test_tensors_that_reach_outside_their_storage_are_refused(write, bad):
    with pytest.raises(ModelError):
        read_state_dict(write(bad))


@pytest.mark.parametrize("change", [{"magic": 1}, {"system": {"little_endian": False}}, {"data": b"\0" * 23}])
def test_other_formats_and_cut_files_are_refused(write, change):
    with pytest.raises(ModelError):
        read_state_dict(write({"a": tensor()}, **change))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"weights\.pth cannot be read"):
        read_state_dict(tmp_path / "weights.pth")
