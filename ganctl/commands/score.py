"""`ganctl score`: how unlike its training pictures each picture is, as a table and a heat map sheet."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ganctl.commands.arguments import option, parse, words
from ganctl.errors import GanctlError, UserError, noted, together

if TYPE_CHECKING:
    from ganctl.trained.scoring import Scored

TABLE, SHEET = "scores.csv", "highest.png"
MOST_CLASSES = 30  # told one a line


@dataclass
class Arguments:
    """Find anomalies: train on normal pictures, then score others; a high score is a picture the run cannot make.

    ganctl train model=vae dataset=folder dataset.root=PHOTOS dataset.only=[good] dataset.size=64
    ganctl score in=PHOTOS normal=good

    An autoencoder reconstructs; the generator of another run is searched for the nearest picture it can draw.
    """

    run: str | None = option(None, "a run folder, its name, or a checkpoint file; the newest run when not given")
    ckpt: str = option("last", "last, best, or the images seen of a numbered checkpoint, such as 300k")
    in_: str = option("dataset", "a folder or zip; dataset: the test pictures of the run's own data, of all classes")
    out: str | None = option(None, f"folder for {TABLE} and {SHEET}; RUN/scored/... when not given")
    normal: str | None = option(None, "classes (subfolders) that are no anomalies, with commas: tells the AUROC")
    n: int | None = option(None, "score so many pictures, drawn at random; all when not given", least=1)
    steps: int = option(100, "of the search, for generators", least=0)
    features: float = option(0.1, "weight of the discriminator's features in the search", least=0, most=1)
    seed: int = option(0, "of the search, and of the pictures drawn by n", least=0)
    batch_size: int = option(250, "pictures at once; changes the memory needed, not the scores", least=1)
    ema: bool = option(True, "with the averaged weights; false: those of the last round")
    device: int | str = option("auto", "auto, cpu, cuda, mps, idle or the number of a GPU")
    plugins: str = option("", "modules of your own that the run's classes come from, with commas")


def run(argv: list[str]) -> int:
    """Score and write; prints the AUROC where it is known, and where the files are. Returns the exit code."""
    arguments = parse(Arguments, argv, "score")
    from ganctl.logs import aloud
    from ganctl.runs.store import find_checkpoint
    from ganctl.trained.inversion import Search
    from ganctl.trained.scoring import score

    with together() as mistakes:
        with noted(mistakes):
            checkpoint = find_checkpoint(arguments.run, arguments.ckpt)
        with noted(mistakes):
            asked = asked_place(arguments.out) if arguments.out else None
    folder = asked or free_place(checkpoint, arguments.in_)
    with aloud():
        found = score(
            str(checkpoint),
            arguments.in_,
            normal=words(arguments.normal) if arguments.normal else None,
            n=arguments.n,
            search=Search(arguments.steps, arguments.features, seed=arguments.seed),
            batch_size=arguments.batch_size,
            ema=arguments.ema,
            device=arguments.device,
            plugins=words(arguments.plugins),
        )
    write(found, folder)
    print("\n".join([f"{checkpoint}: {len(found.scores):,} pictures scored", *report(found)]))
    print(f"  {folder / TABLE}\n  {folder / SHEET}")
    return 0


def asked_place(out: str) -> Path:
    """The folder that `out=` names. Raises UserError: nothing is ever written over."""
    folder = Path(os.path.expanduser(out))
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise UserError(f"out: {folder} is a file; name a folder")
    for file in (folder / TABLE, folder / SHEET):
        if os.path.lexists(file):
            raise UserError(f"out: {file} exists already; choose another folder, or leave out= away")
    return folder


def free_place(checkpoint: Path, pictures: str) -> Path:
    """A name in scored/ of the checkpoint's run (or beside a checkpoint outside any run) that nothing has yet."""
    from ganctl.runs.store import run_around

    run = run_around(checkpoint)
    folder = (run.folder if run else checkpoint.parent) / "scored"
    title = f"{checkpoint.stem}-{Path(pictures).stem}"
    numbers = ("" if number == 1 else f"-{number}" for number in range(1, 1_000_000))
    names = (folder / f"{title}{number}" for number in numbers)
    return next(path for path in names if not path.exists())


def write(found: "Scored", folder: Path) -> None:
    """The table and the sheet. Raises GanctlError where they cannot be written."""
    from ganctl.pictures import save_picture

    try:
        folder.mkdir(parents=True, exist_ok=True)
        found.write_table(folder / TABLE)
        save_picture(found.sheet(), folder / SHEET)
    except OSError as error:
        raise GanctlError(f"out: {folder}: cannot be written: {error.strerror or error}") from error


def report(found: "Scored") -> list[str]:
    """Each class's mean score, and the AUROC where anomalies are known."""
    normal = found.pile.normal or frozenset()
    classes = found.by_class()
    rows = [
        f"  {name:<{max(map(len, classes))}}  mean {scores.mean():.4g} of {len(scores):,}"
        + ("" if name in normal or not normal else "  anomalies")
        for name, scores in classes.items()
    ]
    auroc = [] if found.auroc is None else [f"  AUROC {found.auroc:.3f} (0.5: chance, 1: all anomalies score highest)"]
    return [*(rows if len(rows) <= MOST_CLASSES else []), *auroc]
