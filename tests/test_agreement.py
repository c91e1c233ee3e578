"""The term that asks pictures to agree with their captions: by hand, and who learns from it."""

import math

import pytest
import torch
from torch import Tensor, nn

from ganctl.games.agreement import Agreement
from ganctl.games.matching import alike
from ganctl.text import as_bytes, folded

EYE = torch.eye(2)


def straight(**settings: float) -> Agreement:
    """A head that hands features on."""
    agreement = Agreement(**settings)
    agreement.attach(2, 2)
    head = agreement.head
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight.copy_(EYE)
        head.bias.zero_()
    return agreement


def test_each_picture_finds_its_own() -> None:
    """Cosines 1 and 0 over 0.5: -log(e^2 / (e^2 + 1)); length is nothing, weight multiplies."""
    loss = straight(weight=3.0, temperature=0.5)(7 * EYE, 5 * EYE, EYE.bool())
    assert loss.item() == pytest.approx(3 * math.log(1 + math.exp(-2)), rel=1e-5)


def test_captions_that_say_the_same_are_one_answer() -> None:
    """All alike: whichever is found is right as far as both are found equally often, log 2; none is wrong."""
    same, text = torch.ones(2, 2, dtype=torch.bool), torch.ones(2, 2)
    assert straight()(EYE, text, same).item() == pytest.approx(math.log(2), rel=1e-5)
    assert alike(folded(as_bytes(["A red", "a RED", "blue"]))).tolist() == [
        [True, True, False],
        [True, True, False],
        [False, False, True],
    ]


def test_a_map_of_features_is_read_whole() -> None:
    loss = straight()(EYE.view(2, 2, 1, 1), EYE, EYE.bool())
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-10)), rel=1e-3)


def gradient(wrong: float) -> Tensor:
    """Of the features of a picture that lies between both captions."""
    features = torch.tensor([[1.0, wrong], [0.0, 1.0]], requires_grad=True)
    straight()(features, EYE, EYE.bool()).backward()
    assert features.grad is not None
    return features.grad[0]


def test_the_gradient_leads_to_the_own_caption() -> None:
    towards = -gradient(1.0)
    assert towards[0] > 0 > towards[1]
    assert gradient(0.0).abs().max() < 1e-3  # already there


@pytest.mark.parametrize("settings", [{"weight": -1.0}, {"temperature": 0.0}])
def test_refused_in_words(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be 0 or more, and more than 0"):
        Agreement(**settings)
