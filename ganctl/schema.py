"""The run's own settings: the typed top level of every composed config. Imports nothing heavy."""

from dataclasses import dataclass, field
from typing import Any

SUFFIXES = {"k": 1_000, "M": 1_000_000}


def quantity(text: str | int | float) -> int:
    """A number of images as people write it: 300k, 2M, 1e6, 50_000 -> int. Raises ValueError in words."""
    plain = str(text).strip()
    factor = SUFFIXES.get(plain[-1:], 1)
    try:
        number = float(plain[:-1] if factor > 1 else plain) * factor
    except ValueError:
        raise ValueError(f"{text!r} is not a number of images; write 300k, 2M, 1e6 or 50000") from None
    if number != int(number):
        raise ValueError(f"{text!r} is not a whole number of images")
    return int(number)


@dataclass
class TrainerConfig:
    """How training is carried out; what is trained lies in the other groups."""

    log_every: int = 50  # rounds between readings of the losses
    clip: float | None = None  # largest gradient norm of a turn; None: no clipping
    threads: int | None = None  # CPU threads; None: PyTorch's own choice
    preview: int = 64  # pictures in a sample grid


@dataclass
class TrainConfig:
    """`ganctl train`'s top level. Lengths and intervals are in images seen and understand k, M and 1e6."""

    images: str = "300k"  # length of training
    batch_size: int = 64  # over all devices
    seed: int = 0
    device: Any = "auto"  # auto | cpu | cuda | mps | idle | [0,2]
    precision: str = "auto"  # auto | 32 | bf16 | 16
    compile: bool = False  # the networks, never the module
    name: str | None = None  # folder under outputs/; None: made of model, dataset and time
    resume: str | None = None  # a run folder or `newest`; handled before composing
    dry_run: bool = False
    sample_every: str = "25k"
    checkpoint_every: str = "25k"
    evaluate_every: str | None = None
    early_stop: str | None = None  # metric to watch, or None
    keep: int = 1  # numbered checkpoints kept beside last and best
    plugins: list[str] = field(default_factory=list)  # modules whose classes a config may name
    dataset: Any = None
    model: Any = None
    loss: Any = None
    augment: Any = None
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
