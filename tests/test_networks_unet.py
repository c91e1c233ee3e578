"""U-Net, PatchGAN and what goes around them: sizes and parameters counted by hand."""

import pytest
import torch
from torch.nn.functional import instance_norm

from ganctl.colour import lab_of
from ganctl.networks.colouring import Colouring
from ganctl.networks.inpainting import Inpainting
from ganctl.networks.instance import InstanceNorm
from ganctl.networks.interfaces import Translator
from ganctl.networks.patch import PatchDiscriminator, PixelDiscriminator
from ganctl.networks.unet import UNet, evened, mirror_index, mirrored_to


class Constant(Translator):
    """Two or more planes of one value each, which is learned."""

    def __init__(self, *values: float) -> None:
        super().__init__()
        self.values = torch.nn.Parameter(torch.tensor(values))

    def forward(self, image: torch.Tensor, label: torch.Tensor | None = None) -> torch.Tensor:
        self.seen = image
        return self.values[None, :, None, None].expand(len(image), -1, *image.shape[2:])


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_papers_sizes() -> None:
    """Isola et al. 2017, appendix 6.1: 4x4 kernels between the channels written here, all counted.

    A norm's scale and shift make two numbers a channel; a bias stands only where there is no norm.
    """
    weights = 16 * (6 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 1)
    with torch.device("meta"):
        unet = UNet((3, 256, 256))
        patch = PatchDiscriminator((3, 256, 256), (3, 256, 256))
    assert count(patch) == weights + 64 + 1 + 2 * (128 + 256 + 512)
    assert unet.stages()[-1] == (512, 1, 1)
    down = [(3, 64), (64, 128), (128, 256), (256, 512), *[(512, 512)] * 4]
    up = [(512, 512), *[(1024, 512)] * 3, (1024, 256), (512, 128), (256, 64), (128, 3)]
    normed = [after for _, after in down[1:-1]] + [after for _, after in up[:-1]]
    assert count(unet) == 16 * sum(a * b for a, b in down + up) + 2 * sum(normed) + 64 + 512 + 3
    drops = [module.p for module in unet.modules() if isinstance(module, torch.nn.Dropout)]
    assert drops == [0.0] * 4 + [0.5] * 3


@pytest.mark.parametrize(("layers", "field"), [(0, 7), (1, 16), (2, 34), (3, 70), (4, 142)])
def test_receptive_fields(layers: int, field: int) -> None:
    """Two layers of stride 1 see 4 + 3 = 7; each halving before them (7 - 1) * 2 + 4 = 16, and so on."""
    assert PatchDiscriminator((3, 256, 256), layers=layers, width=1).receptive_field == field


def test_one_score_sees_what_it_says() -> None:
    """The gradient of the middle score is zero beyond the receptive field."""
    network = PatchDiscriminator((1, 64, 64), width=2, layers=2, norm="none")
    image = torch.rand(1, 1, 64, 64, requires_grad=True)
    score = network(image)
    score[0, 7, 7].backward()
    seen = image.grad[0, 0].abs() > 0
    assert seen.any(1).sum() == seen.any(0).sum() == network.receptive_field == 34
    assert network.remark() == "each score sees 34x34 pixels"


def test_a_pixel_is_judged_by_itself() -> None:
    network = PixelDiscriminator((1, 5, 6), (2, 5, 6), width=4, norm="none")
    image = torch.rand(1, 3, 5, 6, requires_grad=True)
    score = network(image)
    assert score.shape == (1, 5, 6)
    score[0, 2, 3].backward()
    assert [tuple(place) for place in (image.grad[0].abs().sum(0) > 0).nonzero().tolist()] == [(2, 3)]
    assert network.source_channels == 2


@pytest.mark.parametrize("size", [(4, 4), (5, 9), (16, 16), (28, 28), (96, 32)])
def test_patches_of_small_pictures(size: tuple[int, int]) -> None:
    network = PatchDiscriminator((1, *size), width=2)
    score = network(torch.rand(2, 1, *size))
    assert tuple(score.shape[1:]) == network.sizes[-1]
    assert min(score.shape[1:]) >= 2


def test_too_small_or_unequal_for_patches() -> None:
    with pytest.raises(ValueError, match="a side of 3 pixels is too short for patches; both must be 4 or more"):
        PatchDiscriminator((1, 3, 8))
    with pytest.raises(ValueError, match="sources of 8x8 for pictures of 16x16; only pairs of one size"):
        PatchDiscriminator((3, 16, 16), (3, 8, 8))


def test_halvings_by_size() -> None:
    assert UNet((1, 96, 32), width=1).sizes == [(96, 32), (48, 16), (24, 8), (12, 4), (6, 2), (3, 1)]
    assert UNet((1, 7, 5), width=1).sizes == [(7, 5), (4, 3), (2, 2), (1, 1)]
    assert UNet((1, 32, 32), width=1, depth=3).sizes[-1] == (4, 4)
    assert UNet((1, 1024, 1024), width=1).depth == 8


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (33, 65), (64, 64), (31, 100)])
def test_takes_any_size_once_built(size: tuple[int, int]) -> None:
    network = UNet((2, 32, 32), (3, 32, 32), width=2).eval()
    assert network(torch.rand(1, 3, *size)).shape == (1, 2, *size)


