"""Which device trains, in which precision, and why."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from ganctl.errors import UserError

LightningPrecision = Literal["32-true", "bf16-mixed", "16-mixed"]


@dataclass(frozen=True)
class Placement:
    """A choice of device and its reason, in words."""

    accelerator: Literal["cpu", "cuda", "mps"]
    devices: tuple[int, ...]  # GPU numbers; (0,) on a CPU
    reason: str

    @property
    def torch_device(self) -> torch.device:
        return self.device_of(0)

    def device_of(self, rank: int) -> torch.device:
        """The device of one of the run's processes."""
        return torch.device(f"cuda:{self.devices[rank]}" if self.accelerator == "cuda" else self.accelerator)


def place(device: Any) -> Placement:
    """`auto`, `cpu`, `cuda`, `mps`, `idle` (the GPU with the most free memory), a GPU's number or a list of them."""
    if isinstance(device, int) and not isinstance(device, bool):
        return _numbered((device,))
    if isinstance(device, Sequence) and not isinstance(device, str):
        return _numbered(tuple(int(number) for number in device))
    if isinstance(device, str) and device.startswith("["):
        raise UserError(f"device: {device}; this command takes one device; give a GPU's number, such as device=0")
    choices = {"auto": _automatic, "cpu": _cpu, "cuda": _cuda, "mps": _mps, "idle": _idle}
    if device not in choices:
        raise UserError(f"device: {device!r}; accepted are {', '.join(choices)} or a list of GPU numbers such as [0,2]")
    return choices[device]()


def absent(device: Any, precision: Any) -> list[str]:
    """What this machine lacks for a device and a precision, in words."""
    try:
        precision_of(precision, place(device))
    except UserError as error:
        return list(error.mistakes)
    return []


def _automatic() -> Placement:
    if torch.cuda.is_available():
        return _idle()
    if torch.backends.mps.is_available():
        return Placement("mps", (0,), "no NVIDIA GPU, but Apple's is here")
    return Placement("cpu", (0,), f"no GPU is visible; {torch.get_num_threads()} CPU threads")


def _cpu() -> Placement:
    return Placement("cpu", (0,), f"as asked; {torch.get_num_threads()} CPU threads")


def _cuda() -> Placement:
    return _numbered((0,))


def _mps() -> Placement:
    if not torch.backends.mps.is_available():
        raise UserError("device: mps was asked for, and this machine has none; set device=auto or device=cpu")
    return Placement("mps", (0,), "as asked")


def _idle() -> Placement:
    if not torch.cuda.is_available():
        raise UserError(
            "device: idle takes the emptiest GPU, and this machine shows no NVIDIA GPU; set device=auto or device=cpu"
        )
    if torch.cuda.device_count() == 1:
        return Placement("cuda", (0,), f"{torch.cuda.get_device_name(0)}, the only one")
    free = _free_memory(torch.cuda.device_count())
    best = max(range(len(free)), key=free.__getitem__)
    name = torch.cuda.get_device_name(best)
    return Placement("cuda", (best,), f"{name}, the most free memory of {len(free)} ({free[best] / 2**30:.0f} GiB)")


def _free_memory(count: int) -> list[int]:
    """Bytes on each GPU, by the driver's own tool: PyTorch would take memory on all of them to answer, and keep it."""
    told = _told_by_driver()
    found = [told.get(str(torch.cuda.get_device_properties(number).uuid)) for number in range(count)]
    known = [size for size in found if size is not None]
    return known if len(known) == count else [torch.cuda.mem_get_info(number)[0] for number in range(count)]


def _told_by_driver() -> dict[str, int]:
    """GPU's own name (UUID) -> bytes free; nothing where the tool is missing."""
    query = ["nvidia-smi", "--query-gpu=uuid,memory.free", "--format=csv,noheader,nounits"]
    try:
        lines = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return {}
    rows = (line.partition(",") for line in lines)
    return {name.removeprefix("GPU-"): int(size) * 2**20 for name, _, size in rows if size.strip().isdigit()}


def _numbered(numbers: tuple[int, ...]) -> Placement:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    missing = [number for number in numbers if not 0 <= number < count]
    if missing or not numbers:
        have = f"it has {', '.join(map(str, range(count)))}" if count else "this machine shows no NVIDIA GPU"
        asked = ", ".join(map(str, missing)) or "an empty list"
        raise UserError(f"device: GPU {asked} was asked for, and {have}; set device=auto or device=cpu")
    return Placement("cuda", numbers, "as asked: " + ", ".join(torch.cuda.get_device_name(n) for n in numbers))


def multiplies_bf16(placement: Placement) -> bool:
    """Whether the hardware multiplies bf16 natively; elsewhere bf16 is emulated and slower than fp32."""
    if placement.accelerator == "cuda":
        return torch.cuda.get_device_capability(placement.devices[0]) >= (8, 0)
    if placement.accelerator == "cpu":
        flags = _cpu_flags()
        return "avx512_bf16" in flags or "amx_bf16" in flags
    return False


def _cpu_flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.split(":")[1].split() for line in lines if line.startswith("flags")), []))


def precision_of(precision: Any, placement: Placement, shape: Sequence[int] = ()) -> LightningPrecision:
    """`auto` takes bf16 only where the hardware multiplies it, and never for points in the plane.

    shape: (C, H, W) of what is trained on. bf16 slows the small layers that points take, and has three digits.
    """
    wanted = str(precision)
    if wanted == "auto":
        points = tuple(shape[1:]) == (1, 1)
        return "bf16-mixed" if multiplies_bf16(placement) and not points else "32-true"
    known: dict[str, LightningPrecision] = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}
    if wanted not in known:
        raise UserError(f"precision: {precision!r}; accepted are auto, 32, bf16, 16")
    if wanted == "16" and placement.accelerator == "cpu":
        raise UserError("precision: 16 needs a GPU; set precision=bf16, precision=32 or precision=auto")
    return known[wanted]


@contextmanager
def prepared_cpu(threads: int | None) -> Iterator[None]:
    """PyTorch's CPU threads, where the user chose a number; and numbers too small to matter become zero.

    Clipped critics and vanishing gradients fill a backward pass with denormal numbers, each of which costs a CPU a
    hundred times an ordinary one. To be entered before other threads start, for they inherit it.
    """
    if threads is not None:
        torch.set_num_threads(threads)
        os.environ["OMP_NUM_THREADS"] = str(threads)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
