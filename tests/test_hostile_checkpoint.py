"""Checkpoints made to harm: refused in words, nothing run."""

import io
import os
import pickle
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_samples import content
from torch import nn
from torch._utils import _rebuild_tensor_v2

from ganctl.errors import UserError
from ganctl.runs import checkpoint
from ganctl.runs.checkpoint import load


class Stored:
    """Stands for a tensor's storage in a pickle made by hand."""

    def __init__(self, numel: int) -> None:
        self.id = ("storage", torch.FloatStorage, "0", "cpu", numel)


class Call:
    """Pickled as the call of a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


class Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        return value.id if isinstance(value, Stored) else None


def by_hand(path: Path, payload: Any, compression: int = zipfile.ZIP_STORED) -> None:
    """A checkpoint file with right checksums and 16 bytes of data, holding any pickle."""
    data = payload
    if not isinstance(payload, bytes):
        buffer = io.BytesIO()
        Pickler(buffer, 2).dump({"kind": checkpoint.KIND, "format": 1, "version": "1", "payload": payload})
        data = buffer.getvalue()
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, entry in {"data.pkl": data, "version": b"3\n", "byteorder": b"little", "data/0": bytes(16)}.items():
            archive.writestr(f"archive/{name}", entry)


def tensor(numel: int, shape: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> Call:
    return Call(_rebuild_tensor_v2, Stored(numel), offset, shape, stride, False, OrderedDict())


def nested(depth: int) -> bytes:
    """A list in a list in a list ..."""
    return b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."


def unfolding() -> list[Any]:
    """40 lists that read as 10^40 entries."""
    inner: list[Any] = []
    for _ in range(40):
        inner = [inner] * 10
    return inner


def endless() -> list[Any]:
    inner: list[Any] = []
    inner.append(inner)
    return inner


HOSTILE = {
    "os.system": lambda marker: Call(os.system, f"touch {marker}"),
    "eval": lambda marker: Call(eval, f"open({str(marker)!r}, 'w')"),
    "exec": lambda marker: Call(exec, f"open({str(marker)!r}, 'w')"),
    "open": lambda marker: Call(open, str(marker), "w"),
    "mkdir": lambda marker: Call(os.mkdir, str(marker)),
    "getattr": lambda marker: Call(getattr, Path(marker), "touch"),
    "torch.load": lambda marker: Call(torch.load, str(marker)),
    "torch.save": lambda marker: Call(torch.save, {}, str(marker)),
    "torch.hub": lambda marker: Call(torch.hub.load, str(marker), "x"),
    "deep in content": lambda marker: {"game": [{"weight": Call(os.system, f"touch {marker}")}]},
    "module": lambda marker: nn.Linear(1, 1),
    "function of torch": lambda marker: Call(torch.ones, 3),
    "deep nesting": lambda marker: nested(100_000),
    "endless": lambda marker: endless(),
    "unfolding": lambda marker: unfolding(),
    "huge shape over nothing": lambda marker: tensor(4, (2**50,), (0,)),
    "overlapping": lambda marker: tensor(4, (4, 4), (0, 1)),
    "record too short": lambda marker: tensor(2**40, (2**40,), (1,)),
    "beyond the record": lambda marker: tensor(4, (4,), (1,), 100),
    "before the record": lambda marker: tensor(4, (4,), (1,), -100),
    "bytes of 64 GB": lambda marker: Call(bytearray, 2**36),
    "set": lambda marker: {1, 2},
    "cut pickle": lambda marker: b"\x80\x02}",
    "no pickle": lambda marker: b"hello",
    "empty pickle": lambda marker: b"",
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_checkpoints_are_refused_and_run_nothing(tmp_path: Path, attack: str) -> None:
    marker = tmp_path / "marker"
    by_hand(tmp_path / "last.ckpt", HOSTILE[attack](marker))
    before = time.monotonic()
    with pytest.raises(UserError) as caught:
        load(tmp_path / "last.ckpt")
    assert time.monotonic() - before < 20
    assert str(caught.value).startswith(f"{tmp_path}/last.ckpt: ")
    assert len(str(caught.value).splitlines()) == 1
    assert "fingerprint" not in str(caught.value)
    assert not marker.exists()


def test_pickled_code_is_called_by_its_name(tmp_path: Path) -> None:
    by_hand(tmp_path / "last.ckpt", Call(os.system, "true"))
    words = r"holds pickled code or foreign objects, which ganctl never runs \(UnpicklingError: .*posix.system"
    with pytest.raises(UserError, match=words):
        load(tmp_path / "last.ckpt")


def test_the_hand_made_file_is_refused_for_its_payload_only(tmp_path: Path) -> None:
    """An honest payload comes as far as the last check, which asks for ganctl's fingerprint."""
    by_hand(tmp_path / "last.ckpt", tensor(4, (2, 2), (2, 1)))
    with pytest.raises(UserError, match=r"damaged: its content does not match its fingerprint$"):
        load(tmp_path / "last.ckpt")


def test_a_zip_bomb_and_a_bare_pickle_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    by_hand(path, ["x" * 10_000_000], zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    with pytest.raises(UserError, match="damaged: the table of contents"):
        load(path)
    path.write_bytes(pickle.dumps(Call(os.system, f"touch {tmp_path}/marker")))
    with pytest.raises(UserError, match=r"not a zip file as torch.save writes it"):
        load(path)
    torch.save(content(), path, _use_new_zipfile_serialization=False)
    with pytest.raises(UserError, match=r"not a zip file as torch.save writes it"):
        load(path)
    assert not (tmp_path / "marker").exists()


def test_what_a_file_says_reaches_no_terminal_unread(tmp_path: Path) -> None:
    torch.save({"kind": checkpoint.KIND, "format": 2, "version": "9\n\x1b[2J"}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match=r"written by ganctl 9\?\?\[2J, format 2"):
        load(tmp_path / "last.ckpt")
