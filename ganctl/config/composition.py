"""Hydra's side: overrides and YAML become one tree. Nothing stops at the first mistake."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, MissingConfigException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf, open_dict

from ganctl.config import confdir, conftree
from ganctl.config.overrides import Typed, parsed
from ganctl.config.schema import TrainConfig
from ganctl.errors import UserError
from ganctl.nearest import hint

SCHEMA = "train_schema"
NO_LOSS = "Could not override 'loss'"  # Hydra's words
NEWER = tuple(int(part) for part in hydra.__version__.split(".")[:2]) >= (1, 4)
VERSION_BASE = {} if NEWER else {"version_base": "1.3"}  # an argument that newer versions deprecate


@dataclass
class Composed:
    """A composed tree, and what was wrong on the way there; `preparation.prepare` tells it with all the rest."""

    tree: DictConfig  # interpolations unresolved
    choices: dict[str, str]  # group -> option
    overrides: list[str]  # as typed
    mistakes: list[str] = field(default_factory=list)
    sound: bool = True  # False: an option does not exist, and another one stands in its place


class UserFolders(SearchPathPlugin):
    """Puts the user's folders before ganctl's own, so that they may add options and replace them."""

    folders: tuple[Path, ...] = ()

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder in self.folders:  # each directly before ganctl's own, so behind the one before
            search_path.prepend("ganctl-user", f"file://{folder}", anchor=SearchPathQuery(provider="main"))


def register(config_dirs: Sequence[str | Path] = ()) -> None:
    """Tell Hydra of the schema and the user's folders; may be called again. Raises UserError for a missing folder."""
    mend_argparse()
    if primary := confdir.primary(config_dirs):
        demand_use(primary)
    UserFolders.folders = tuple(confdir.user_dirs(config_dirs))
    Plugins.instance().register(UserFolders)
    store = ConfigStore.instance()
    if f"{SCHEMA}.yaml" not in store.repo:
        # Plain values: settings.py checks them, all at once and in its own words, where a typed node would stop.
        store.store(name=SCHEMA, node=asdict(TrainConfig()), provider="ganctl")


def demand_use(primary: Path) -> None:
    """Raise UserError for a train.yaml of the user's that cannot stand for ganctl's own."""
    document = conftree.read(primary)
    if not conftree.picked(document):
        raise UserError(
            f"{primary}: stands in the place of ganctl's own and chooses no model or dataset; begin with a copy of "
            f"{confdir.conf_dir() / confdir.PRIMARY}, or call it something else"
        )
    if "hydra" in document:
        raise UserError(f"{primary}: hydra: belongs on the command line, such as hydra/launcher=joblib; take it out")


def mend_argparse() -> None:
    """Python 3.14 checks help texts early, and Hydra 1.3 gives one that is no text (facebookresearch/hydra#3121)."""
    original = getattr(argparse._ActionsContainer, "_check_help", None)
    if original is None or getattr(original, "_mended", False):
        return

    def check_help(self: Any, action: argparse.Action) -> None:
        if isinstance(action.help, str):
            original(self, action)

    check_help._mended = True  # type: ignore[attr-defined]
    argparse._ActionsContainer._check_help = check_help  # type: ignore[attr-defined]


@contextmanager
def hydra_session() -> Iterator[None]:
    """Hydra's compose API on conf/, also while hydra.main runs."""
    world = GlobalHydra.instance()
    outer, world.hydra = world.hydra, None  # Hydra's own backup is a copy
    try:
        with hydra.initialize_config_dir(str(confdir.conf_dir()), **VERSION_BASE):
            yield
    finally:
        GlobalHydra.instance().hydra = outer


def compose(overrides: Sequence[str] = (), config_dirs: Sequence[str | Path] = ()) -> Composed:
    """Compose conf/train.yaml with these overrides; those that make no sense are left out and told in `mistakes`.

    Raises UserError only where nothing can be composed: a missing folder, or YAML that cannot be read.
    """
    register(config_dirs)
    typed = Typed(overrides, confdir.places(config_dirs))
    with hydra_session():
        base = _base(typed)
        passed = [*typed.options, *typed.lines(base)]
        tree = base if passed == typed.options else _with_values(passed, typed)
    choices = {key.split("@")[0]: value for key, value in tree.hydra.runtime.choices.items() if "hydra" not in key}
    with open_dict(tree):
        del tree["hydra"]
    OmegaConf.set_struct(tree, False)
    return Composed(tree, choices, list(overrides), typed.mistakes, typed.sound)


def _base(typed: Typed) -> DictConfig:
    """The options alone; without a loss for a model that names none to be replaced, which is told with its use."""
    try:
        return _composed(typed.options, typed.mistakes)
    except UserError as error:
        if NO_LOSS not in str(error):
            raise
    typed.options = [line for line in typed.options if line.partition("=")[0] != "loss"]
    return _composed(typed.options, typed.mistakes)


def _composed(lines: list[str], mistakes: Sequence[str] = ()) -> DictConfig:
    try:
        return hydra.compose("train", overrides=lines, return_hydra_config=True)
    except Exception as error:  # also what YAML's reader raises
        raise UserError(*mistakes, composition_error(error)) from error


def _with_values(lines: list[str], typed: Typed) -> DictConfig:
    """All together; where that fails, without those that fail alone."""
    try:
        return _composed(lines)
    except UserError as together:
        good = list(typed.options)
        for line in lines[len(good) :]:
            try:
                _composed([*typed.options, line])
                good.append(line)
            except UserError as alone:
                typed.mistakes.append(f"{line}: {alone}")
        if len(good) == len(lines):
            raise UserError(*typed.mistakes, *together.mistakes) from together
        return _composed(good, typed.mistakes)


def composition_error(error: BaseException) -> str:
    """Hydra's and OmegaConf's words on one line, without advice that is not ganctl's."""
    cause = error.__cause__ or error
    text = str(error) if isinstance(error, HydraException) and str(error) else str(cause)
    lines = [line.strip() for line in text.splitlines() if line.strip() and "HYDRA_FULL_ERROR" not in line]
    told = " ".join(lines[:3]) or type(cause).__name__
    if isinstance(cause, RecursionError):
        told = "a YAML's defaults list leads back to that YAML; a file that replaces another cannot build on it"
    if isinstance(error, MissingConfigException):
        told = lines[0] + hint((error.missing_cfg_file or "").rpartition("/")[2], error.options or [])
    return f"the YAML cannot be composed: {told}"


def combinations(overrides: Sequence[str]) -> list[list[str]]:
    """The runs of a sweep: every choice of every `key=a,b`, `choice(a,b)` or `range(1,4)`, the last key fastest.

    Raises UserError for overrides that cannot be read or counted (an interval).
    """
    mistakes: list[str] = []
    columns = []
    for text in overrides:
        override = parsed(text, mistakes)
        if override is None or not override.is_sweep_override():
            columns.append([text])
        elif override.is_discrete_sweep():
            columns.append([f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()])
        else:
            mistakes.append(f"{text}: an interval cannot be counted; write the values: a,b,c, or let search=fd choose")
    if mistakes:
        raise UserError(*mistakes)
    return [list(run) for run in product(*columns)]
