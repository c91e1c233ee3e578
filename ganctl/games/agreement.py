"""Whether a picture agrees with its caption, told apart from whether it is real."""

from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize


class Agreement(nn.Module):
    """Zhang et al. 2021 (XMC-GAN), eq. 4: of all captions of the batch, a picture finds its own.

    A head brings the discriminator's features to the length of a caption's vector; their cosine over `temperature` is
    the logit. It learns from real pictures with the discriminator, and the generator's pictures must be recognised.
    Captions that say the same are one answer. A small discriminator that tells real from painted at a glance asks for
    no more than the colour; this term asks for whatever sets captions apart.

    weight: of the term, in both turns.
    """

    def __init__(self, weight: float = 1.0, temperature: float = 0.1) -> None:
        super().__init__()
        if weight < 0 or temperature <= 0:
            raise ValueError(f"weight: {weight}, temperature: {temperature}; must be 0 or more, and more than 0")
        self.weight, self.temperature = weight, temperature
        self.head: nn.Module = nn.Identity()

    def attach(self, feature_size: int, text_size: int) -> None:
        """Make the head."""
        self.head = nn.Linear(feature_size, text_size)

    def forward(self, features: Tensor, text: Tensor, same: Tensor) -> Tensor:
        """features [B, ...] of pictures, text [B, text_size] of their captions, same [B, B] bool -> weighted scalar."""
        answers = same.float()
        return self.weight * cross_entropy(self.logits(features, text), answers / answers.sum(1, keepdim=True))

    def logits(self, features: Tensor, text: Tensor) -> Tensor:
        """Of each picture for each caption, [B, B]."""
        pictures = normalize(self.head(features.flatten(1)).float(), dim=1)
        return pictures @ normalize(text.float(), dim=1).T / self.temperature
