"""One process's work on a run: builds the parts and hands them to Lightning."""

import logging
import random
import resource
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.strategies import DDPStrategy

from ganctl.callbacks.agreeing import Agreeing
from ganctl.callbacks.checkpoints import Checkpoints
from ganctl.callbacks.gallery import Gallery
from ganctl.callbacks.pace import Stretches
from ganctl.callbacks.progress import ShowProgress, clock
from ganctl.callbacks.recorder import Recorder
from ganctl.callbacks.reporting import Reporting
from ganctl.callbacks.restoring import Restoring
from ganctl.callbacks.state import of_rank
from ganctl.callbacks.stopping import Interrupting, Stopping
from ganctl.config.judging import too_large
from ganctl.data.dataset import Dataset, Table
from ganctl.data.stream import Handed, Stream, derived_seed, fixed
from ganctl.devices import Placement, place, precision_of
from ganctl.errors import INTERRUPTED, OK, Stopped, UserError
from ganctl.games.game import Game
from ganctl.metrics.keys import DOCTOR
from ganctl.module import GameModule
from ganctl.precision import deterministic
from ganctl.runs.store import Run
from ganctl.trained.inheriting import inherit
from ganctl.trained.loading import use_of
from ganctl.training import group, parts
from ganctl.training.hyperparameters import write_hyperparameters

if TYPE_CHECKING:
    from ganctl.callbacks.doctor import Doctor
    from ganctl.callbacks.evaluation import Evaluating

log = logging.getLogger("ganctl")
Config = dict[str, Any]
COLUMNS = 8  # of a sample grid whose rows mean nothing


@dataclass(frozen=True)
class Stage:
    """Where training takes place and with what: all that can be wrong before a run folder is made."""

    placement: Placement
    dataset: Dataset
    table: Table


def set_up(settings: Config) -> Stage:
    """Choose the device and open the data. Raises UserError; nothing is left behind."""
    placement = place(settings["device"])
    dataset = parts.dataset_of(settings)
    apart = group.to_be_started(settings, placement)  # then this process only looks: GPUs are left to those that play
    table = dataset.open(torch.device("cpu") if apart else placement.device_of(group.rank()))
    if settings["batch_size"] > len(table):
        raise UserError(too_large(settings["batch_size"], len(table), dataset.describe().count))
    return Stage(placement, dataset, table)


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside, Ctrl-C is one also before the first round, where Lightning would exit in its own way, deaf to another."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as end:
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt from end


