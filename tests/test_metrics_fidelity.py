"""Frechet distance and its kin: against closed forms, against the library end to end, and what they refuse."""

import math
import random

import numpy as np
import pytest
import torch
import torch_fidelity
from torch import Tensor
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from ganctl.errors import NotFinite, UserError
from ganctl.metrics.extractors import Features
from ganctl.metrics.fidelity import fidelity
from ganctl.metrics.isolation import isolated
from ganctl.metrics.random_features import RandomExtractor
from ganctl.metrics.sheets import sheet


def gaussian(count: int, size: int, seed: int) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def whitened(values: Tensor) -> Tensor:
    """The same rows with mean exactly 0 and covariance exactly the identity (up to rounding)."""
    values = values.double() - values.double().mean(0)
    return values @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(values.T)).T)


def test_frechet_distance_of_two_gaussians() -> None:
    """Means 0 and (3, 4, 0, 0), covariances 1 and diag(4, 9, 1, 1): 25 + sum of (1 - s)^2 = 25 + 1 + 4 = 30."""
    first, second = whitened(gaussian(400, 4, 0)), whitened(gaussian(500, 4, 1))
    second = second * torch.tensor([2.0, 3.0, 1.0, 1.0]) + torch.tensor([3.0, 4.0, 0.0, 0.0])
    found = fidelity(Features(first), Features(second), ["fd"])
    assert found["fd"].value == pytest.approx(30, rel=1e-6)


def test_frechet_distance_of_correlated_gaussians() -> None:
    """C1 = I, C2 = [[2, 1], [1, 2]] with eigenvalues 3 and 1: tr = 2 + 4 - 2 (sqrt 3 + 1)."""
    second = whitened(gaussian(300, 2, 3)) @ torch.linalg.cholesky(torch.tensor([[2.0, 1.0], [1.0, 2.0]]).double()).T
    found = fidelity(Features(whitened(gaussian(300, 2, 2))), Features(second), ["fd"])
    assert found["fd"].value == pytest.approx(6 - 2 * (math.sqrt(3) + 1), rel=1e-6)


def test_frechet_distance_is_the_librarys_own_on_the_same_features() -> None:
    first, second = gaussian(600, 32, 0), 1.3 * gaussian(700, 32, 1) + 0.2
    statistics = (fid_features_to_statistics(values) for values in (first, second))
    reference = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert fidelity(Features(first), Features(second), ["fd"])["fd"].value == pytest.approx(reference, rel=1e-4)


class Pixels(torch.utils.data.Dataset):
    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Tensor:
        return self.pixels[index]


class Registered(torch_fidelity.FeatureExtractorBase):
    """Our random network, registered with the library in its own way."""

    def __init__(self, name: str, features_list: list[str], **ignored: object) -> None:
        super().__init__(name, features_list)
        self.network = RandomExtractor(3)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return ("64",)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "64"

    @staticmethod
    def can_be_compiled() -> bool:
        return False

    def forward(self, input: Tensor) -> tuple[Tensor]:
        return (self.network(input).values,)


def test_the_short_way_equals_the_library_from_pictures_to_scores() -> None:
    """Features extracted once by us, or pictures handed to torch-fidelity: the same four numbers."""
    chance = torch.Generator().manual_seed(0)
    fakes = torch.randint(0, 200, (220, 3, 16, 16), generator=chance).to(torch.uint8)
    reals = torch.randint(0, 256, (240, 3, 16, 16), generator=chance).to(torch.uint8)
    torch_fidelity.register_feature_extractor("ganctl-test", Registered)
    settings = {"feature_extractor": "ganctl-test", "cuda": False, "cache": False, "save_cpu_ram": True}
    flags = {"fid": True, "kid": True, "prc": True, "verbose": False}
    with isolated():
        theirs = torch_fidelity.calculate_metrics(
            input1=Pixels(fakes), input2=Pixels(reals), kid_subset_size=110, **flags, **settings
        )
    seen = [sheet([(pixels, None)], [RandomExtractor(3)]).seen[0] for pixels in (fakes, reals)]
    ours = fidelity(*seen, ["fd", "kd", "pr"])
    assert ours["fd"].value == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)
    assert ours["kd"].value == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)
    assert ours["precision"].value == pytest.approx(theirs["precision"])
    assert ours["recall"].value == pytest.approx(theirs["recall"])


