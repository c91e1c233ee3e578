"""Orthogonal regularisation: filters of one layer that do not repeat each other, in a generator or a discriminator."""

import torch
from torch import Tensor, nn

from ganctl.losses.generator_penalties import Creation, GeneratorPenalty
from ganctl.losses.regularizers import Critique, Regularizer
from ganctl.schedules import Schedule


def overlap(network: nn.Module) -> Tensor:
    """Brock et al. 2019, eq. 3: sum over layers of |W W^T * (1 - I)|^2; lengths are free, only angles count.

    A row of W is one filter (of a transposed convolution, what one input channel gives); biases, scales and tables of
    labels are left out. Under spectral norm W is the weight as it is stored, before the division.
    """
    layers = [weight.flatten(1) for weight in filters(network)]
    products = [layer @ layer.t() for layer in layers]
    return torch.stack([product.square().sum() - product.diagonal().square().sum() for product in products]).sum()


def filters(network: nn.Module) -> list[Tensor]:
    """The weights of two or more dimensions that are trained, tables of embeddings apart."""
    embeddings = [module for module in network.modules() if isinstance(module, nn.Embedding)]
    tables = {id(weight) for module in embeddings for weight in module.parameters()}  # also what a norm is made of
    return [weight for weight in network.parameters() if weight.ndim > 1 and id(weight) not in tables]


class Orthogonal(GeneratorPenalty):
    """On the generator's weights (Brock et al. 2019, section 3.1)."""

    def __init__(self, weight: float | Schedule = 1e-4, every: int = 1) -> None:
        super().__init__(weight, every)

    def penalty(self, creation: Creation) -> Tensor:
        return overlap(creation.generator)


class OrthogonalCritic(Regularizer):
    """On the discriminator's weights."""

    def __init__(self, weight: float | Schedule = 1e-4, every: int = 1) -> None:
        super().__init__(weight, every)

    def penalty(self, critique: Critique) -> Tensor:
        return overlap(critique.network)
