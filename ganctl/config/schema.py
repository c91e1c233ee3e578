"""The run's own settings: the typed top level of every composed config. Imports nothing heavy."""

from dataclasses import dataclass, field, fields
from typing import Any

AUTO, TENTH = "auto", "auto: a tenth of the training, 1k to 25k"
FEWEST_BETWEEN, MOST_BETWEEN = 1_000, 25_000  # images


def a_tenth(images: int) -> int:
    """What `auto` means for an interval: a training of any length shows ten pictures, and loses a tenth at most."""
    return max(FEWEST_BETWEEN, min(images // 10, MOST_BETWEEN))


@dataclass(frozen=True)
class Rule:
    """What `--help` says of a setting, and which values it may have beside what its type says."""

    help: str
    least: float | None = None  # inclusive
    above: float | None = None  # exclusive
    most: float | None = None  # inclusive
    among: tuple[str, ...] = ()
    quantity: bool = False  # a number of images, which understands k, M and 1e6


def setting(default: Any, help: str, **limits: Any) -> Any:
    """A dataclass field with its `Rule`; a list is given as a new list to every config."""
    metadata = {"rule": Rule(help, **limits)}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def rules(kind: type) -> dict[str, Rule]:
    """Setting -> its rule, in the order of the dataclass; groups have none."""
    return {each.name: each.metadata["rule"] for each in fields(kind) if "rule" in each.metadata}


@dataclass
class TrainerConfig:
    """How training is carried out; what is trained lies in the other groups."""

    log_every: int = setting(50, "rounds between readings of the losses", least=1)
    clip: float | None = setting(None, "largest gradient norm of a turn; null: no clipping", above=0)
    threads: int | None = setting(None, "CPU threads; null: PyTorch's own choice", least=1)
    processes: int = setting(1, "processes that share a batch on a CPU; for several GPUs: device=[0,1]", least=1)
    preview: int = setting(64, "pictures in a sample grid", least=1)
    stretch: float = setting(0.05, "seconds of rounds between looks at what is due; 0: after every round", least=0)
    deterministic: bool = setting(False, "on a GPU: sums in a fixed order, where PyTorch knows one; slower")


@dataclass
class TrainConfig:
    """`ganctl train`'s top level. Lengths and intervals are in images seen and understand k, M and 1e6."""

    images: str = setting("300k", "length of training, in images seen", quantity=True, least=1)
    minutes: float | None = setting(None, "stop after so many minutes, if images= is not reached before", above=0)
    batch_size: int = setting(64, "images in a round, over all devices", least=1)
    seed: int = setting(0, "first of all random numbers", least=0, most=2**32 - 1)
    device: Any = setting("auto", "auto, cpu, cuda, mps, idle (the emptiest GPU) or GPU numbers: [0,2]")
    precision: str = setting("auto", "auto: bf16 where it is fast", among=("auto", "32", "bf16", "16"))
    compile: bool = setting(False, "compile the networks with torch.compile")
    name: str | None = setting(None, "folder under outputs/; null: made of model, dataset and time")
    resume: str | None = setting(None, "a run to continue: its folder, or newest")
    init_from: str | None = setting(None, "a run whose trained networks this one begins with; resume= ignores it")
    dry_run: bool = setting(False, "open the data, print the checked config, sizes, memory and device, and stop")
    sample_every: str | None = setting(
        AUTO, f"images between sample grids; {TENTH}; null: none", among=(AUTO,), quantity=True, least=1
    )
    checkpoint_every: str | None = setting(
        AUTO, f"images between checkpoints; {TENTH}; null: at the end only", among=(AUTO,), quantity=True, least=1
    )
    evaluate_every: str | None = setting(None, "images between evaluations; null: none", quantity=True, least=1)
    early_stop: str | None = setting(None, "a score to watch; doctor: end when its verdict stays red; null: never")
    doctor_every: str | None = setting("5k", "images between the doctor's checks; null: none", quantity=True, least=1)
    keep: int = setting(1, "numbered checkpoints kept beside last and best", least=0)
    plugins: list[str] = setting([], "your own modules, whose classes a config may name")
    dataset: Any = None
    model: Any = None
    loss: Any = None
    augment: Any = None
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
