"""From a checked config to a finished run: here or by several processes, from the first image on or resumed."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from ganctl.devices import prepared_cpu
from ganctl.errors import NotFinite, Stopped, UserError
from ganctl.logs import Records, aloud, logged_to
from ganctl.runs import checkpoint, store
from ganctl.runs.status import State
from ganctl.runs.store import Run
from ganctl.training import group
from ganctl.training.session import Session, Stage, set_up

log = logging.getLogger("ganctl")
Config = dict[str, Any]


def train(settings: Config, *, run: Run | None = None, callbacks: Sequence[pl.Callback] = ()) -> Config:
    """Train from the first image on, as `preparation.prepare` settled it; returns the content of result.json."""
    with prepared_cpu(settings["trainer"]["threads"]):
        with aloud(silent=group.started()) as notices:
            stage = set_up(settings)
        with nullcontext(run) if run else store.begun(*folder_of(settings)) as begun:
            if group.to_be_started(settings, stage.placement):
                return play_together(settings, stage, begun, resuming=False, callbacks=callbacks)
            return play(settings, stage, begun, state=None, callbacks=callbacks, notices=notices)


def folder_of(settings: Config) -> tuple[Path, str | None, Config, dict[str, str], int]:
    """What `store.create` makes the run's folder of."""
    return store.outputs_root(), settings["name"], settings, settings["choices"], settings["images"]


def resume(run: Run, settings: Config, *, callbacks: Sequence[pl.Callback] = ()) -> Config:
    """Continue a run from its last good checkpoint, bit for bit as if it had never stopped."""
    with prepared_cpu(settings["trainer"]["threads"]):
        with aloud(silent=group.started()) as notices:
            found = checkpoint.load_newest_good(run)
            for notice in found.notices:
                log.warning(notice)
            demand_more(run, settings, found.content["images_seen"])
            stage = set_up(settings)
        if group.to_be_started(settings, stage.placement):
            return play_together(settings, stage, run, resuming=True, callbacks=callbacks)
        return play(settings, stage, run, state=found.content, callbacks=callbacks, notices=notices)


def demand_more(run: Run, settings: Config, seen: int) -> None:
    """Raise UserError for a run that has come to its end: one more round would make another run of it."""
    status, minutes = store.read_status(run), settings.get("minutes")
    ended = status.state == "finished"
    shortened = settings["images"] != store.read_config(run).get("images")
    if seen >= settings["images"] and (ended or shortened):
        is_what = "is finished" if ended else f"is to have images={settings['images']}"
        raise UserError(
            f"resume: {run.folder} {is_what}, {seen:,} images seen; give a greater length, such as images={2 * seen}"
        )
    if ended and minutes is not None and status.seconds >= 60 * minutes:
        raise UserError(
            f"resume: {run.folder} is finished, its minutes={minutes:g} are over; give more, such as "
            f"minutes={2 * minutes:g}, or minutes=null to reach images={settings['images']}"
        )


def dry_run(settings: Config) -> None:
    """Print what would be trained. Raises UserError for what a training could not begin with."""
    from ganctl.training.plan import plan

    with prepared_cpu(settings["trainer"]["threads"]), aloud():
        print(plan(settings))


def play_together(settings: Config, stage: Stage, run: Run, resuming: bool, callbacks: Sequence[pl.Callback]) -> Config:
    """A process for each device; the data was opened here already, so that none of them finds the cache half built."""
    if callbacks:
        raise UserError("callbacks: a run on several devices is played by other processes; leave them out")
    return group.play_together(run, settings, group.size(settings, stage.placement), resuming)


def play(
    settings: Config,
    stage: Stage,
    run: Run,
    state: Config | None,
    callbacks: Sequence[pl.Callback] = (),
    notices: Records = (),
) -> Config:
    """Train in a run's folder, and leave there how it ended; beside another process, leave the folder to that one.

    notices: what was told before, for the run's log.
    """
    if group.rank():
        with logged_to(run.folder / f"rank{group.rank()}.log", aloud=False):
            return Session(settings, stage, run, state, callbacks).play()
    with run.lock(), logged_to(run.log_file, earlier=notices):
        store.update_status(run, state="running", images=settings["images"])
        if state is not None:
            store.write_config(run, settings)  # its new length, for the next time
        session = Session(settings, stage, run, state, callbacks)
        try:
            result = session.play()
        except BaseException as error:
            store.update_status(run, state=state_after(error), **session.progress())
            if not isinstance(error, (Stopped, NotFinite, KeyboardInterrupt)):
                log.debug("training failed", exc_info=error)
                error.add_note(f"the traceback is in {run.log_file}")
            raise
        store.write_result(run, result)
        store.update_status(run, state="finished", images_seen=result["images_seen"], seconds=result["seconds"])
    return result


def state_after(error: BaseException) -> State:
    """How status.json calls an end by `error`."""
    if isinstance(error, Stopped | KeyboardInterrupt):
        return "interrupted"
    return "not finite" if isinstance(error, NotFinite) else "failed"