def test_a_set_against_itself() -> None:
    features = Features(gaussian(300, 16, 0))
    found = fidelity(features, features, ["fd", "kd", "pr"])
    other = fidelity(features, Features(features.values + 0.5), ["kd"])
    assert found["fd"].value == pytest.approx(0, abs=1e-5)
    assert abs(found["kd"].value) < 0.1 * other["kd"].value  # the library draws subsets, so it is not exactly 0
    assert (found["precision"].value, found["recall"].value) == (1, 1)


def test_the_order_of_pictures_does_not_matter() -> None:
    first, second = gaussian(300, 16, 0), gaussian(300, 16, 1) + 0.5
    shuffled = first[torch.randperm(300, generator=torch.Generator().manual_seed(7))]
    one, other = (fidelity(Features(values), Features(second), ["fd", "pr"]) for values in (first, shuffled))
    for key in one:
        assert one[key].value == pytest.approx(other[key].value, rel=1e-5)


def test_precision_and_recall_are_not_swapped() -> None:
    """Samples sit in one of the data's two clusters: all of them are precise, and half of the data is not reached."""
    cluster = gaussian(200, 8, 0)
    reals = torch.cat((gaussian(200, 8, 1), gaussian(200, 8, 2) + 100))
    found = fidelity(Features(cluster), Features(reals), ["pr"])
    assert found["precision"].value > 0.8
    assert 0.3 < found["recall"].value <= 0.5


def test_inception_score_by_hand() -> None:
    """Ten classes, each certain and equally often in every split: exp(log 10) = 10; always the same class: 1."""
    certain = torch.eye(10)[torch.arange(1_000) % 10] * 100
    values = gaussian(1_000, 4, 0)
    even = fidelity(Features(values, certain), Features(values), ["is"])["is"].value
    assert even == pytest.approx(10, rel=0.06)  # the library shuffles, so splits of 100 are not quite even
    constant = fidelity(Features(values, certain[:1].expand(1_000, 10)), Features(values), ["is"])["is"].value
    assert constant == pytest.approx(1)


def test_random_states_stay_bit_for_bit() -> None:
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()
    features = Features(gaussian(200, 8, 0), gaussian(200, 10, 1))
    fidelity(features, features, ["fd", "kd", "is", "pr"])
    sheet([(torch.zeros(4, 1, 8, 8, dtype=torch.uint8), None)], [RandomExtractor(1)])
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    after = np.random.get_state()
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(after, before[2], strict=True))


def test_features_that_are_not_numbers_are_refused() -> None:
    values = gaussian(200, 8, 0)
    values[3, 2] = math.nan
    with pytest.raises(NotFinite, match="1 of 200 pictures are not finite"):
        fidelity(Features(values), Features(gaussian(200, 8, 1)), ["fd"])


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("fd", "n: 30 samples; fd needs 64 here; set n=64 or more"),
        ("kd", "n: 30 samples; kd needs 40 here; set n=40 or more"),
        ("pr", "n: 30 samples; pr needs 50 here; set n=50 or more"),
        ("is", "n: 30 samples; is needs 100 here; set n=100 or more"),
    ],
)
def test_too_few_samples_are_refused_with_the_number(metric: str, words: str) -> None:
    features = Features(gaussian(30, 64, 0), gaussian(30, 10, 1))
    with pytest.raises(UserError) as caught:
        fidelity(features, features, [metric])
    assert str(caught.value) == words


def test_too_few_reals_are_refused_with_the_number() -> None:
    with pytest.raises(UserError, match="metrics: fd needs 64 real pictures here, and there are 30; leave fd out"):
        fidelity(Features(gaussian(100, 64, 0)), Features(gaussian(30, 64, 1)), ["fd"])


def test_a_smaller_subset_of_the_kernel_distance_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "ganctl"):
        fidelity(Features(gaussian(300, 4, 0)), Features(gaussian(500, 4, 1)), ["kd"])
    assert "subsets of 150 pictures instead of 1000" in caplog.text


def test_inception_score_without_classes_is_refused() -> None:
    features = Features(gaussian(200, 8, 0))
    with pytest.raises(UserError, match="is needs classes"):
        fidelity(features, features, ["is"])
