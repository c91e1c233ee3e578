"""The text encoders: which captions become equal vectors and which must not; StackGAN's networks stage by stage."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest
import torch
from torch import Tensor

from ganctl.networks.captions import CaptionBigGANGenerator, CaptionResNetDiscriminator
from ganctl.networks.sentence import Sentences
from ganctl.networks.stackgan import StackGANDiscriminator, StackGANGenerator, StackGANRefiner
from ganctl.networks.text import HashedWords, hashed_words
from ganctl.text import as_bytes

SHAPES = [(3, 32, 32), (1, 28, 28), (2, 100, 100), (4, 96, 32), (3, 16, 16)]


@pytest.fixture
def encoder() -> HashedWords:
    torch.manual_seed(0)
    return HashedWords(text_size=8, width=16).eval()


def test_a_word_is_the_sum_of_its_bytes_times_powers():
    """ab: 97 + 98 * 257 = 25283, modulo 1000 is 283, plus one as row 0 means no word; the second: 97 + 98 * 65599."""
    rows = hashed_words(as_bytes(["ab"]), words=3, buckets=1000)
    assert rows.tolist() == [[[284, 0, 0]], [[(97 + 98 * 65_599) % 1000 + 1, 0, 0]]]


def test_words_are_parted_by_all_that_is_no_letter_or_digit():
    one, two = hashed_words(as_bytes(["a red circle", " A-RED,,circle!"]), words=4, buckets=4096).unbind(1)
    assert torch.equal(one, two)
    assert (one > 0).sum(1).tolist() == [3, 3]


def test_letters_beyond_ascii_belong_to_words():
    rows = hashed_words(as_bytes(["grüner kreis", "青い"]), words=4, buckets=4096)
    assert (rows[0] > 0).sum(1).tolist() == [2, 1]


def test_later_words_are_not_read():
    rows = hashed_words(as_bytes(["a b c d", "a b x y"]), words=2, buckets=4096)
    assert torch.equal(rows[:, 0], rows[:, 1])
    assert bool((rows > 0).all())


def test_padding_says_nothing(encoder):
    caption = as_bytes(["a red circle"])
    longer = torch.nn.functional.pad(caption, (0, 50))
    assert torch.equal(encoder(caption), encoder(longer))


def test_a_caption_does_not_hang_on_its_neighbours(encoder):
    together = encoder(as_bytes(["a red circle", "a much longer caption of a blue square"]))
    assert torch.allclose(together[:1], encoder(as_bytes(["a red circle"])), atol=1e-6)


def test_the_order_of_words_counts(encoder):
    one, other = encoder(as_bytes(["red on blue", "blue on red"]))
    assert (one - other).abs().max() > 0.01


def test_vectors_have_mean_zero_and_variance_one(encoder):
    text = encoder(as_bytes(["a red circle", "zyxwv", ""]))
    assert text.shape == (3, 8)
    assert torch.allclose(text.mean(1), torch.zeros(3), atol=1e-6)
    assert torch.allclose(text.var(1, unbiased=False), torch.ones(3), atol=1e-2)


def test_colliding_words_share_a_vector_only_where_both_hashes_do():
    """With one bucket every word is the same one: only the number of words is left."""
    encoder = HashedWords(text_size=8, width=16, buckets=1).eval()
    one, other = encoder(as_bytes(["red circle", "blue square"]))
    assert torch.equal(one, other)


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="buckets: 0; must be 1 or more"):
        HashedWords(buckets=0)


class Library:
    """Stands in for sentence-transformers: a caption's vector is its length, four times; counts what it is asked."""

    asked: list[list[str]] = []

    def __init__(self, model: str, device: str) -> None:
        assert (model, device) == ("tiny", "cpu")

    def encode(self, sentences: list[str], **settings: object) -> Tensor:
        self.asked.append(list(sentences))
        return torch.tensor([[float(len(text))] * 4 for text in sentences])


@pytest.fixture
def library(monkeypatch):
    module = ModuleType("sentence_transformers")
    module.__spec__ = ModuleSpec("sentence_transformers", None)
    module.SentenceTransformer = Library  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)
    monkeypatch.setattr(Library, "asked", [])
    return Library


def test_sentences_are_embedded_once_and_hold_no_weights(library):
    encoder = Sentences("tiny", text_size=4)
    text = encoder(as_bytes(["a red circle", "blue", "a red circle"]))
    assert torch.equal(text, torch.ones(3, 4))  # each brought to mean square 1
    encoder(as_bytes(["blue", "grün"]))
    assert library.asked == [["a red circle", "blue"], ["grün"]]
    assert not list(encoder.parameters())
    assert not encoder.state_dict()


def test_sentences_of_another_size_are_refused(library):
    with pytest.raises(ValueError, match="text_size: 5; tiny gives 4; set it to that"):
        Sentences("tiny", text_size=5)(as_bytes(["a"]))


