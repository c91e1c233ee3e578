"""`ganctl train`: train a model, continue a run, or sweep over settings."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from shlex import quote
from typing import Any

from ganctl.config.schema import TrainConfig
from ganctl.errors import OK, UserError
from ganctl.nearest import hint

FLAGS = ("--help", "--multirun", "--cfg", "--config-dir")
SHORT = {"-h": "--help", "-m": "--multirun", "-c": "--cfg"}


@dataclass
class Line:
    """A command line, taken apart: flags may stand anywhere between the overrides."""

    overrides: list[str] = field(default_factory=list)
    help: bool = False
    cfg: bool = False
    multirun: bool = False
    config_dirs: list[str] = field(default_factory=list)

    @property
    def resumes(self) -> list[str]:
        """What `resume=` was given, if it was."""
        given = [word.partition("=")[2] for word in self.overrides if word.startswith("resume=")]
        return [run for run in given if run not in ("null", "None")]


def run(argv: list[str]) -> int:
    """Train, resume, sweep or print; returns the exit code."""
    line = read(argv)
    if line.help:
        from ganctl.commands.trainhelp import explain

        print(explain(line.config_dirs))
        return OK
    refuse_torchrun()
    if "" in line.resumes:
        raise UserError("resume: no run was named; write resume=newest, or a run's folder (see ganctl list runs)")
    if line.resumes:
        demand_alone(line)
        folder = sweep_meant(line.resumes[0])
        return resume(line) if folder is None else go_on_sweeping(folder, line)
    if line.cfg and line.multirun:
        raise UserError("--cfg: prints the settings of one run; leave out -m, and give each key one value")
    if line.cfg:
        return show_config(line)
    if line.multirun or any(word.startswith(("search=", "trials=")) for word in line.overrides):
        from ganctl.sweeps.many import play_many

        return play_many(line.overrides, line.config_dirs).code
    return train(line)


def read(argv: Sequence[str]) -> Line:
    """Take the flags out of the words. Raises UserError naming every mistake in them."""
    line, words = Line(), iter(argv)
    mistakes: list[str] = []
    for word in words:
        flag, _, value = word.partition("=")
        flag = SHORT.get(flag, flag)
        if not word.startswith("-"):
            line.overrides.append(word)
        elif flag == "--help":
            line.help = True
        elif flag == "--multirun":
            line.multirun = True
        elif flag in ("--cfg", "--config-dir"):
            mistakes += take(line, flag, value or next(words, ""))
        else:
            mistakes.append(f"{word}: no such flag{other_flag(word)}")
    if mistakes:
        raise UserError(*mistakes)
    return line


def take(line: Line, flag: str, value: str) -> Iterator[str]:
    """Store a flag's value; yields what is wrong with it."""
    if flag == "--config-dir" and value:
        line.config_dirs.append(value)
    elif flag == "--config-dir":
        yield "--config-dir: no folder given; write --config-dir DIR"
    elif value == "job":
        line.cfg = True
    else:
        yield f"--cfg: {value or 'nothing'} was given; only job is accepted: --cfg job"


def other_flag(word: str) -> str:
    """What was probably meant by an unknown flag."""
    key = word.lstrip("-")
    if "=" in word:
        return f"; settings have no dashes: {key}"
    if key in {each.name for each in fields(TrainConfig)}:
        return f"; settings have no dashes: {key}=..."
    return hint(f"--{key}", FLAGS) or f"; there are: {', '.join(FLAGS)}"


def refuse_torchrun() -> None:
    """ganctl starts its own processes; started several times by torchrun, each would make a run of its own."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        raise UserError("torchrun: start ganctl train without it; for several GPUs write device=[0,1]")


def show_config(line: Line) -> int:
    """Print the composed YAML, interpolations as they are written."""
    from omegaconf import OmegaConf

    from ganctl.config.preparation import compose

    composed = compose(line.overrides, line.config_dirs)
    if composed.mistakes:
        raise UserError(*composed.mistakes)
    print(OmegaConf.to_yaml(composed.tree), end="")
    return OK


def train(line: Line) -> int:
    """One run from the first image on; with dry_run=true only its plan."""
    from ganctl.config.preparation import compose, prepare

    settings = prepare(compose(line.overrides, line.config_dirs))
    from ganctl.training import start

    if settings["dry_run"]:
        start.dry_run(settings)
    else:
        conclude(start.train(settings))
    return OK


def demand_alone(line: Line) -> None:
    """Raise UserError for flags that mean nothing beside `resume=`, or a second one of it."""
    flags = {"--multirun": line.multirun, "--cfg": line.cfg, "--config-dir": line.config_dirs}
    mistakes = [
        f"{flag}: cannot stand beside resume=, which takes the run's own settings" for flag in flags if flags[flag]
    ]
    if len(line.resumes) > 1:
        mistakes.append(f"resume: given {len(line.resumes)} times; give it once")
    if mistakes:
        raise UserError(*mistakes)


def resume(line: Line) -> int:
    """Continue a run in its folder with its own settings; only a few may change."""
    from ganctl.runs import store

    run = store.find_to_resume(line.resumes[0])
    changes = [word for word in line.overrides if not word.startswith("resume=")]
    from ganctl.config.rechecking import recheck
    from ganctl.training import start

    settings = recheck(store.read_config(run), changes)
    conclude(start.resume(run, settings))
    return OK


def sweep_meant(selector: str) -> Path | None:
    """The folder of a sweep or a search, if the word names one."""
    from ganctl.runs.store import outputs_root, places
    from ganctl.sweeps.plan import PLAN

    return next((path for path in places(selector, outputs_root()) if (path / PLAN).is_file()), None)


def go_on_sweeping(folder: Path, line: Line) -> int:
    """Continue a sweep or a search in its folder."""
    from ganctl.sweeps.many import go_on

    return go_on(folder.absolute(), [word for word in line.overrides if not word.startswith("resume=")]).code


def conclude(result: dict[str, Any]) -> None:
    """Where the pictures and the run are, and what to do next."""
    folder = Path(result["folder"])
    sheets = sorted((folder / "samples").glob("[0-9]*.png"))
    use = result["use"]
    for name, text in {
        "pictures": str(sheets[-1]) if sheets else "none",
        "run": str(folder),
        "draw more": f"ganctl {use} run={quote(str(folder))}" + (" in=FOLDER out=FOLDER" if use != "sample" else ""),
    }.items():
        print(f"  {name:<10} {text}")
