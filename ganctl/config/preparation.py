"""Compose, then name every mistake at once, before anything is built or any folder is made.

    composed = compose(["model=dcgan", "dataset=mnist", "images=1M"])
    settings = prepare(composed)          # plain, resolved, checked: what a run saves and training takes

What `prepare` returns holds the keys of `schema.TrainConfig` (lengths and intervals as whole numbers of images)
and three more: `choices` (group -> option), `description` (shape, classes, count and names of the dataset) and
`overrides` (as typed).
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ganctl.building.annotations import shown
from ganctl.building.components import plugin_mistakes
from ganctl.config.composition import Composed, compose
from ganctl.config.interpolation import Resolver
from ganctl.config.settings import GROUPS, settle, settle_trainer
from ganctl.errors import UserError
from ganctl.metrics.keys import ANY, DOCTOR, Offer, searching_mistakes, watching_mistakes
from ganctl.nearest import hint
from ganctl.runs.store import mistakes_of_name, outputs_root

if TYPE_CHECKING:
    from ganctl.config.judging import Looked
    from ganctl.data.dataset import Description

__all__ = ["compose", "prepare"]

Config = dict[str, Any]
MODEL_KEYS = ("game", "optimizers", "every", "schedules", "average")
# where the dataset is unknown, to check what does not depend on it
STAND_IN = {"shape": [3, 64, 64], "classes": 10, "source_shape": [3, 64, 64]}


def prepare(composed: Composed, search: str | None = None) -> Config:
    """The composed tree resolved and checked, as plain containers. Raises UserError naming every mistake.

    search: a score that evaluations while training must give.
    """
    return Preparation(composed, search).settings()


class Preparation:
    """One pass from a composed tree to settings; each step adds to `mistakes` and goes on."""

    def __init__(self, composed: Composed, search: str | None = None) -> None:
        self.composed, self.search = composed, search
        self.tree = composed.tree.copy()
        self.mistakes: list[str] = []
        self.resolver = Resolver(self.tree)
        self.sizes_known = False  # of the pictures

    def settings(self) -> Config:
        """All steps; raises UserError if any found a mistake."""
        own = self._own()
        node, looked = self._dataset(own["plugins"])
        groups = {name: self._resolved(name) for name in ("loss", "augment", "model")}
        known = self._check_model(groups["model"], own, node, looked) if self.composed.sound else ANY
        self._check_scores(own, known)
        description = None if looked is None else looked.facts
        refused = {mistake.partition("=")[0] for mistake in self.composed.mistakes}  # were given, though not well
        absent_values = [each for each in self.resolver.mistakes if each.partition(": ")[0] not in refused]
        mistakes = [*self.composed.mistakes, *absent_values, *self.resolver.fresh(self.mistakes)]
        if mistakes or description is None:
            from ganctl.devices import absent

            raise UserError(*dict.fromkeys([*mistakes, *absent(own["device"], own["precision"])]))
        rest = {
            "choices": self.composed.choices,
            "description": plain(description),
            "overrides": self.composed.overrides,
        }
        settings = {**own, "dataset": node, **groups, **rest}
        return settings if own["init_from"] is None else begun_from(settings)

    def _resolved(self, name: str) -> Any:
        return self.resolver.plain(name) if name in self.tree else None

    def _own(self) -> Config:
        """The run's own settings; written back into the tree, so that ${images} is a number."""
        top = {str(name): self._resolved(str(name)) for name in self.tree if name not in GROUPS}
        own = settle(top, self.mistakes)
        own["trainer"] = settle_trainer(self._resolved("trainer"), self.mistakes)
        for name, value in own.items():
            self.tree[name] = value
        typed = [line for line in self.composed.overrides if line.lstrip("+").startswith("plugins=")]
        if own["plugins"] and not typed:
            self.mistakes.append(
                "plugins: stand in a YAML file; name them on the command line, so that it is you who trusts them"
            )
            own["plugins"] = []
        self.mistakes += across(own)
        self.mistakes += [] if own["name"] is None else mistakes_of_name(outputs_root(), own["name"])
        if own["resume"] is not None:
            self.mistakes.append(
                f"resume: {own['resume']} among the settings of a new run; a run goes on by "
                "`ganctl train resume=RUN`, in Python by ganctl.resume(RUN)"
            )
        return own

    def _dataset(self, plugins: Sequence[str]) -> tuple[Any, "Looked | None"]:
        """The dataset's node, and what it is; its shape and classes are put into the tree for ${dataset.shape}."""
        from ganctl.config.judging import look

        node = self._resolved("dataset")
        before = len(self.mistakes)
        looked = look(node, plugins, self.mistakes)
        self.sizes_known = looked is not None and len(self.mistakes) == before
        facts = STAND_IN if looked is None else facts_of(looked.facts)
        self.tree["dataset"] = {**(node if isinstance(node, dict) else {}), **facts}
        return node, looked

    def _check_model(self, model: Any, own: Config, dataset: Any, looked: "Looked | None") -> Offer:
        """What is wrong with the model goes to `mistakes`; returns what it can be scored by."""
        from ganctl.config.judging import judge, offered, scant

        if not isinstance(model, dict):
            self.mistakes.append(f"model: {shown(model)} is not a model; choose one with model=...")
            return ANY
        if not any(model.get(name) for name in MODEL_KEYS):
            option = self.composed.choices.get("model")
            self.mistakes.append(f"model: {option}.yaml says nothing of a game; write it as conf/model/dcgan.yaml is")
            return ANY
        for name in ("every", "schedules"):
            model[name] = model.get(name) or {}
        unfit = self._other_batches(model, dataset, own["plugins"]) or self._labels_absent(model, looked)
        known = self.sizes_known and not unfit and not self.resolver.failed
        self.mistakes += unfit
        game = judge(model, own["plugins"], self.mistakes, sizes_known=known)
        if game is not None:
            self.mistakes += shares_of(own, game.batch_sizes(own["batch_size"]) - {own["batch_size"]})
        if looked is not None and own["batch_size"] > looked.facts.count:
            self.mistakes += scant(looked, own["batch_size"], sound=self.sizes_known)
        if all(isinstance(model.get(key), dict) for key in MODEL_KEYS):
            self._check_use(model)
        return offered(game, looked, self._scored_by(own), self.mistakes)

    def _scored_by(self, own: Config) -> str | None:
        """The setting for which the run is scored, or None."""
        given = {"evaluate_every": own["evaluate_every"], "early_stop": own["early_stop"], "search": self.search}
        return next((name for name, value in given.items() if value not in (None, DOCTOR)), None)

    def _check_scores(self, own: Config, known: Offer) -> None:
        """Scores that are watched or searched by, and that no evaluation gives."""
        watched, searched, every = own["early_stop"], self.search, own["evaluate_every"]
        if searched is not None:
            self.mistakes += searching_mistakes(searched, watched, every, known)
        if watched != searched:
            self.mistakes += watching_mistakes(watched, every, own["doctor_every"], known)

    def _other_batches(self, model: Config, dataset: Any, plugins: Sequence[str]) -> list[str]:
        """The sentence for a model that learns from something else than what the dataset gives."""
        from ganctl.config.judging import kinds

        found = kinds(model.get("game"), dataset, plugins)
        if found is None or issubclass(found[1], found[0]):
            return []
        taken, dealt = found
        model_name, dataset_name = (self.composed.choices.get(group) for group in ("model", "dataset"))
        return [
            f"model={model_name} learns from {taken.called}, and dataset={dataset_name} gives {dealt.called}; "
            f"choose dataset={taken.dataset}"
        ]

    def _labels_absent(self, model: Config, looked: "Looked | None") -> list[str]:
        """The sentence for a model that asks for labels where there are none."""
        asked = any(
            self.resolver.origin(path) == "dataset.classes" for path in self.resolver.origins if "model." in path
        )
        if not asked or looked is None or looked.facts.classes:
            return []
        choices = self.composed.choices
        model_name, dataset = choices.get("model"), choices.get("dataset")
        cure = "choose dataset=cifar10" + (", or give one subfolder a class" if dataset == "folder" else "")
        return [f"model={model_name} needs labels, and dataset={dataset} has none; {cure}"]

    def _check_use(self, model: Config) -> None:
        """Settings that nothing reads: a model's own variables, and a loss or augmentation chosen in vain."""
        mentioned = self.resolver.mentioned
        used = {part for path in mentioned for part in path.split(".")}
        for key in model:
            if key not in MODEL_KEYS and key not in used:
                self.mistakes.append(
                    f"model.{key}: nothing uses it{hint(f'model.{key}', [f'model.{k}' for k in MODEL_KEYS])}"
                )
        for line in self.composed.overrides:
            group = line.lstrip("+").partition("=")[0].split(".")[0]
            if group in ("loss", "augment") and not any(path.split(".")[0] == group for path in mentioned):
                self.mistakes.append(
                    f"{line}: model={self.composed.choices.get('model')} does not use it; leave it out"
                )


