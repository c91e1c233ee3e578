"""Distances between what a fixed network sees in two pictures: VGG19's features, or those of random filters."""

import hashlib
from abc import abstractmethod
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from ganctl.losses.content import ContentLoss
from ganctl.schedules import Schedule

FILE = "vgg19-dcbb9e9d.pth"
URL = f"https://download.pytorch.org/models/{FILE}"
CHECKSUM = "dcbb9e9d"  # how the file's SHA-256 begins
LAYERS = 37  # of VGG19's convolutional part
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, in [0, 1]
WIDTH, DEPTH, SEED = 32, 4, 0  # of the random filters


class FeatureLoss(ContentLoss):
    """Mean squared difference of a fixed network's features.

    The network is made at the first use and is no part of the game's state: a checkpoint does not carry it, and
    pictures are drawn from one without it.
    """

    def __init__(self, weight: float | Schedule = 1.0) -> None:
        super().__init__(weight)
        self.made: list[nn.Module] = []  # a list, so that PyTorch does not take it for a part

    @abstractmethod
    def network(self) -> nn.Module:
        """Three channels in [-1, 1] -> features [B, K, h, w]."""

    def distance(self, output: Tensor, target: Tensor) -> Tensor:
        if not self.made:
            with torch.random.fork_rng(devices=[]):  # first weights are drawn: a resumed run draws them once more
                self.made.append(self.network().eval().requires_grad_(False))
        network = self.made[0].to(output.device)
        with torch.no_grad():
            aim = network(colours(target))
        return mse_loss(network(colours(output)), aim)


class VGG19(FeatureLoss):
    """Ledig et al. 2017, eq. 5, on ImageNet's VGG19 (Simonyan and Zisserman 2015) as torchvision has it.

    layer: index of the last of its layers that is used; 35 is the paper's VGG54, the last convolution with its
    activation. weight: the paper divides features by 12.75, so that their squares compare with squares of pixels.
    weights: the file; None: where PyTorch keeps downloads. Nothing is fetched.
    """

    def __init__(self, weight: float | Schedule = 0.006, layer: int = 35, weights: Path | None = None) -> None:
        super().__init__(weight)
        if not 0 <= layer < LAYERS:
            raise ValueError(f"layer: {layer}; must be 0 to {LAYERS - 1}; 35 is VGG54, 8 is VGG22")
        self.layer, self.file = layer, weights
        if torch.empty(0).is_meta:  # a check before training; to draw pictures from a run, the file is not needed
            self.locate()

    def locate(self) -> Path:
        """The verified file. Raises ValueError in words."""
        path = self.file or Path(torch.hub.get_dir()) / "checkpoints" / FILE
        if not path.is_file():
            raise ValueError(
                f"weights: VGG19 needs {FILE}, and {str(path)!r} is not there; put it there (from {URL}), or choose "
                "features of random filters: model.content._target_=ganctl.losses.vgg.RandomFeatures"
            )
        if not checksum(path, path.stat().st_mtime_ns).startswith(CHECKSUM):
            raise ValueError(f"weights: {str(path)!r} is not the published {FILE}; copy it again from {URL}")
        return path

    def network(self) -> nn.Module:
        from torchvision.models import vgg19

        with torch.device("meta"):  # no first weights, which would be drawn for nothing
            layers = vgg19(weights=None).features
        stored = torch.load(self.locate(), map_location="cpu", weights_only=True)
        part = {key.removeprefix("features."): value for key, value in stored.items() if key.startswith("features.")}
        layers.load_state_dict(part, assign=True)
        return nn.Sequential(Standardised(), *layers[: self.layer + 1])


class RandomFeatures(FeatureLoss):
    """A substitute where VGG19 cannot be had: 3x3 filters drawn once and for all, ReLU, the side halved twice.

    Random filters tell textures apart to some degree (Ustyuzhaninov et al. 2017), and know nothing of objects.
    """

    def notice(self) -> str:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        return (
            "content: features of random filters stand in for those of VGG19 (Ledig et al. 2017, eq. 5); for the "
            f"paper's put {FILE} (from {URL}) into {str(folder)!r}, and set "
            "model.content._target_=ganctl.losses.vgg.VGG19 model.content.weight=0.006"
        )

    def network(self) -> nn.Module:
        chance = torch.Generator().manual_seed(SEED)
        layers: list[nn.Module] = []
        for depth in range(DEPTH):
            before, stride = (WIDTH if depth else 3), 1 + depth % 2
            layer = nn.Conv2d(before, WIDTH, 3, stride, padding=1, bias=False, device="cpu")
            nn.init.normal_(layer.weight, 0.0, (2 / (9 * before)) ** 0.5, generator=chance)  # He et al. 2015
            layers += [layer, nn.ReLU()]
        return nn.Sequential(*layers)


class Standardised(nn.Module):
    """[-1, 1] -> as ImageNet's networks were trained: mean 0 and deviation 1 of each channel."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN, device="cpu")[:, None, None])
        self.register_buffer("deviation", torch.tensor(DEVIATION, device="cpu")[:, None, None])

    def forward(self, image: Tensor) -> Tensor:
        return ((image + 1) / 2 - self.mean) / self.deviation


def colours(image: Tensor) -> Tensor:
    """Three channels of any number: grey thrice, of two the second twice, of four without alpha."""
    last = image.shape[1] - 1
    return image if last == 2 else image[:, [0, min(1, last), min(2, last)]]


@lru_cache(maxsize=4)
def checksum(path: Path, changed: int) -> str:
    """SHA-256 of a file, which `changed` tells apart from what it was before."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
