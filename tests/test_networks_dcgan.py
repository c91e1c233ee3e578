"""DCGAN's networks as their paper begins them."""

import pytest
import torch
from torch import nn

from ganctl.networks.dcgan import DCGANDiscriminator, DCGANGenerator


@pytest.mark.parametrize("kind", [DCGANGenerator, DCGANDiscriminator])
def test_weights_begin_near_zero_and_scales_near_one(kind: type[nn.Module]) -> None:
    """Radford et al. 2015, section 3: N(0, 0.02) for every layer, not only the last; N(1, 0.02) for batch norm."""
    torch.manual_seed(0)
    layers = [module for module in kind((3, 32, 32), width=32).modules() if getattr(module, "weight", None) is not None]
    scales = torch.cat([layer.weight.detach() for layer in layers if isinstance(layer, nn.BatchNorm2d)])
    weights = [layer.weight.detach() for layer in layers if not isinstance(layer, nn.BatchNorm2d)]
    assert len(weights) == 4  # three halvings or doublings, and a linear map
    for weight in weights:
        assert weight.std().item() == pytest.approx(0.02, rel=0.1)
        assert weight.mean().item() == pytest.approx(0, abs=0.002)
    assert scales.std().item() == pytest.approx(0.02, rel=0.2)
    assert scales.mean().item() == pytest.approx(1, abs=0.005)
