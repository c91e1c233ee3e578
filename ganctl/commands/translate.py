"""`ganctl translate`: pictures from your pictures, by a run's generator; names and sizes stay."""

import sys
from dataclasses import MISSING, dataclass
from typing import TYPE_CHECKING, Literal

from ganctl.commands.arguments import option, parse, words
from ganctl.errors import GanctlError, UserError, noted, together

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from ganctl.trained.picturefiles import Make, Report
    from ganctl.trained.translating import Interpreter

TILE = 256  # pixels of a side
TOLD = 10  # skipped files that are named


@dataclass
class Arguments:
    """Translate a file or a folder, e.g.  ganctl translate run=outputs/facades in=drawings out=photographs

    Every picture becomes a PNG of the same name and size. Transparency is kept; where the model was trained to fill
    holes (inpaint), the transparent pixels are the hole. Files that cannot be read are skipped and counted.
    """

    in_: str = option(MISSING, "a file, a folder, a zip, or - for standard input")
    out: str = option(MISSING, "a folder, a file for a single picture, or - for standard output")
    run: str | None = option(None, "a run folder, its name, or a checkpoint file; the newest run when not given")
    ckpt: str = option("last", "last, best, or the images seen of a numbered checkpoint, such as 300k")
    direction: str | None = option(None, "of models that know two: a2b or b2a")
    target: str | None = option(None, "class, or attributes with commas (-NAME: without), that the pictures shall show")
    size: Literal["own", "trained"] = option("own", "trained: through the size of the training and back")
    tile: int = option(TILE, "pixels of a side made at once, of models that look only so far", least=1)
    overwrite: bool = option(False, "write over pictures that are there already")
    batch_size: int = option(16, "pictures of one size made at once", least=1)
    ema: bool = option(True, "with the averaged weights; false: those of the last round")
    device: int | str = option("auto", "auto, cpu, cuda, mps, idle or the number of a GPU")
    plugins: str = option("", "modules of your own that the run's classes come from, with commas")


def run(argv: list[str]) -> int:
    """Translate and write; prints how many. Returns the exit code."""
    return carry_out(parse(Arguments, argv, "translate"), "translate")


def carry_out(arguments: Arguments, command: str, demand: "Callable[[Interpreter], None]" = lambda _: None) -> int:
    """The work of `command`; `demand` raises UserError for runs that it is not about."""
    from ganctl.trained import picturefiles
    from ganctl.trained.translating import load_translator

    with together() as mistakes:
        with noted(mistakes):
            inputs = picturefiles.inputs_at(arguments.in_)
            outputs = picturefiles.outputs_at(arguments.out, inputs, overwrite=arguments.overwrite)
        with noted(mistakes):
            plugins = words(arguments.plugins)
            translator = load_translator(
                arguments.run, arguments.ckpt, ema=arguments.ema, device=arguments.device, plugins=plugins
            )
            demand(translator)
    report = picturefiles.process(
        inputs,
        outputs,
        maker(translator, arguments),
        translator.channels,
        batch_size=arguments.batch_size,
        background=translator.config["dataset"].get("background", "white"),
    )
    tell(report, arguments.out, command, f"{translator.path.name}, {translator.images_seen:,} images seen")
    return 0


def maker(translator: "Interpreter", arguments: Arguments) -> "Make":
    """What is done to each batch of pictures."""
    from ganctl.trained.translating import through

    def make(image: "Tensor") -> "Tensor":
        return translator.translate(image, arguments.direction, arguments.target, arguments.batch_size, arguments.tile)

    return make if arguments.size == "own" else through(translator.trained_size, make)


def tell(report: "Report", out: str, command: str, how: str) -> None:
    """How many were written, and which were not. Raises UserError or GanctlError where there is none."""
    skipped = [f"{name!r} ({why})" for name, why in report.skipped.items()]
    more = f" and {len(skipped) - TOLD:,} more" if len(skipped) > TOLD else ""
    names = ", ".join(skipped[:TOLD]) + more
    if not report.written and skipped:
        kind = UserError if len(skipped) == 1 else GanctlError
        raise kind(f"in: not one of {len(skipped):,} pictures could be taken: {names}")
    if skipped:
        print(f"ganctl {command}: {len(skipped):,} skipped: {names}", file=sys.stderr)
    if report.written:
        many = len(report.written) > 1
        print(f"{out if many else report.written[0]}  ({len(report.written):,} picture{'s' * many}; {how})")
