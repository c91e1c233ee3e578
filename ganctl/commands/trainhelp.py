"""What `ganctl train --help` prints: made from the YAML files and the schema, nothing heavy imported."""

from collections.abc import Sequence
from dataclasses import fields
from textwrap import fill

from ganctl.config import confdir, conftree
from ganctl.config.schema import TrainConfig, rules

GROUPS = ("model", "dataset", "loss", "augment")  # the others hold details
COMMON = (
    "images",
    "batch_size",
    "seed",
    "device",
    "precision",
    "name",
    "sample_every",
    "checkpoint_every",
    "dry_run",
    "resume",
    "init_from",
)
SEARCH = {
    "search=SCORE": "let Optuna choose among key=a,b and 'key=interval(1e-5,1e-3)' for the best score, such as fd",
    "trials=20": "how many it may play; sick ones are stopped early",
    "resume=FOLDER": "go on with a sweep or a search that was interrupted; trials= gives a search more",
}
FLAGS = {
    "-m, --multirun": "a sweep: every value of every key=a,b, each in a run folder of its own",
    "--cfg job": "print the composed YAML and stop",
    "--config-dir DIR": "a folder of your own YAML, which adds options and replaces ganctl's",
    "-h, --help": "this",
}
EXAMPLES = """\
  ganctl train model=dcgan dataset=mnist
  ganctl train model=dcgan dataset=folder dataset.root=photos images=1M name=first
  ganctl train model=dcgan loss=hinge model.optimizers.generator.lr=1e-4 dry_run=true
  ganctl train resume=newest images=2M
  ganctl train -m model=dcgan,lsgan seed=1,2 hydra/launcher=joblib hydra.launcher.n_jobs=2"""


def explain(config_dirs: Sequence[str] = ()) -> str:
    """The whole page. Raises UserError for a missing folder of the user's."""
    places = confdir.places(config_dirs)
    blocks = [
        "usage: ganctl train [group=option ...] [key=value ...] [flags]",
        "Train a generative adversarial network; everything is a YAML file that the command line changes.",
        "groups (what is trained; ganctl list explains each option)\n" + options(places),
        "settings (of ganctl train --cfg job, which shows all)\n" + settings(),
        "search\n" + "\n".join(f"  {words:<21} {meaning}" for words, meaning in SEARCH.items()),
        "flags (anywhere on the line)\n" + "\n".join(f"  {flag:<21} {words}" for flag, words in FLAGS.items()),
        "examples\n" + EXAMPLES,
    ]
    return "\n\n".join(blocks)


def options(places: conftree.Places) -> str:
    """The groups with their options."""
    picks = conftree.chosen([], places)
    first = [group for group in GROUPS if group in conftree.groups(places)]
    rest = [group for group in conftree.groups(places) if group not in GROUPS]
    lines = []
    for group in (*first, *rest):
        names = (f"{name}*" if name == picks.get(group) else name for name in conftree.options(group, places))
        lines.append(fill(", ".join(names), 100, initial_indent=f"  {group + '=':<21} ", subsequent_indent=" " * 24))
    return "\n".join([*lines, " " * 24 + "* unless another is given"])


def settings() -> str:
    """The settings that people change most."""
    told, defaults = rules(TrainConfig), {each.name: each.default for each in fields(TrainConfig)}
    shown = {name: "" if defaults[name] is None else str(defaults[name]).lower() for name in COMMON}
    return "\n".join(
        f"  {f'{name}={value}':<21} {told[name].help}".replace("=   ", "=...", 1) for name, value in shown.items()
    )
