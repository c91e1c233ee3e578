"""Captions to images: losses against values derived by hand, wishes, both stages end to end, and the score of words."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from augment_samples import Halved
from torch import Tensor, nn

import ganctl
from ganctl import cli
from ganctl.building.build import build
from ganctl.config.preparation import compose, prepare
from ganctl.data.batch import Captioned, Tensors
from ganctl.data.captions import COLOURS, PLACES, RandomCaptions
from ganctl.errors import UserError
from ganctl.games.captioned import CaptionedGame, divergence
from ganctl.games.game import Clock, Generative, Wish
from ganctl.games.matching import distinct, mismatched
from ganctl.losses.adversarial import AdversarialLoss
from ganctl.losses.regularizers import R1
from ganctl.metrics.panels import Wanted, panel_of
from ganctl.networks.ada import ADA
from ganctl.networks.augment import NoAugment
from ganctl.networks.interfaces import CaptionPainter, Discriminator, Painting, TextEncoder
from ganctl.networks.stackgan import StackGANDiscriminator, StackGANGenerator
from ganctl.networks.text import HashedWords
from ganctl.runs import checkpoint
from ganctl.text import as_bytes, as_texts
from ganctl.training.parts import game_of

CPU = torch.device("cpu")
CLOCK = Clock(images_seen=0, rounds=0)
BOTH = frozenset(("discriminator", "generator"))


class FirstByte(TextEncoder):
    text_size = 1

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(1))

    def forward(self, caption: Tensor) -> Tensor:
        return caption[:, :1] * self.factor


class Flat(CaptionPainter):
    """Pictures of one value; the condition is the text."""

    noise_size, text_size, shape = 2, 1, (1, 1, 1)

    def __init__(self, value: float, sketch: tuple[int, ...] | None = None) -> None:
        super().__init__()
        self.value, self.sketch = nn.Parameter(torch.tensor(value)), sketch

    def forward(self, noise: Tensor, text: Tensor, sketch: Tensor | None = None) -> Painting:
        image = self.value * torch.ones(len(text), 1, 1, 1)
        return Painting(image if sketch is None else image + sketch, text, torch.zeros_like(text))


class Product(Discriminator):
    """The picture's value times the text's."""

    feature_size = classes = 1

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(1))

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        return image.flatten(1) * self.factor

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        assert label is not None
        return (features * label).squeeze(1)


class Plain(AdversarialLoss):
    """What the fakes score, and a thousandth of what the reals do."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        return fake.mean() + real.mean() / 1000

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        return fake.mean()


def game_of_stubs(**parts) -> CaptionedGame:
    chosen = {"generator": Flat(2.0), "discriminator": Product(), "text_encoder": FirstByte()}
    return CaptionedGame(**{**chosen, "adversarial": Plain(), "augment": NoAugment(), **parts})


def batch_of(*captions: str) -> Captioned:
    return Captioned(torch.ones(len(captions), 1, 1, 1), caption=as_bytes(captions))


def test_wrong_captions_and_painted_pictures_count_half_each():
    """Values 1 (real) and 2 (painted) times bytes 97 and 98: fake 195, wrong 97.5, real 97.5 / 1000 in both."""
    game = game_of_stubs()
    round = game.deal(batch_of("a", "b"), BOTH, CLOCK)
    outcome = game.discriminator_loss(round)
    assert outcome.total.item() == pytest.approx((195 + 97.5) / 2 + 0.0975)
    assert outcome.watched["wrong"].item() == pytest.approx(97.5)


def test_both_sides_see_augmented_pictures():
    """The numbers above by half, also of pictures with a wrong caption; painted ones count 1 * 97.5 in both turns."""
    game = game_of_stubs(augment=Halved())
    round = game.deal(batch_of("a", "b"), BOTH, CLOCK)
    assert game.discriminator_loss(round).total.item() == pytest.approx((97.5 + 48.75) / 2 + 0.04875)
    assert game.generator_loss(round).terms["adversarial"].item() == pytest.approx(97.5)