def test_a_missing_library_is_named_with_the_command(monkeypatch):
    monkeypatch.setattr("ganctl.networks.sentence.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"not installed; install it with pip install 'sentence-transformers>=5'"):
        Sentences()


@pytest.mark.parametrize("shape", SHAPES)
def test_both_stages_have_the_promised_sizes(shape):
    text = torch.randn(2, 6)
    first = StackGANGenerator(shape, text_size=6, latent_size=3, condition_size=4, width=4, halved=1)
    second = StackGANRefiner(shape, text_size=6, condition_size=4, width=4, halved=1)
    assert (first.noise_size, second.noise_size) == (7, 4)
    sketch = first(torch.randn(2, 7), text).image
    half = [(side + 1) // 2 for side in shape[1:]]
    assert first.shape == second.sketch == (shape[0], *half) == tuple(sketch.shape[1:])
    painting = second(torch.randn(2, 4), text, sketch)
    assert painting.image.shape == (2, *shape)
    assert painting.mean.shape == painting.log_variance.shape == (2, 4)
    assert StackGANDiscriminator(shape, text_size=6, width=4)(painting.image, text).shape == (2,)


def test_the_papers_sizes():
    """64 from 4 in stage one; 256 by way of 16 in stage two (Zhang et al. 2017, figure 2)."""
    with torch.device("meta"):
        first = StackGANGenerator((3, 256, 256), text_size=1024, width=96, halved=2)
        second = StackGANRefiner((3, 256, 256), text_size=1024, width=192, halved=2)
    assert [stage[1] for stage in first.stages()] == [4, 8, 16, 32, 64, 64]
    assert [stage[:2] for stage in second.stages()] == [
        (3, 64), (768, 16), (384, 32), (192, 64), (96, 128), (48, 256), (3, 256)
    ]  # fmt: skip


def test_a_picture_that_cannot_be_halved_so_often_is_refused():
    with pytest.raises(ValueError, match="halved: 3; a picture of 16x16 can be halved 0 to 1 times before stage one"):
        StackGANGenerator((3, 16, 16), text_size=4, halved=3)


def test_the_condition_is_mean_plus_deviation_times_chance():
    """With all weights zero the bias is the Gaussian: mean 3, log variance 2 ln 2, so chance 0.5 gives 3 + 2 * 0.5."""
    conditioning = StackGANGenerator((1, 8, 8), text_size=2, condition_size=1, width=4).conditioning
    torch.nn.init.zeros_(conditioning.linear.weight)
    with torch.no_grad():
        conditioning.linear.bias.copy_(torch.tensor([3.0, 2 * torch.tensor(2.0).log()]))
    condition, mean, _ = conditioning(torch.randn(1, 2), torch.tensor([[0.5]]))
    assert condition.item() == pytest.approx(4.0)
    assert mean.item() == 3


def test_features_of_a_picture_know_nothing_of_the_text_and_scores_do():
    torch.manual_seed(0)
    critic = StackGANDiscriminator((1, 8, 8), text_size=4, condition_size=4, width=4).eval()
    image, text = torch.randn(2, 1, 8, 8), torch.randn(2, 4)
    assert torch.equal(critic.features(image), critic.features(image, text))
    features = critic.features(image)
    assert not torch.equal(critic.score(features, text), critic.score(features, -text))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("halved", [0, 1])
def test_networks_of_classes_take_captions(shape, halved):
    painter = CaptionBigGANGenerator(shape, 6, latent_size=9, condition_size=4, width=2, shared_size=3, halved=halved)
    assert painter.noise_size == 13
    noise, text = torch.randn(2, 13), torch.randn(2, 6)
    painting = painter(noise, text)
    assert painter.shape == tuple(painting.image.shape[1:])
    assert painter.shape == (shape[0], *(-(-side // (1 + halved)) for side in shape[1:]))
    assert painting.mean.shape == painting.log_variance.shape == (2, 4)
    assert not torch.equal(painter(noise, -text).image, painting.image)
    critic = CaptionResNetDiscriminator(painter.shape, 6, width=4)
    assert critic(painting.image, text).shape == (2,)
    assert critic.classes == 6


def test_a_captions_vector_counts_as_a_class_of_length_one():
    """The table doubles feature k for number k; text (2, 2, 2, 2) of length 4 is halved: 2 * (1 + 2 + 3 + 4) = 20."""
    critic = CaptionResNetDiscriminator((1, 8, 8), 4, width=4, max_width=4, spectral_norm=False)
    with torch.no_grad():
        critic.last.linear.weight.zero_()
        critic.last.linear.bias.zero_()
        critic.last.embedding.weight.copy_(2 * torch.eye(4))
    features = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    assert critic.score(features, torch.full((1, 4), 2.0)).item() == pytest.approx(20)


def test_stage_two_needs_a_sketch():
    with pytest.raises(ValueError, match="was given none"):
        StackGANRefiner((1, 16, 16), text_size=4, condition_size=4, width=4)(torch.randn(1, 4), torch.randn(1, 4))
