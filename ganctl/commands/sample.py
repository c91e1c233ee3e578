"""`ganctl sample`: pictures from a checkpoint; needs neither the training data nor its flags."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ganctl.commands.arguments import option, parse, words
from ganctl.errors import GanctlError, noted, together

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from ganctl.trained.sampling import Sampler

EACH, PER_CLASS, TOGETHER = "each", 8, 64
MOST = 10_000_000  # pictures at once: their noise is drawn before the first is painted
TITLE = 60  # characters of a caption or another wish in a file's name


@dataclass(frozen=True)
class Painting:
    """Pictures [B, C, H, W] in [-1, 1] as they are painted, a label for each where asked for, and those in a row."""

    count: int
    batches: "Iterator[Tensor]"
    labels: "Tensor | None"
    columns: int | None


@dataclass
class Arguments:
    """Draw pictures from a run's generator, e.g.  ganctl sample run=outputs/first n=100 seed=1 label=each

    The same seed gives the same pictures for any batch_size.
    """

    run: str | None = option(None, "a run folder, its name, or a checkpoint file; the newest run when not given")
    ckpt: str = option("last", "last, best, or the images seen of a numbered checkpoint, such as 300k")
    n: int | None = option(
        None,
        f"how many pictures: {TOGETHER}; of every class with label=each, of every text: {PER_CLASS}",
        least=1,
        most=MOST,
    )
    seed: int = option(0, "which pictures", least=0)
    label: str | None = option(None, "a class by number or name, or attributes, a,b; each: one class a row")
    batch_size: int = option(64, "painted at once; changes the memory needed, not the pictures", least=1)
    ema: bool = option(True, "with the averaged weights; false: those of the last round")
    format: Literal["grid", "files", "npz"] = option("grid", "one sheet, a folder of PNG, or one uint8 array")
    out: str | None = option(None, "file (or folder, for files) to write; RUN/drawn/... when not given")
    truncation: float | None = option(None, "below 1: fewer kinds of pictures, better ones", least=0)
    style_mix: int | None = option(None, "layer from which a second style takes over (style-based generators)", least=0)
    code: str | None = option(None, "name of the latent code to sweep (InfoGAN)")
    text: str | None = option(None, "caption to paint (captioned games); several, parted by |, get one row each")
    device: int | str = option("auto", "auto, cpu, cuda, mps, idle or the number of a GPU")
    plugins: str = option("", "modules of your own that the run's classes come from, with commas")


def run(argv: list[str]) -> int:
    """Draw and write; prints where. Returns the exit code."""
    arguments = parse(Arguments, argv, "sample")
    from ganctl.commands import drawing
    from ganctl.trained.sampling import load

    path = sampler = None
    with together() as mistakes:
        with noted(mistakes):
            path = drawing.asked_place(arguments.out, arguments.format) if arguments.out else None
        with noted(mistakes):
            plugins = words(arguments.plugins)
            sampler = load(arguments.run, arguments.ckpt, ema=arguments.ema, device=arguments.device, plugins=plugins)
            drawn = painting(sampler, arguments)
            drawing.demand_fit(drawn.count, arguments.format)
    assert sampler is not None  # else a mistake was raised
    path = path or drawing.free_place(sampler.path, title(sampler, arguments), arguments.format)
    try:
        drawing.write(drawn.batches, drawn.labels, path, arguments.format, drawn.columns)
    except OSError as error:
        raise GanctlError(f"out: {path}: cannot be written: {error.strerror or error}") from error
    print(f"{path}  (seed {arguments.seed}; {sampler.path.name}, {sampler.images_seen:,} images seen)")
    return 0


def title(sampler: "Sampler", arguments: Arguments) -> str:
    """A file name that says what was drawn: of which checkpoint, from which seed, and each wish."""
    wishes = {"label": arguments.label, "truncation": arguments.truncation, "style-mix": arguments.style_mix}
    wishes |= {"code": arguments.code, "ema": None if arguments.ema else "false"}
    said = [f"{name}-{safe(str(value))}" for name, value in wishes.items() if value is not None]
    text = [safe(arguments.text)] if arguments.text else []
    return "-".join([sampler.path.stem, f"seed-{arguments.seed}", *said, *text])


def safe(words: str) -> str:
    """Letters, digits and points of some words, with hyphens for all that a file's name may not hold."""
    return re.sub(r"[^\w.]+", "-", words).strip("-.")[:TITLE].strip("-.")


def painting(sampler: "Sampler", arguments: Arguments) -> Painting:
    """What was asked for. Raises UserError naming every wish that the game cannot grant; nothing is painted yet."""
    rows = arguments.label == EACH or arguments.text is not None
    n = arguments.n or (PER_CLASS if rows else TOGETHER)
    wishes = {name: getattr(arguments, name) for name in ("truncation", "style_mix", "code", "text")}
    batches = sampler.batches(n, arguments.seed, arguments.label, arguments.batch_size, **wishes)
    columns = n if arguments.label == EACH else sampler.columns(n, **wishes)
    kinds = sampler.classes if arguments.label == EACH else len((arguments.text or "").split("|"))
    return Painting(n * kinds, batches, sampler.labels(arguments.label, n), columns)
