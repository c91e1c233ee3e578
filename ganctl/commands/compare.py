"""`ganctl compare`: several runs in one table and on one page; trains them first if settings are given."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from ganctl.commands.arguments import explain, option, parse
from ganctl.errors import OK, UserError

if TYPE_CHECKING:
    from ganctl.reports.record import Record
    from ganctl.runs.store import Run

EVALUATIONS = 5  # of each run that is trained here, unless evaluate_every= says otherwise
ENDLESS = "evaluate_every=25k"  # where minutes= ends the runs


@dataclass
class Arguments:
    """Hold runs against each other, e.g.  ganctl compare outputs/first outputs/second

    Names of runs, or of a sweep's folder, are compared as they are. Settings as ganctl train -m takes them are trained
    first, all with the same data, seeds and length:
        ganctl compare model=dcgan,lsgan dataset=mnist images=50k seed=1,2,3
    Scores are ranked only where they were taken under the same conditions; runs on different data are refused.
    """

    out: str | None = option(None, "HTML file to write, and a CSV beside it; in the sweep's folder or in outputs/ else")
    ckpt: str = option("last", "whose samples are shown: last, best, or the images seen of a numbered checkpoint")
    evaluate: bool = option(False, "score every run now, all the same way, as ganctl evaluate does")
    n: int | None = option(None, "samples, with evaluate=true", least=1)


def run(argv: list[str]) -> int:
    """Compare, having trained if asked to; returns the exit code."""
    if "-h" in argv or "--help" in argv:
        print(
            explain(Arguments, "compare").replace("[option=value ...]", "RUN ... | key=value,value ... [option=value]")
        )
        return OK
    from ganctl.commands.train import read

    line = read([word for word in argv if word not in ("-m", "--multirun")])
    if line.cfg:
        raise UserError("--cfg: belongs to ganctl train; leave it out")
    names = [each.name for each in fields(Arguments)]
    own = [word for word in line.overrides if word.partition("=")[0] in names and "=" in word]
    words = [word for word in line.overrides if word not in own]
    arguments = parse(Arguments, own, "compare")
    demand_sense(arguments)
    selectors = [word for word in words if "=" not in word or is_there(word)]
    settings = [word for word in words if word not in selectors]
    if selectors and settings:
        raise UserError(
            f"{settings[0]}: settings train new runs, and cannot stand beside runs that are there ({selectors[0]}); "
            "train first with ganctl train -m, then compare"
        )
    if settings:
        return train_and_compare(settings, line.config_dirs, arguments)
    return compare(records_of(selectors), arguments)


def demand_sense(arguments: Arguments) -> None:
    """Raise UserError for options that would be found wrong, or in vain, when everything is trained."""
    if arguments.n is not None and not arguments.evaluate:
        raise UserError(f"n: {arguments.n}; nothing is scored here; add evaluate=true, or leave n out")
    if arguments.out:
        asked_place(arguments.out)


def asked_place(out: str) -> Path:
    """Where the page goes, and the table beside it. Raises UserError where either would replace something else."""
    from ganctl.reports.files import page_place

    place = page_place(out)
    if not place.exists() and (table := place.with_suffix(".csv")).exists():
        raise UserError(f"out: {table} is there, and the table would replace it; choose another name")
    return place


def train_and_compare(settings: Sequence[str], config_dirs: Sequence[str], arguments: Arguments) -> int:
    """A sweep, and then its runs side by side."""
    from ganctl.config.composition import combinations
    from ganctl.sweeps.launch import split
    from ganctl.sweeps.many import play_many

    runs = combinations(split(settings)[0])
    if len(datasets := sorted({word for run in runs for word in run if word.startswith("dataset=")})) > 1:
        given = ", ".join(word.removeprefix("dataset=") for word in datasets)
        raise UserError(f"dataset: {given}; scores on different data say nothing of each other: give one dataset")
    demand_one_dataset(runs, config_dirs)
    if len(runs) < 2:
        raise UserError("these settings make one run; give several values, such as model=dcgan,lsgan or seed=1,2")
    done = play_many([*settings, *evaluations(settings)], config_dirs)
    if done.folder is None:  # dry_run
        return done.code
    found = inside(done.folder)
    if done.stopped or not found:
        print(f"not compared; what is there can be:  ganctl compare {done.folder}")
        return done.code
    records = records_of([str(done.folder)])
    if done.code and len(absent(records, arguments)) == len(records):  # all failed, and the sweep has said why
        return done.code
    return compare(records, arguments) or done.code


def demand_one_dataset(runs: Sequence[Sequence[str]], config_dirs: Sequence[str]) -> None:
    """Raise UserError where a swept setting of the dataset makes other data of it; mistakes are left to the sweep."""
    own = [[word for word in run if word.startswith("dataset")] for run in runs]
    if all(words == own[0] for words in own):
        return
    from ganctl.config.preparation import compose, prepare
    from ganctl.reports.groups import data_of

    try:
        kinds = {str(data_of(prepare(compose(run, config_dirs)))): words for run, words in zip(runs, own, strict=True)}
    except UserError:
        return
    if len(kinds) > 1:
        given = " against ".join(" ".join(words) for words in list(kinds.values())[:2])
        raise UserError(f"{given}: scores on different data say nothing of each other; compare runs on the same data")


def evaluations(settings: Sequence[str]) -> list[str]:
    """How often the runs are scored, and that none is ended early, where the user did not say."""
    from ganctl.quantities import quantity

    given = dict(word.lstrip("+").partition("=")[::2] for word in settings)
    whole = [] if {"early_stop", "search"} & given.keys() else ["early_stop=null"]  # all of the same length
    if "evaluate_every" in given:
        return whole
    if "minutes" in given and "images" not in given:
        return [ENDLESS, "images=100M", *whole]
    try:
        images = min(map(quantity, given.get("images", "300k").split(",")))
    except ValueError:  # told by the sweep, in its words
        return whole
    return [f"evaluate_every={max(1, images // EVALUATIONS)}", *whole]


def records_of(selectors: Sequence[str]) -> list["Record"]:
    """The runs that are meant, each once. Raises UserError naming every word that is none."""
    from ganctl.reports.record import record
    from ganctl.runs import store

    found: list[Run] = []
    mistakes: list[str] = []
    for selector in selectors:
        try:
            found += (
                inside(sweep) if (sweep := sweep_folder(selector)) else [store.find(selector, needs_checkpoint=False)]
            )
        except UserError as error:
            mistakes += error.mistakes
    if mistakes:
        raise UserError(*mistakes)
    alone = list({each.folder.resolve(): each for each in found}.values())
    if len(alone) < 2:
        given = f"only {alone[0].folder} was given" if alone else "no run was given"
        raise UserError(f"{given}; name two runs or more (see ganctl list runs), a sweep's folder, or settings")
    return [record(each) for each in alone]


def is_there(word: str) -> bool:
    """Whether the word is a place in spite of its `=`, as the runs of a sweep are called."""
    from ganctl.runs.store import outputs_root, places

    return bool(places(word, outputs_root()))


def sweep_folder(selector: str) -> Path | None:
    """The folder of a sweep, where the word names one."""
    from ganctl.runs.store import outputs_root, places, run_around

    there = [path for path in places(selector, outputs_root()) if path.is_dir() and run_around(path) is None]
    return next((path for path in there if inside(path)), None)


def inside(folder: Path) -> list["Run"]:
    """The runs of a sweep, in the order of their names."""
    from ganctl.runs.store import runs_at

    return sorted(runs_at(folder), key=lambda run: run.name)


def compare(records: Sequence["Record"], arguments: Arguments) -> int:
    """The table, the CSV and the page."""
    from ganctl.reports.files import comparison_place, write_page
    from ganctl.reports.groups import demand_same_data, grouped
    from ganctl.reports.page import page
    from ganctl.reports.record import record
    from ganctl.reports.scoring import remarks
    from ganctl.reports.table import csv_text, print_table, table_of
    from ganctl.runs.atomic import write_text

    missing = absent(records, arguments)
    records = [each for each in records if each.name not in missing]
    if not records:
        raise UserError(*missing.values())
    demand_same_data(records)
    place = asked_place(arguments.out) if arguments.out else comparison_place(records)
    if arguments.evaluate:
        evaluate_all(records, arguments)
        records = [record(each.run) for each in records]
    groups = grouped(records)
    table = table_of(groups)
    title = " against ".join(group.title for group in groups) if len(groups) < 4 else f"{len(groups)} recipes"
    print_table(table, f"{title} on {records[0].data}")
    for remark in (*missing.values(), *remarks(records, table.columns)):
        print(f"  {remark}")
    write_page(place, page(groups, f"{title} on {records[0].data}", arguments.ckpt, list(missing.values())))
    write_text(place.with_suffix(".csv"), csv_text(table))
    print(f"  page   {place}\n  table  {place.with_suffix('.csv')}")
    return OK


def absent(records: Sequence["Record"], arguments: Arguments) -> dict[str, str]:
    """Name -> why a run is left out of the comparison that is asked for."""
    from ganctl.reports.scoring import left_out

    return left_out(records, arguments.ckpt if arguments.evaluate or arguments.ckpt != "last" else None)


def evaluate_all(records: Sequence["Record"], arguments: Arguments) -> None:
    """Score each run's checkpoint under one set of conditions."""
    from ganctl.logs import aloud
    from ganctl.metrics.panels import Wanted
    from ganctl.trained.evaluating import evaluate

    with aloud():
        for each in records:
            print(f"evaluating {each.name}", flush=True)
            evaluate(each.run.folder, arguments.ckpt, Wanted(count=arguments.n)).write()