def test_adaptive_augmentation_hears_the_scores_of_reals():
    """Reals score 97, painted ones -194: after 8 of 1,000 images the strength rises by 0.008."""
    augment = ADA(ramp_images=1000, interval=1)
    game = game_of_stubs(augment=augment, generator=Flat(-2.0))
    game.advance(CLOCK)
    game.discriminator_loss(game.deal(batch_of(*"a" * 8), BOTH, CLOCK))
    game.advance(Clock(images_seen=8, rounds=1))
    assert augment.strength.item() == pytest.approx(0.008)


def test_a_batch_of_one_caption_has_no_wrong_pairs():
    game = game_of_stubs()
    outcome = game.discriminator_loss(game.deal(batch_of("a", "A"), BOTH, CLOCK))
    assert outcome.total.item() == pytest.approx(2 * (97 + 65) / 2 + 0.081)
    assert "wrong" not in outcome.watched


def test_only_captions_with_another_are_mismatched():
    """Rows 0 and 1 say the same; the next row that differs is 2 for both; from 2 on it is row 0 again."""
    own, other = mismatched(as_bytes(["A red", "a RED", "blue"]))
    assert own.tolist() == [0, 1, 2]
    assert other.tolist() == [2, 2, 0]
    assert [rows.tolist() for rows in mismatched(as_bytes(["x", "x"]))] == [[], []]


def test_without_values_every_caption_has_another():
    assert [rows.shape for rows in mismatched(torch.zeros(5, 3, dtype=torch.int64, device="meta"))] == [(5,), (5,)]
    assert [rows.shape for rows in mismatched(torch.zeros(1, 3, dtype=torch.int64, device="meta"))] == [(0,), (0,)]


def test_the_wrong_caption_is_the_one_that_shares_most_words():
    """The blue triangle shares one word with the first, the red triangle two; of two alike the next row counts."""
    _, other = mismatched(as_bytes(["a red circle", "a blue triangle", "a Red triangle", "no square"]))
    assert other.tolist() == [2, 2, 0, 0]


def test_mismatched_captions_are_spread_over_the_batch():
    _, other = mismatched(as_bytes(["a", "b", "c", "d"]))
    assert other.tolist() == [1, 2, 3, 0]


def test_the_first_of_each_caption_stands_for_all():
    assert distinct(as_bytes(["b", "a", "b", "c", "a"])).tolist() == [0, 1, 3]


def test_divergence_values():
    """A mean of 3 costs 9 / 2; a variance of e costs (e - 1 - 1) / 2; the standard Gaussian nothing."""
    image = torch.zeros(1, 1, 1, 1)
    assert divergence(Painting(image, torch.tensor([[3.0, 0.0]]), torch.zeros(1, 2))).item() == pytest.approx(9 / 4)
    found = divergence(Painting(image, torch.zeros(1, 1), torch.ones(1, 1))).item()
    assert found == pytest.approx((torch.e - 2) / 2, rel=1e-5)


def test_the_generator_pays_for_scores_and_divergence():
    game = game_of_stubs(kl=2.0)
    terms = game.generator_loss(game.deal(batch_of("a"), BOTH, CLOCK)).terms
    assert terms["adversarial"].item() == pytest.approx(2 * 97)
    assert terms["kl"].item() == pytest.approx(2 * 97**2 / 2)


def test_the_text_learns_from_the_discriminators_turn_alone():
    game = game_of_stubs()
    round = game.deal(batch_of("a", "b"), BOTH, CLOCK)
    game.generator_loss(round).total.backward()
    assert game.text_encoder.factor.grad is None
    game.discriminator_loss(round).total.backward()
    assert game.text_encoder.factor.grad is not None
    assert [turn.players for turn in game.turns()] == [(game.discriminator, game.text_encoder), (game.generator,)]
    assert game.averaged() == ("generator", "text_encoder")


def test_over_a_first_stage_the_text_stays_as_it_is():
    game = game_of_stubs(generator=Flat(2.0, sketch=(1, 1, 1)), first=Flat(0.5))
    assert [turn.players for turn in game.turns()] == [(game.discriminator,), (game.generator,)]
    assert game.averaged() == ("generator",)
    assert game.inherits() == {"first": "generator", "text_encoder": "text_encoder"}
    assert game.orphaned().startswith("stage one is untrained")
    assert not game_of_stubs().orphaned()
    round = game.deal(batch_of("a"), BOTH, CLOCK)
    assert round.fake.image.item() == 2.5
    game.generator_loss(round).total.backward()
    assert game.first.value.grad is None
    game.train()
    assert game.generator.training
    assert not game.first.training


