"""What one picture of a latent game is made of, and how it is painted: by noise alone, or by styles as wished."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ganctl.data.batch import Tensors
from ganctl.games.game import Wish
from ganctl.networks.interfaces import Generator, StyleBased


@dataclass(frozen=True)
class LatentInputs(Tensors):
    """One picture a row. The last three are for style-based generators, where somebody wished for them."""

    noise: Tensor  # [B, noise_size]
    label: Tensor | None = None  # [B] class or [B, K] attributes
    truncation: Tensor | None = None  # [B] how far from the mean style, 0 to 1
    second: Tensor | None = None  # [B, noise_size] noise of a second style, which takes over ...
    crossover: Tensor | None = None  # [B] ... at this layer


def styled(inputs: LatentInputs, wish: Wish, generator: Generator, draw: Callable[[int], Tensor]) -> LatentInputs:
    """The inputs with what the wish says about styles; `draw` makes noise. ValueError where there are no styles."""
    if not isinstance(generator, StyleBased):
        if wish.style_mix is not None:
            raise ValueError("style_mix: this model's generator has no styles to mix; stylegan and stylegan2 have")
        return inputs
    if wish.truncation is not None:
        inputs = replace(inputs, truncation=torch.full((wish.count,), float(wish.truncation)))
    if wish.style_mix is not None:
        if not 0 < wish.style_mix < generator.layers:
            accepted = f"accepted are layers 1 to {generator.layers - 1}"
            raise ValueError(f"style_mix={wish.style_mix}: {accepted}, from which a second style takes over")
        crossover = torch.full((wish.count,), wish.style_mix)
        inputs = replace(inputs, second=draw(wish.count), crossover=crossover)
    return inputs


def paint(generator: Generator, inputs: LatentInputs) -> Tensor:
    """Pictures [B, C, H, W], clamped to [-1, 1]: generators without tanh may leave it a little."""
    if isinstance(generator, StyleBased) and (inputs.truncation is not None or inputs.second is not None):
        return paint_styles(generator, inputs).float().clamp(-1, 1)
    return generator(inputs.noise, inputs.label).float().clamp(-1, 1)


def paint_styles(generator: StyleBased, inputs: LatentInputs) -> Tensor:
    """Styles drawn towards the mean, the second one from its layer on, then synthesis."""
    styles = style(generator, inputs.noise, inputs)[:, None].expand(-1, generator.layers, -1)
    if inputs.second is not None and inputs.crossover is not None:
        second = style(generator, inputs.second, inputs)[:, None]
        later = torch.arange(generator.layers, device=styles.device) >= inputs.crossover[:, None]  # [B, layers]
        styles = torch.where(later[:, :, None], second, styles)
    return generator.synthesis(styles)


def style(generator: StyleBased, noise: Tensor, inputs: LatentInputs) -> Tensor:
    """The truncation trick (Karras et al. 2019, appendix B): [B, noise_size] -> [B, style_size]."""
    found = generator.mapping(noise, inputs.label)
    if inputs.truncation is None:
        return found
    return torch.lerp(generator.mean_style.to(found.dtype), found, inputs.truncation[:, None].to(found.dtype))
