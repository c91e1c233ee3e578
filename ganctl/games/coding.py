"""What every autoencoder can do: reconstruct pictures, draw new ones from its prior, and show both."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ganctl.data.batch import Images, Tensors
from ganctl.games.game import Generative, Task, Translating, Wish
from ganctl.games.painting import LatentInputs
from ganctl.games.prior import Prior
from ganctl.networks.interfaces import Encoder, Generator

COLUMNS, MOST = 8, 32  # pictures in a row of a sheet; originals shown at most


@dataclass(frozen=True)
class Shown(Tensors):
    """What a sheet is made of."""

    image: Tensor  # [N, C, H, W] originals
    noise: Tensor  # [N, code_size] from the prior


class Coding(Generative, Translating):
    """An encoder and a decoder; the rules of learning differ from game to game."""

    directions = ("reconstruct",)
    any_size = False  # a code has one length

    def __init__(self, encoder: Encoder, decoder: Generator, prior: Prior) -> None:
        super().__init__()
        refuse_mismatches(encoder, decoder, prior)
        self.encoder, self.decoder, self.prior = encoder, decoder, prior

    def averaged(self) -> tuple[str, ...]:
        return ("encoder", "decoder")

    def reconstruct(self, image: Tensor) -> Tensor:
        """image [B, C, H, W] in [-1, 1] -> the same from their codes' means."""
        return self.decoder(self.encoder(image).mean).float().clamp(-1, 1)

    def translate(self, image: Tensor, task: Task) -> Tensor:
        if task.direction not in (None, *self.directions):
            raise ValueError(f"direction: {task.direction}; an autoencoder has only {self.directions[0]}")
        if task.target is not None:
            raise ValueError("target: an autoencoder knows no classes; leave it out")
        if tuple(image.shape[1:]) != self.encoder.shape:
            given, taken = ("x".join(map(str, shape)) for shape in (image.shape[1:], self.encoder.shape))
            raise ValueError(f"size: pictures of {given}; this autoencoder was trained on {taken}")
        return self.reconstruct(image)

    def request(self, wish: Wish, generator: torch.Generator) -> LatentInputs:
        refused = [name for name in ("label", "style_mix", "code", "text") if getattr(wish, name) is not None]
        if refused:
            raise ValueError(f"{refused[0]}: an autoencoder draws from its prior alone; leave {refused[0]} out")
        return LatentInputs(self.prior.draw(wish.count, generator=generator, truncation=wish.truncation))

    def paint(self, inputs: LatentInputs) -> Tensor:
        return self.decoder(self.code_of(inputs.noise)).float().clamp(-1, 1)

    def code_of(self, noise: Tensor) -> Tensor:
        """The code that a draw of the prior stands for."""
        return noise

    def preview(self, batch: Images, count: int, generator: torch.Generator) -> Shown:
        """Whole rows of originals; fewer than a row are repeated."""
        rows = max(1, min(count, MOST) // COLUMNS)
        chosen = torch.arange(rows * COLUMNS, device=batch.image.device) % len(batch)
        noise = self.prior.draw(len(chosen), generator=generator)
        return Shown(batch.image[chosen], noise.to(batch.image.device))

    def sheet(self, inputs: Shown) -> Tensor:
        """A row of originals, under it their reconstructions, under these draws from the prior; and so on."""
        kinds = (inputs.image, self.reconstruct(inputs.image), self.paint(LatentInputs(inputs.noise)))
        rows = torch.stack([kind.unflatten(0, (-1, COLUMNS)) for kind in kinds], 1)  # [rows, 3, COLUMNS, C, H, W]
        return rows.flatten(0, 2)

    def sheet_columns(self) -> int:
        return COLUMNS


def refuse_mismatches(encoder: Encoder, decoder: Generator, prior: Prior) -> None:
    """Raise ValueError for parts that each are fine and together mean nothing."""
    if not encoder.code_size == decoder.noise_size == prior.size:
        raise ValueError(
            f"code: the encoder gives {encoder.code_size} numbers, the decoder takes {decoder.noise_size}, the prior "
            f"draws {prior.size}; all three must be equal"
        )
    if decoder.classes:
        raise ValueError("decoder: takes a label, and an autoencoder has none to give; leave its classes out")