class Session:
    """One process's work on a run, from building to the last checkpoint."""

    def __init__(
        self,
        settings: Config,
        stage: Stage,
        run: Run,
        state: Config | None,
        callbacks: Sequence[pl.Callback] = (),
    ) -> None:
        self.settings, self.run, self.state = settings, run, state
        self.placement, self.dataset, self.table = stage.placement, stage.dataset, stage.table
        self.guests = callbacks  # the caller's own, told last
        self.module: GameModule | None = None
        self.images: int = settings["images"]

    def play(self) -> Config:
        """Train to the end; Stopped after a signal, NotFinite when numbers are lost."""
        with deterministic() if self.settings["trainer"].get("deterministic") else nullcontext():
            return self.trained()

    def trained(self) -> Config:
        """The training itself."""
        seed_everything(self.settings["seed"])
        game = parts.game_of(self.settings).to(memory_format=torch.channels_last)
        if self.state is None and self.settings["init_from"]:
            inherit(game, Path(self.settings["init_from"]))
        elif self.state is None and (lacking := game.orphaned()):
            log.warning("init_from: not given: %s", lacking)
        for notice in self.notices(game):
            log.warning(notice)
        module = self.module = parts.module_of(self.settings, game)
        if self.settings["compile"]:
            compile_networks(game)
        self.prepare(game)
        module.pace = self.pace()
        if group.rank():  # the same networks as the first process, other noise
            torch.manual_seed(derived_seed("rank", self.settings["seed"], group.rank()))
        began = time.monotonic()
        with interruptible():
            self.trainer().fit(module, train_dataloaders=Handed(self.stream(game)))
        return self.conclude(module, time.monotonic() - began)

    def notices(self, game: Game) -> list[str]:
        """The game's; of a resumed run, in which only the length can have changed, those that this brings."""
        told = game.notices(self.state["config"]["images"]) if self.state else ()
        return [notice for notice in game.notices(self.images) if notice not in told]

    def progress(self) -> Config:
        """What status.json says of how far training came; nothing before the first round."""
        if self.module is None or not self.reporting.begun:
            return {}
        return {"images_seen": self.module.images_seen, "seconds": self.reporting.seconds}

    def prepare(self, game: Game) -> None:
        """The callbacks, in the order in which a round's end meets them."""
        trainer, images = self.settings["trainer"], self.images
        columns = game.sheet_columns() or COLUMNS
        count = trainer["preview"] - (trainer["preview"] % columns if trainer["preview"] > columns else 0)  # whole rows
        shown = fixed(self.table.held_out() or self.table, count)
        inputs = game.preview(shown, count, torch.Generator().manual_seed(self.settings["seed"]))
        self.reporting = Reporting(self.run)
        self.stopping = Stopping(images, self.settings.get("minutes"), lambda: self.reporting.seconds)
        self.recorder = Recorder(self.run.metrics_file, trainer["log_every"])
        self.gallery = Gallery(self.run.samples, inputs, self.settings["sample_every"], columns)
        stateful: dict[str, pl.Callback] = {"recorder": self.recorder}
        every, keep = self.settings["checkpoint_every"], self.settings["keep"]
        self.checkpoints = Checkpoints(self.run, self.settings, every, keep, stateful)
        self.doctor = self.doctoring(game)
        self.evaluating = self.evaluation(game)
        if self.evaluating is not None:
            stateful["evaluating"] = self.evaluating
        progress = ShowProgress(images, self.recorder)
        self.callbacks = [
            self.stopping,
            self.recorder,
            self.reporting,
            *([self.doctor] if self.doctor else []),
            *([self.evaluating] if self.evaluating else []),
            self.gallery,  # behind those that may end training, to draw what it ended with
            Interrupting(self.stopping),
            *([Agreeing()] if group.size(self.settings, self.placement) > 1 else []),
            self.checkpoints,
            progress,
            *self.guests,
            *([Restoring(of_rank(self.state, group.rank()), stateful)] if self.state else []),
        ]

    def pace(self) -> Stretches:
        """When the callbacks are told: after each round where several processes have to agree."""
        settings, alone = self.settings, group.size(self.settings, self.placement) == 1
        images = [settings[f"{what}_every"] for what in ("sample", "checkpoint", "evaluate", "doctor")]
        seconds = settings["trainer"]["stretch"] if alone else 0.0
        stopping = self.stopping
        return Stretches(
            seconds, settings["trainer"]["log_every"], images, self.images, lambda: stopping.exit_code != OK
        )

    def evaluation(self, game: Game) -> "Evaluating | None":
        """Scores while training, where they are asked for."""
        every, watch = self.settings["evaluate_every"], watched_score(self.settings)
        if every is None:
            return None
        from ganctl.callbacks.evaluation import Evaluating
        from ganctl.metrics.evaluation import FILE
        from ganctl.metrics.panels import quick_panel

        judge = quick_panel(self.settings, self.dataset, self.table, game, watch, self.placement.torch_device)
        file, keep_best = self.run.folder / FILE, self.checkpoints.keep_best
        return Evaluating(judge, file, every, keep_best, watch, stop=watch is not None)

    def doctoring(self, game: Game) -> "Doctor | None":
        """Checks while training, unless they are switched off; where several processes train, the first one's."""
        every = self.settings["doctor_every"]
        if every is None or group.rank():
            return None
        from ganctl.callbacks.doctor import Doctor
        from ganctl.doctor.examination import Examination
        from ganctl.doctor.history import FILE

        described = self.dataset.describe()
        examination = Examination(self.table, game, described.classes, described.names)
        stop = self.settings["early_stop"] == DOCTOR
        return Doctor(examination, self.recorder, self.run.folder / FILE, every, self.settings, stop)

    def stream(self, game: Game) -> Stream:
        """Batches from where training stands."""
        size = self.settings["batch_size"]
        begin = self.state["images_seen"] if self.state else 0
        processes = group.size(self.settings, self.placement)
        return Stream(
            self.table, lambda seen: game.batch_size(seen, size), self.settings["seed"], begin, group.rank(), processes
        )

    def trainer(self) -> pl.Trainer:
        """Lightning, without the parts that ganctl does itself: checkpoints, progress, lengths."""
        precision = precision_of(self.settings["precision"], self.placement, self.settings["description"]["shape"])
        log.info("device: %s (%s); precision: %s", self.placement.accelerator, self.placement.reason, precision)
        begin = self.state["images_seen"] if self.state else None
        board = TensorBoardLogger(
            self.run.folder, name="", version="", sub_dir="tensorboard", default_hp_metric=False, purge_step=begin
        )
        accelerator, devices = self.placement.accelerator, self.placement.devices
        processes = group.size(self.settings, self.placement)
        return pl.Trainer(
            accelerator="gpu" if accelerator == "cuda" else accelerator,
            devices=list(devices) if accelerator == "cuda" else processes,
            strategy=DDPStrategy(find_unused_parameters=True, broadcast_buffers=False) if processes > 1 else "auto",
            precision=precision,
            max_epochs=-1,
            callbacks=self.callbacks,
            logger=board,
            default_root_dir=self.run.folder,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )

    def conclude(self, module: GameModule, seconds: float) -> Config:
        """What result.json holds; Stopped if a signal ended training."""
        if self.stopping.exit_code:
            how = "interrupted" if self.stopping.exit_code == INTERRUPTED else "terminated"
            message = f"{how} after {module.images_seen:,} images and saved; continue with: "
            raise Stopped(f"{message}ganctl train resume={quote(str(self.run.folder))}", self.stopping.exit_code)
        result = {
            "state": "finished",
            "images_seen": module.images_seen,
            "rounds": module.rounds,
            "seconds": round(self.reporting.seconds, 3),
            "images_per_second": round(self.reporting.speed(module.images_seen), 1),
            "parameters": module.game.parameter_counts(),
            "peak_memory": peak_memory(self.placement.torch_device),
            "losses": self.recorder.latest,
            "best": self.evaluating.best if self.evaluating else None,
            "verdict": self.doctor.verdict.name if self.doctor and self.doctor.verdict else None,
            "folder": str(self.run.folder),
            "use": use_of(module.game, self.settings["description"]),
            "choices": self.settings["choices"],
        }
        write_hyperparameters(self.run.folder / "tensorboard", self.settings, result)
        log.info("%s images in %s", f"{module.images_seen:,}", clock(seconds))
        return result


def watched_score(settings: Mapping[str, Any]) -> str | None:
    """Key of the score by which training may end early, or None."""
    return None if settings["early_stop"] == DOCTOR else settings["early_stop"]


def peak_memory(device: torch.device) -> int:
    """Bytes: of the GPU that tensors took at most; on a CPU, of the whole process, libraries included."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def seed_everything(seed: int) -> None:
    """PyTorch, Python and NumPy, before anything is built."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)


def compile_networks(game: Game) -> None:
    """Compile each network's forward, never the module; penalties, which differentiate twice, stay eager."""
    for network in game.children():
        network.compile()
