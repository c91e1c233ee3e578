"""Pretrained networks by way of torch-fidelity: Inception v3, whose scores papers print, and DINOv2."""

import hashlib
from pathlib import Path
from urllib.error import URLError

import torch
from torch import Tensor

from ganctl.data.cache import cache_folder
from ganctl.errors import UserError
from ganctl.metrics.extractors import Extractor, Features, weights_identity
from ganctl.metrics.isolation import isolated

FILE = "weights-inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
TITLES = {"FD": "FID", "KD": "KID"}


def find_weights() -> Path | None:
    """The weights in ganctl's own folder or where PyTorch keeps downloads, if they are there."""
    places = (cache_folder() / FILE, Path(torch.hub.get_dir()) / "checkpoints" / FILE)
    return next((place for place in places if place.is_file()), None)


def locate_weights(given: Path | None, download: bool) -> Path:
    """The verified file. Raises UserError where there is none, or where it is not the published one."""
    path = given or find_weights()
    if path is None and download:
        path = fetch(cache_folder() / FILE)
    if path is None:
        raise UserError(
            f"extractor: inception needs the file {FILE}, which is not here; put it into {cache_folder()} "
            f"(from {URL}), give weights=PATH, or set download=true"
        )
    if not path.is_file():
        raise UserError(f"weights: no such file {str(path)!r}; give the path of {FILE}, or leave weights= out")
    if (found := sha256(path)) != SHA256:
        raise UserError(
            f"weights: {str(path)!r} is not the published {FILE} (SHA-256 {found[:8]}..., expected {SHA256[:8]}...); "
            + ("give another file, or leave weights= out" if given else "delete it and set download=true")
        )
    return path


def fetch(path: Path) -> Path:
    """Download the weights; the checksum is compared before the file gets its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(URL, str(path), hash_prefix=SHA256, progress=True)
    except (URLError, OSError) as error:
        where = f"put the file into {path.parent} by hand"
        raise UserError(f"download: {URL} cannot be reached ({error}); {where}") from None
    except RuntimeError as error:
        raise UserError(f"download: {URL} gave a damaged file ({error}); try again") from None
    return path


def sha256(path: Path) -> str:
    """The checksum of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def three_channels(pixels: Tensor) -> Tensor:
    """[B, 1 or 3, H, W] -> [B, 3, H, W]; grey is repeated. Raises UserError for other pictures."""
    if pixels.shape[1] not in (1, 3):
        raise UserError(
            f"extractor: pretrained networks look at pictures of 1 or 3 channels, not {pixels.shape[1]}; "
            "choose extractor=classifier or extractor=random"
        )
    return pixels.expand(-1, 3, -1, -1).contiguous()


class InceptionExtractor(Extractor):
    """Szegedy et al. 2015 as Heusel et al. 2017 used it: TensorFlow's weights and TensorFlow 1's resize."""

    name = "inception"
    feature_size = 2048
    classes = 1008
    resizer = "bilinear as TensorFlow 1, to 299x299"

    def __init__(self, weights: Path | None = None, download: bool = False) -> None:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        super().__init__()
        path = locate_weights(weights, download)
        with isolated():  # its layers are drawn at random before the weights are read
            layers = ["2048", "logits_unbiased"]
            self.network = FeatureExtractorInceptionV3("inception-v3-compat", layers, str(path))
        self.identity = SHA256[:16]

    def forward(self, pixels: Tensor) -> Features:
        values, logits = self.network(three_channels(pixels))
        return Features(values, logits)

    def title(self, measure: str) -> str:
        return TITLES.get(measure, measure)


class DinoExtractor(Extractor):
    """DINOv2 ViT-B/14, which Stein et al. 2023 advise instead of Inception. Needs the network once."""

    name = "dinov2"
    feature_size = 768
    resizer = "bilinear as TensorFlow 1, to 224x224"

    def __init__(self, download: bool = False) -> None:
        from torch_fidelity.feature_extractor_dinov2 import FeatureExtractorDinoV2

        super().__init__()
        if not download:
            raise UserError(
                "extractor: dinov2 loads its code and weights from facebookresearch/dinov2 on GitHub; "
                "allow it by download=true, or choose another extractor"
            )
        try:
            with isolated():
                self.network = FeatureExtractorDinoV2("dinov2-vit-b-14", ["dinov2"])
        except (URLError, OSError) as error:
            raise UserError(f"download: dinov2 cannot be reached ({error}); choose another extractor") from None
        self.identity = weights_identity(self.network)

    def forward(self, pixels: Tensor) -> Features:
        (values,) = self.network(three_channels(pixels))
        return Features(values)