def test_without_a_turn_of_the_generator_the_fake_has_no_graph():
    round = game_of_stubs().deal(batch_of("a"), frozenset(("discriminator",)), CLOCK)
    assert not round.fake.image.requires_grad


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="discriminator: takes a text of 4 numbers; the text encoder gives 1"):
        game_of_stubs(discriminator=StackGANDiscriminator((1, 8, 8), text_size=4, width=4))
    with pytest.raises(ValueError, match="first: the generator paints over 1x1x1, and the first stage gives nothing"):
        game_of_stubs(generator=Flat(1.0, sketch=(1, 1, 1)))
    with pytest.raises(ValueError, match="kl: -1"):
        game_of_stubs(kl=-1)
    with pytest.raises(ValueError, match=r"R1 needs a discriminator that judges each picture alone.*norm=none"):
        game_of_stubs(
            text_encoder=HashedWords(text_size=4),
            generator=StackGANGenerator((1, 8, 8), text_size=4, width=4),
            discriminator=StackGANDiscriminator((1, 8, 8), text_size=4, width=4),
            penalties=[R1(weight=1.0)],
        )


def test_wishes():
    game, chance = game_of_stubs(), torch.Generator().manual_seed(0)
    assert as_texts(game.request(Wish(2, text="red"), chance).caption) == ["red", "red"]
    assert as_texts(game.request(Wish(2, text=["red", "blue"]), chance).caption) == ["red", "blue"]
    with pytest.raises(ValueError, match="text: 2 captions for 3 pictures"):
        game.request(Wish(3, text=["red", "blue"]), chance)
    with pytest.raises(ValueError, match="text: an empty caption; say what to paint"):
        game.request(Wish(1, text=" "), chance)
    with pytest.raises(ValueError, match="label: this model paints captions; leave label out"):
        game.request(Wish(1, label=torch.zeros(1)), chance)


def test_without_a_wish_the_latest_captions_are_painted():
    game = game_of_stubs()
    game.deal(batch_of("old", "older"), BOTH, CLOCK)
    game.deal(batch_of("red", "blue"), BOTH, CLOCK)
    again = game_of_stubs()
    again.load_state_dict(game.state_dict())
    assert as_texts(again.request(Wish(66), torch.Generator()).caption)[:2] == ["red", "blue"]


def test_a_sheet_has_a_row_for_each_caption():
    game = game_of_stubs()
    inputs = game.preview(batch_of("b", "a", "b", "c"), 20, torch.Generator().manual_seed(0))
    assert as_texts(inputs.caption) == ["b"] * 8 + ["a"] * 8 + ["c"] * 4
    assert game.legend(inputs) == ["b", "a", "c"]


def test_a_model_without_captions_refuses_text():
    game = game_of(prepare(compose(["model=dcgan", "dataset=random"])))
    with pytest.raises(ValueError, match="text: this model was trained without captions; leave text out"):
        game.request(Wish(1, text="red"), torch.Generator())  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Read(Tensors):
    """Captions, read."""

    place: Tensor
    colour: Tensor


class Reader(Generative):
    """Paints the halves that captions ask for, each colour as many further on in the list as `shift` says."""

    batches = Captioned

    def __init__(self, shift: int) -> None:
        super().__init__()
        self.shift = shift

    def request(self, wish: Wish, generator: torch.Generator) -> Read:
        words = [text.split() for text in wish.text or ()]  # the left half is red
        place = torch.tensor([PLACES.index(each[1]) for each in words])
        return Read(place, torch.tensor([list(COLOURS).index(each[4]) for each in words]))

    def paint(self, inputs: Read) -> Tensor:
        label = inputs.place * len(COLOURS) + (inputs.colour + self.shift) % len(COLOURS)
        return RandomCaptions((3, 16, 16), count=len(label)).images(label) / 127.5 - 1

    def turns(self) -> tuple: ...
    def deal(self, batch, playing, clock) -> None: ...
    def averaged(self) -> tuple[str, ...]:
        return ()


