"""`ganctl upscale`: your pictures enlarged by a run of super-resolution; large ones in pieces, without seams."""

from dataclasses import MISSING, asdict, dataclass
from typing import TYPE_CHECKING

from ganctl.commands import translate
from ganctl.commands.arguments import option, parse
from ganctl.errors import UserError

if TYPE_CHECKING:
    from ganctl.trained.translating import Interpreter


@dataclass
class Arguments:
    """Enlarge a file or a folder, e.g.  ganctl upscale run=outputs/first in=photos out=larger

    Every picture becomes a PNG of the same name, larger by the factor that the run was trained for. Transparency is
    enlarged bicubically. Files that cannot be read are skipped and counted.
    """

    in_: str = option(MISSING, "a file, a folder, a zip, or - for standard input")
    out: str = option(MISSING, "a folder, a file for a single picture, or - for standard output")
    run: str | None = option(None, "a run folder, its name, or a checkpoint file; the newest run when not given")
    ckpt: str = option("last", "last, best, or the images seen of a numbered checkpoint, such as 300k")
    tile: int = option(
        translate.TILE, "pixels of a side made at once; less needs less memory, the pictures stay the same", least=1
    )
    overwrite: bool = option(False, "write over pictures that are there already")
    batch_size: int = option(1, "pictures of one size made at once", least=1)
    ema: bool = option(True, "with the averaged weights; false: those of the last round")
    device: int | str = option("auto", "auto, cpu, cuda, mps, idle or the number of a GPU")
    plugins: str = option("", "modules of your own that the run's classes come from, with commas")


def run(argv: list[str]) -> int:
    """Enlarge and write; prints how many. Returns the exit code."""
    arguments = parse(Arguments, argv, "upscale")
    return translate.carry_out(translate.Arguments(**asdict(arguments)), "upscale", demand_enlarging)


def demand_enlarging(translator: "Interpreter") -> None:
    """Raise UserError for runs whose pictures keep their size."""
    if translator.factor == 1:
        name = type(translator.game).__name__
        raise UserError(
            f"{translator.path}: this {name} does not enlarge pictures; make its pictures with ganctl translate, or "
            "train one that does: ganctl train model=srresnet dataset=superres dataset.root=PATH"
        )