def begun_from(settings: Config) -> Config:
    """The settings with the checkpoint that `init_from` means, once it is known to fit. Raises UserError."""
    from ganctl.trained.inheriting import demand_fit, located

    path = located(settings["init_from"])
    demand_fit(settings, path)
    return {**settings, "init_from": str(path)}


def plain(description: "Description") -> Config:
    """A dataset's description as it is saved."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(description).items()}


def across(own: Config) -> list[str]:
    """Mistakes of the run's own settings that no setting shows alone."""
    shares = shares_of(own, [own["batch_size"]])
    clip = own["trainer"]["clip"]
    halved = str(own["precision"]) == "16" and clip is not None
    scaled = [f"trainer.clip: {clip}; gradients are scaled with precision=16; set precision=bf16 or clip=null"]
    return shares + (scaled if halved else []) + plugin_mistakes(own["plugins"])


def shares_of(own: Config, sizes: Collection[int]) -> list[str]:
    """Batch sizes that the run's devices cannot share evenly, in words."""
    count = len(own["device"]) if isinstance(own["device"], list) else own["trainer"]["processes"]
    whose = "batch_size" if own["batch_size"] in sizes else "batch_sizes"
    told = "must be a multiple of {}, the number of devices"
    return [f"{whose}: {size}; {told.format(count)}" for size in sorted(sizes) if size % count]


def facts_of(description: "Description") -> Config:
    """What a model's YAML may ask of the dataset: ${dataset.shape}, ${dataset.classes}, ${dataset.source_shape}."""
    shape = list(description.shape)
    return {"shape": shape, "classes": description.classes, "source_shape": list(description.source or shape)}