@pytest.mark.parametrize(("shift", "expected"), [(0, (1, 1, 1)), (1, (0, 1, 0))])
def test_the_score_of_words_tells_what_is_followed(shift, expected, monkeypatch):
    """Right halves in wrong colours: nothing is wholly as asked for, the place always, the colour never."""
    monkeypatch.setattr("ganctl.metrics.classifier.STEPS", (100, 100))
    data = RandomCaptions((3, 16, 16), count=400)
    settings = {"dataset": {"_target_": "x"}, "description": {"shape": [3, 16, 16]}, "choices": {"dataset": "r"}}
    judge = panel_of(settings, data, data.open(CPU), Reader(0), Wanted(metrics=["conditional"], count=64), CPU)
    scores = {score.key: score for score in judge.evaluate(Reader(shift), 0).scores}
    assert [scores[key].value for key in ("conditional", "conditional/place", "conditional/colour")] == list(expected)
    assert scores["conditional/colour"].floor == 1
    assert scores["conditional/colour"].name == "conditional accuracy: colour"
    assert scores["conditional/colour"].contract.extractor == "classifier"


SMALL = ["dataset=random_captions", "batch_size=8", "device=cpu", "precision=32", "trainer.threads=1"]
SMALL += ["model.width=4", "model.text_size=8", "trainer.preview=16", "sample_every=null"]


def weights(run: Path, module: str, averaged: bool) -> dict[str, Tensor]:
    content = checkpoint.load(run / "checkpoints" / "last.ckpt")
    head = f"copies.{module}." if averaged else f"{module}."
    found = content["average" if averaged else "game"]
    return {key.removeprefix(head): value for key, value in found.items() if key.startswith(head)}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> Path:
    """Runs, among them `one`: a stage one of 8x8 pixels."""
    folder = tmp_path_factory.mktemp("captioned") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANCTL_OUTPUTS", str(folder))
        ganctl.train("model=stackgan", *SMALL, "dataset.shape=[3,8,8]", images=32, name="one")
    return folder


def test_both_stages_end_to_end(outputs, monkeypatch, capsys):
    """Stage two keeps stage one's averaged generator and text encoder; both paint what they are told, row by row."""
    monkeypatch.setenv("GANCTL_OUTPUTS", str(outputs))
    ganctl.train(
        "model=stackgan_two",
        *SMALL,
        "dataset.shape=[3,16,16]",
        "model.own_width=4",
        "init_from=one",
        images=32,
        name="two",
    )
    for theirs, ours in (("generator", "first"), ("text_encoder", "text_encoder")):
        kept, came = weights(outputs / "two", ours, averaged=False), weights(outputs / "one", theirs, True)
        assert kept.keys() == came.keys()
        assert all(torch.equal(kept[key], came[key]) for key in came)
    legend = (outputs / "two" / "samples" / "captions.txt").read_text().splitlines()
    assert len(legend) == 2
    assert all(line.startswith("the ") for line in legend)
    sampler = ganctl.load("two", device="cpu")
    both = sampler.sample(2, text="the left half is red|the right half is blue")
    assert both.shape == (4, 3, 16, 16)
    again = sampler.sample(2, text=["the left half is red", "the right half is blue"], batch_size=3)
    assert (both - again).abs().max() < 1e-5
    assert torch.equal(sampler.sample(2, text="a"), sampler.sample(1, text=["a", "a"]))
    assert sampler.sample(3).shape == (3, 3, 16, 16)
    with pytest.raises(UserError, match="label"):
        sampler.sample(1, label=99)
    assert cli.main(["sample", "run=one", "text=a red one|a blue one", "n=3", "device=cpu"]) == 0
    assert "a-red-one-a-blue-one.png" in capsys.readouterr().out


def test_a_first_stage_of_another_size_is_refused(outputs, monkeypatch):
    monkeypatch.setenv("GANCTL_OUTPUTS", str(outputs))
    with pytest.raises(UserError, match="does not fit this model's"):
        prepare(compose(["model=stackgan_two", *SMALL, "dataset.shape=[3,32,32]", "init_from=one"]))


def test_the_sentence_encoder_can_be_put_in_by_its_name():
    with pytest.raises(UserError, match=r"text_encoder.*pip install 'sentence-transformers>=5'"):
        build({"_target_": "ganctl.networks.sentence.Sentences"}, TextEncoder, "model.game.text_encoder")