def test_the_largest_map_passes_by_the_bottleneck() -> None:
    """A change of one pixel reaches the output nearby through the first skip: other rows far away hear it less."""
    torch.manual_seed(0)
    network = UNet((1, 16, 16), width=4, norm="none", dropout=0.0).eval()
    image = torch.zeros(1, 1, 16, 16)
    other = image.clone()
    other[0, 0, 8, 8] = 1
    change = (network(other) - network(image)).abs()[0, 0]
    assert change[6:11, 6:11].mean() > 10 * change[:2, :2].mean()


def test_dropout_is_noise_in_training_only() -> None:
    network = UNet((1, 16, 16), width=4)
    image = torch.rand(2, 1, 16, 16)
    assert not torch.equal(network(image), network(image))
    network.eval()
    assert torch.equal(network(image), network(image))


def test_impossible_unets() -> None:
    with pytest.raises(ValueError, match="pictures of 3x8 are too small for a U-Net; both must be 4 or more"):
        UNet((1, 3, 8))
    with pytest.raises(ValueError, match="sources of 8x8 for pictures of 16x16; a U-Net keeps the size"):
        UNet((1, 16, 16), (1, 8, 8))
    with pytest.raises(ValueError, match="depth: 6; a shorter side of 32 can be halved 2 to 5 times"):
        UNet((1, 32, 32), depth=6)
    with pytest.raises(ValueError, match=r"dropout: 1.0; must be 0 or more and less than 1"):
        UNet((1, 32, 32), dropout=1.0)


def test_borders_are_mirrored_and_repeated() -> None:
    assert mirror_index(3, 8).tolist() == [0, 1, 2, 1, 0, 1, 2, 1]
    assert mirror_index(1, 3).tolist() == [0, 0, 0]
    image = torch.tensor([[1.0, 2.0, 3.0]])[None, None]
    assert evened(image)[0, 0].tolist() == [[1, 2, 3, 3], [1, 2, 3, 3]]
    assert mirrored_to(image, 5)[0, 0, 0].tolist() == [1, 2, 3, 2, 1]


def test_instance_norm_is_pytorchs() -> None:
    image = torch.randn(3, 4, 5, 6).to(memory_format=torch.channels_last)
    norm = InstanceNorm(4)
    assert torch.allclose(norm(image), instance_norm(image), atol=1e-5)


def test_colouring_keeps_the_lightness() -> None:
    network = Colouring(Constant(0.1, -0.2), (3, 4, 4), (3, 4, 4))
    source = torch.full((1, 3, 4, 4), 0.0)
    picture = network(source)
    lab, before = lab_of(picture)[0, :, 0, 0], lab_of(source)[0, 0, 0, 0]
    assert torch.allclose(lab, torch.stack((before, torch.tensor(11.0), torch.tensor(-22.0))), atol=0.01)
    assert torch.allclose(network.network.seen, torch.full((1, 1, 4, 4), float(before) / 50 - 1))


def test_colours_beyond_the_screen_are_clipped_and_still_learn() -> None:
    network = Colouring(Constant(1.0, 1.0), (3, 2, 2), (3, 2, 2))
    picture = network(torch.zeros(1, 3, 2, 2))
    assert picture.min() >= -1
    assert picture.max() <= 1
    assert picture[0, 0].max() == 1  # red would be more than there is
    picture[:, 0].sum().backward()
    assert (network.network.values.grad > 0).all()  # less of both would make less red


def test_colouring_does_not_look_at_colours() -> None:
    network = Colouring(Constant(0.0, 0.0), (3, 2, 2), (3, 2, 2))
    red = torch.tensor([1.0, -1.0, -1.0])[None, :, None, None].expand(1, 3, 2, 2)
    assert torch.allclose(network(red), torch.full_like(red, 127.1223 / 127.5 - 1), atol=1e-4)  # L 53.24


def test_colouring_needs_colour() -> None:
    with pytest.raises(ValueError, match="shape: 1 channels to 3; colouring takes 3 and makes 3"):
        Colouring(Constant(0.0, 0.0), (3, 4, 4), (1, 4, 4))


def test_inpainting_paints_the_hole_alone() -> None:
    network = Inpainting(Constant(0.5), (1, 2, 2), (2, 2, 2))
    source = torch.tensor([[[[0.1, 0.2], [0.3, 0.4]], [[1.0, -1.0], [1.0, -1.0]]]])
    assert torch.allclose(network(source), torch.tensor([[[[0.1, 0.5], [0.3, 0.5]]]]))
    assert torch.allclose(network.network.seen[0, 0], torch.tensor([[0.1, 0.0], [0.3, 0.0]]))  # hidden content


def test_inpainting_needs_a_mask() -> None:
    with pytest.raises(ValueError, match="source_shape: 3 channels for pictures of 3; one more is needed"):
        Inpainting(Constant(0.0), (3, 4, 4), (3, 4, 4))
