"""ganctl: train, sample and measure generative adversarial networks from YAML.

From Python, or a notebook:

    import ganctl
    result = ganctl.train("model=dcgan", "dataset=mnist", images="50k")   # the words of the command line
    pictures = ganctl.load(result["folder"]).sample(64, seed=0)           # [64, 1, 32, 32] in [-1, 1]
    ganctl.save_grid(pictures, "digits.png")
    outputs = ganctl.load_translator("outputs/facades").translate(inputs)   # [B, C, H, W] in [-1, 1], both
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganctl.api import resume as resume
    from ganctl.api import train as train
    from ganctl.trained.sampling import load as load
    from ganctl.trained.sampling import save_grid as save_grid
    from ganctl.trained.translating import load_translator as load_translator

__version__ = "0.1.0"

WHERE = {
    "train": "ganctl.api",
    "resume": "ganctl.api",
    "load": "ganctl.trained.sampling",
    "save_grid": "ganctl.trained.sampling",
    "load_translator": "ganctl.trained.translating",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: `ganctl --help` must not wait for torch."""
    if name not in WHERE:
        raise AttributeError(f"module 'ganctl' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(WHERE[name]), name)


def __dir__() -> list[str]:
    return sorted([*WHERE, "__version__"])
