"""Extractors: the self-trained classifier and its cache, the random network, Inception's file."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ganctl.data.small import Digits
from ganctl.data.stacked import StackedDigits
from ganctl.errors import UserError
from ganctl.metrics import classifier, inception
from ganctl.metrics.choice import choose
from ganctl.metrics.classifier import ClassifierExtractor, StackedExtractor, prepare
from ganctl.metrics.random_features import RandomExtractor
from ganctl.metrics.reals import Reals


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the one classifier of digits that several tests use."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANCTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def digits() -> Reals:
    data = Digits(size=8)
    return Reals("digits", "train", data.describe(), data.open(torch.device("cpu")))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer steps, where the accuracy is not what is tested."""
    monkeypatch.setattr(classifier, "STEPS", (40, 40))
    monkeypatch.setattr(classifier, "BATCH", 16)


def blocks(count: int = 120, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two classes that anything can tell: bright above or bright below."""
    label = torch.arange(count) % 2
    noise = torch.randint(0, 60, (count, 1, 8, 8), generator=torch.Generator().manual_seed(seed))
    pixels = noise.to(torch.uint8)
    pixels[label == 0, :, :4] += 150
    pixels[label == 1, :, 4:] += 150
    return pixels, label


def test_the_classifier_learns_digits_and_is_kept(
    digits: Reals, shared_cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("GANCTL_CACHE", str(shared_cache))
    with caplog.at_level("INFO", "ganctl"):
        first = prepare(digits.labelled, 1, 10)
    assert isinstance(first, ClassifierExtractor)
    assert first.accuracy > 0.95
    assert "% right on held-out pictures" in caplog.text
    (kept,) = (shared_cache / "classifiers").iterdir()
    assert set(torch.load(kept, weights_only=True)) == set(first.state_dict())
    caplog.clear()
    with caplog.at_level("INFO", "ganctl"):
        second = prepare(digits.labelled, 1, 10)
    assert "Training" not in caplog.text
    assert second.identity == first.identity
    unseen = Reals("digits", "test", digits.description, Digits(size=8, split="test").open(torch.device("cpu")))
    right = [(second(pixels).logits.argmax(1) == label).float() for pixels, label in unseen.labelled()]
    assert torch.cat(right).mean() > 0.95


def test_other_data_or_other_code_gets_its_own_classifier(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    pixels, label = blocks()
    prepare(lambda: iter([(pixels, label)]), 1, 2)
    assert len(list((cache / "classifiers").iterdir())) == 1
    other = pixels.clone()
    other[0, 0, 0, 0] += 1
    prepare(lambda: iter([(other, label)]), 1, 2)
    assert len(list((cache / "classifiers").iterdir())) == 2
    changed = tmp_path / "classifier.py"
    changed.write_bytes(Path(classifier.__file__).read_bytes() + b"\n# changed\n")
    monkeypatch.setattr(classifier, "__file__", str(changed))
    prepare(lambda: iter([(pixels, label)]), 1, 2)
    assert len(list((cache / "classifiers").iterdir())) == 3


def test_a_damaged_cache_is_trained_anew(cache: Path, quick: None, caplog: pytest.LogCaptureFixture) -> None:
    pixels, label = blocks()
    first = prepare(lambda: iter([(pixels, label)]), 1, 2)
    (kept,) = (cache / "classifiers").iterdir()
    kept.write_bytes(kept.read_bytes()[:1000])
    again = prepare(lambda: iter([(pixels, label)]), 1, 2)
    assert "is damaged" in caplog.text
    assert again.identity == first.identity  # trained anew, and to the very same weights


def test_the_weights_do_not_depend_on_threads_or_random_state(cache: Path, quick: None) -> None:
    pixels, label = blocks()
    torch.manual_seed(1)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    first = prepare(lambda: iter([(pixels, label)]), 1, 2)
    assert torch.equal(torch.get_rng_state(), state)
    next((cache / "classifiers").iterdir()).unlink()
    torch.manual_seed(2)
    torch.set_num_threads(2)
    second = prepare(lambda: iter([(pixels, label)]), 1, 2)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)
    assert first.identity == second.identity


def test_a_classifier_that_cannot_tell_is_refused(quick: None) -> None:
    pixels, label = blocks()
    torch.manual_seed(0)
    with pytest.raises(UserError, match=r"right on only \d+% of held-out pictures, and 90% are needed"):
        prepare(lambda: iter([(torch.randint_like(pixels, 256), label)]), 1, 2)


def test_a_class_with_too_few_pictures_is_refused() -> None:
    pixels, label = blocks(60)
    with pytest.raises(UserError, match="needs 20 pictures a class, and class 2 has 0"):
        prepare(lambda: iter([(pixels, label)]), 1, 3)


def test_three_stacked_digits_are_read_one_by_one(
    digits: Reals, shared_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logits of class 100 a + 10 b + c, so the argmax of a stack is the stack of the argmaxes."""
    monkeypatch.setenv("GANCTL_CACHE", str(shared_cache))
    single = prepare(digits.labelled, 1, 10)
    stacked = StackedExtractor(single)
    pixels, _ = next(digits.labelled())
    triple = torch.stack((pixels[:20, 0], pixels[20:40, 0], pixels[40:60, 0]), 1)
    found = stacked(triple)
    assert found.values.shape == (20, 3 * 128)
    assert found.logits.shape == (20, 1000)
    predicted = single(pixels).logits.argmax(1)
    expected = 100 * predicted[:20] + 10 * predicted[20:40] + predicted[40:60]
    assert torch.equal(found.logits.argmax(1), expected)
    assert torch.allclose(found.logits.logsumexp(1), torch.zeros(20), atol=1e-4)


def test_a_stacked_classifier_is_trained_on_single_digits(quick: None) -> None:
    """Two kinds of blocks in three channels: eight classes, learnt from the single ones."""
    pixels, label = blocks(120)
    order = torch.randint(120, (100, 3), generator=torch.Generator().manual_seed(0))
    stacks, classes = pixels[order, 0], (label[order] * torch.tensor([4, 2, 1])).sum(1)
    found = prepare(lambda: iter([(pixels, label)]), 3, 8, parts=3)
    assert torch.equal(found(stacks).logits.argmax(1), classes)


def test_the_digits_under_stacked_ones_train_the_classifier() -> None:
    """Not the stacks, in which a held-out digit would come back among those it learns from."""
    data = StackedDigits(size=8, count=1_000)
    reals = Reals("stacked", "train", data.describe(), data.open(torch.device("cpu")))
    batches = list(reals.labelled())
    assert sum(len(pixels) for pixels, _ in batches) == 1_438
    assert batches[0][0].shape[1:] == (1, 8, 8)
    assert torch.cat([label for _, label in batches]).max() == 9
    assert torch.equal(reals.labels(torch.arange(1_000)), data.open(torch.device("cpu")).labels)


def test_the_random_network_is_the_same_everywhere() -> None:
    state = torch.get_rng_state()
    first = RandomExtractor(3)
    torch.manual_seed(9)
    assert first.identity == RandomExtractor(3).identity
    assert first.identity != RandomExtractor(1).identity
    assert first(torch.zeros(2, 3, 50, 70, dtype=torch.uint8)).values.shape == (2, 64)
    torch.set_rng_state(state)


def labelled(pixels: Tensor, label: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    yield pixels, label


def test_auto_falls_back_from_classifier_to_random(quick: None, caplog: pytest.LogCaptureFixture) -> None:
    pixels, label = blocks()
    assert choose(channels=1, labelled=lambda: labelled(pixels, label), classes=2).name == "classifier"
    assert choose(channels=1).name == "random"
    noise = torch.randint(256, pixels.shape, generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    with caplog.at_level("INFO", "ganctl"):
        found = choose(channels=1, labelled=lambda: labelled(noise, label), classes=2)
    assert found.name == "random"
    assert "scored on a random network instead" in caplog.text


def test_a_classifier_without_labels_is_refused() -> None:
    with pytest.raises(UserError, match="needs labels of two classes or more, and the data has no classes"):
        choose("classifier", channels=1)
    with pytest.raises(UserError, match="the data has one class"):
        choose("classifier", channels=1, labelled=lambda: labelled(*blocks()), classes=1)


def test_scores_are_called_after_their_extractor() -> None:
    assert RandomExtractor(1).title("FD") == "FD-random"
    assert ClassifierExtractor(1, 2).title("KD") == "KD-classifier"
    assert inception.InceptionExtractor.title(RandomExtractor(1), "FD") == "FID"  # type: ignore[arg-type]


def test_inception_without_weights_says_where_to_put_them(cache: Path) -> None:
    with pytest.raises(UserError) as caught:
        choose("inception", channels=3)
    told = str(caught.value)
    assert told.count("\n") == 0
    assert f"put it into {cache}" in told
    assert "download=true" in told


def test_a_weights_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    words = "is not the published weights-inception-2015-12-05-6726825d.*; give another file, or leave weights= out$"
    with pytest.raises(UserError, match=words):
        choose("inception", channels=3, weights=tmp_path / "other.pth")
    with pytest.raises(UserError, match="no such file"):
        choose("inception", channels=3, weights=tmp_path / "missing.pth")


def test_inception_looks_at_grey_and_colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With weights drawn at random in place of the published ones: shapes, names, and that channels are repeated."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    path = tmp_path / inception.FILE
    torch.save({}, path)
    with monkeypatch.context() as patch:
        patch.setattr(nn.Module, "load_state_dict", lambda *_: None)
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(path))
    torch.save(network.state_dict(), path)
    monkeypatch.setattr(inception, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    state = torch.get_rng_state()
    extractor = choose("auto", channels=1, weights=path)
    assert torch.equal(torch.get_rng_state(), state)
    grey = torch.randint(256, (2, 1, 20, 20), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    with torch.no_grad():
        found, colour = extractor(grey), extractor(grey.expand(-1, 3, -1, -1))
    assert found.values.shape == (2, 2048)
    assert found.logits.shape == (2, 1008)
    assert torch.equal(found.values, colour.values)
    assert extractor.title("FD") == "FID"
    with pytest.raises(UserError, match="pictures of 1 or 3 channels, not 4"):
        extractor(torch.zeros(1, 4, 20, 20, dtype=torch.uint8))


def test_dinov2_asks_before_it_loads_code() -> None:
    with pytest.raises(UserError, match="allow it by download=true"):
        choose("dinov2", channels=3)
