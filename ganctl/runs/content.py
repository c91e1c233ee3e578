"""What a checkpoint may hold: tensors and plain containers, and the fingerprint by which two are compared."""

import hashlib
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

SCALARS = (str, int, float, bool, type(None))
MAX_DEPTH = 64  # containers in containers
MAX_ENTRIES = 200_000  # in all containers together: a few shared lists could otherwise unfold to more than memory
MAX_BITS = 2_000  # of an int: the safe unpickler reads no longer ones


class Copier:
    """Copies nested plain containers; refuses everything else by TypeError, naming the place of the entry."""

    def __init__(self, copy_tensor: Callable[[Tensor], Tensor]) -> None:
        self.copy_tensor = copy_tensor  # may refuse a tensor by TypeError
        self.entries = 0
        self.path: list[Any] = []  # keys and indices from the top to the entry at hand

    def copy(self, value: Any) -> Any:
        """The same value of exact plain types; an OrderedDict becomes a dict."""
        self.entries += 1
        if len(self.path) > MAX_DEPTH or self.entries > MAX_ENTRIES:
            raise self.refusal(f"more than {MAX_DEPTH} containers deep or {MAX_ENTRIES:,} entries")
        if isinstance(value, Tensor):
            return self.tensor(value)
        kind = type(value)
        if kind in (dict, OrderedDict):
            return {self.key(key): self.within(key, item) for key, item in value.items()}
        if kind in (list, tuple):
            return kind(self.within(index, item) for index, item in enumerate(value))
        if kind not in SCALARS or (kind is int and value.bit_length() > MAX_BITS):
            raise self.refusal(
                f"a {kind.__module__}.{kind.__qualname__}; a checkpoint holds only tensors, dict, list, tuple, "
                f"str, int (up to {MAX_BITS} bits), float, bool and None"
            )
        return value

    def within(self, key: Any, item: Any) -> Any:
        """The copy of an entry of the container at hand."""
        self.path.append(key)
        copied = self.copy(item)
        self.path.pop()
        return copied

    def key(self, key: Any) -> Any:
        """A key as it is."""
        if type(key) not in SCALARS:
            raise self.refusal(f"the key {key!r} is a {type(key).__qualname__}; use str or int")
        return key

    def tensor(self, tensor: Tensor) -> Tensor:
        """The copy of a tensor."""
        try:
            return self.copy_tensor(tensor)
        except TypeError as error:
            raise self.refusal(str(error)) from error

    def refusal(self, reason: str) -> TypeError:
        """The error for the entry at hand."""
        place = "".join(f"[{key!r}]" for key in self.path)
        return TypeError(f"content{place}: {reason}")


def plain(content: Any) -> Any:
    """A copy of plain containers; tensors detached, on the CPU, without unused storage, not copied if they are so.

    Raises TypeError naming the place of an entry that a checkpoint cannot hold.
    """
    return Copier(compacted).copy(content)


def compacted(tensor: Tensor) -> Tensor:
    """The tensor on the CPU, in a storage of exactly its size: torch.save writes the whole storage under a view."""
    tensor = dense(tensor.detach()).cpu()
    return tensor if fills_storage(tensor) else tensor.clone(memory_format=torch.contiguous_format)


def already_compact(tensor: Tensor) -> Tensor:
    """The tensor itself. Raises TypeError unless it is as `compacted` leaves it (a tiny file can claim any shape)."""
    if not fills_storage(dense(tensor)):
        raise TypeError(f"a tensor of shape {list(tensor.shape)} over a storage of another size")
    return tensor


def dense(tensor: Tensor) -> Tensor:
    """The tensor itself. Raises TypeError for one that has no plain bytes."""
    if type(tensor) is not Tensor or tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized:
        raise TypeError(f"a {type(tensor).__name__} on {tensor.device}, {tensor.layout}; only dense tensors")
    return tensor


def fills_storage(tensor: Tensor) -> bool:
    """Whether the tensor has every byte of its storage, once."""
    return tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()


def num_bytes(content: Any) -> int:
    """Bytes of all tensors in plain containers."""
    if isinstance(content, Tensor):
        return content.numel() * content.element_size()
    if isinstance(content, dict):
        return sum(num_bytes(item) for item in content.values())
    return sum(num_bytes(item) for item in content) if isinstance(content, (list, tuple)) else 0


def fingerprint(content: Any) -> str:
    """SHA-256 of types, keys (their order does not count), scalars and tensors (dtype, shape, bytes).

    Equal for two contents that are equal bit for bit, whichever device or memory layout their tensors have.
    """
    digest = hashlib.sha256()
    feed(digest.update, plain(content))
    return digest.hexdigest()


def feed(update: Callable[[Any], None], value: Any) -> None:
    """Hand plain content to a hash; each piece says its type and length, so that no two contents read alike."""
    if isinstance(value, Tensor):
        update(f"tensor {value.dtype} {list(value.shape)};".encode())
        update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return
    update(f"{type(value).__name__} ".encode())
    if isinstance(value, dict):
        update(f"{len(value)};".encode())
        for key in sorted(value, key=lambda key: (type(key).__name__, repr(key))):
            feed(update, key)
            feed(update, value[key])
    elif isinstance(value, (list, tuple)):
        update(f"{len(value)};".encode())
        for item in value:
            feed(update, item)
    else:
        data = struct.pack("<d", value) if isinstance(value, float) else str(value).encode("utf-8", "surrogatepass")
        update(f"{len(data)};".encode() + data)
