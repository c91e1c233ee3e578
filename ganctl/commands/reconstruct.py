"""`ganctl reconstruct`: your pictures as an autoencoder remembers them; names and sizes stay."""

from dataclasses import MISSING, asdict, dataclass
from typing import TYPE_CHECKING

from ganctl.commands import translate
from ganctl.commands.arguments import option, parse
from ganctl.errors import UserError

if TYPE_CHECKING:
    from ganctl.trained.translating import Interpreter


@dataclass
class Arguments:
    """Reconstruct a file or a folder, e.g.  ganctl reconstruct run=outputs/first in=photos out=remembered

    Every picture is brought to the size of the training, reconstructed, and brought back to its own size.
    To see where pictures and reconstructions differ: ganctl score.
    """

    in_: str = option(MISSING, "a file, a folder, a zip, or - for standard input")
    out: str = option(MISSING, "a folder, a file for a single picture, or - for standard output")
    run: str | None = option(None, "a run folder, its name, or a checkpoint file; the newest run when not given")
    ckpt: str = option("last", "last, best, or the images seen of a numbered checkpoint, such as 300k")
    overwrite: bool = option(False, "write over pictures that are there already")
    batch_size: int = option(16, "pictures of one size made at once", least=1)
    ema: bool = option(True, "with the averaged weights; false: those of the last round")
    device: int | str = option("auto", "auto, cpu, cuda, mps, idle or the number of a GPU")
    plugins: str = option("", "modules of your own that the run's classes come from, with commas")


def run(argv: list[str]) -> int:
    """Reconstruct and write; prints how many. Returns the exit code."""
    arguments = parse(Arguments, argv, "reconstruct")
    return translate.carry_out(translate.Arguments(**asdict(arguments)), "reconstruct", demand_autoencoder)


def demand_autoencoder(translator: "Interpreter") -> None:
    """Raise UserError for runs that make other pictures of pictures."""
    from ganctl.games.coding import Coding

    if not isinstance(translator.game, Coding):
        name = type(translator.game).__name__
        raise UserError(f"{translator.path}: {name} is no autoencoder; make its pictures with ganctl translate")
