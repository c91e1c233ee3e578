"""TensorBoard's HParams tab: what a run was made with, beside the metrics that its curves end with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganctl.config.overrides import parsed

SUFFIX = ".hparams"  # of the event file; it is replaced, so that a continued run is told once
PLAIN = (bool, int, float, str)
OF_THE_FOLDER = ("name", "resume", "dry_run", "plugins")  # overrides that change no result
NUMBERS = ("images_seen", "images_per_second", "seconds")


def hyperparameters(settings: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """Name -> value: the options taken, batch size, length and seed, and whatever else was typed."""
    own = {name: settings[name] for name in ("seed", "batch_size", "images")}
    typed: dict[str, Any] = {}
    for word in settings.get("overrides") or ():
        override = parsed(word, [])
        if override is not None and not override.is_delete() and override.key_or_group not in OF_THE_FOLDER:
            typed[override.key_or_group] = own.get(override.key_or_group, override.value())
    told = {**(settings.get("choices") or {}), **own, **typed}
    return {name: value if isinstance(value, PLAIN) else str(value) for name, value in told.items()}


def write_hyperparameters(folder: Path, settings: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """One event file in a run's TensorBoard folder, in place of the one that an earlier end of the run left.

    No summary of the experiment is written: without it TensorBoard finds all columns of all runs by itself, and takes
    the last point of every curve for the run's metric.
    """
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams

    for old in folder.glob(f"events.out.tfevents.*{SUFFIX}"):
        old.unlink()
    _, start, end = hparams(hyperparameters(settings), {})
    writer = SummaryWriter(str(folder), filename_suffix=SUFFIX)
    for summary in (start, end):
        writer._get_file_writer().add_summary(summary)
    for name in NUMBERS:
        writer.add_scalar(f"training/{name}", result[name], result["images_seen"])
    writer.close()
