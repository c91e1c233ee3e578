"""Autoencoders: their losses by hand, who learns what in which turn, and what a sheet shows."""

import math

import pytest
import torch
from augment_samples import Halved
from torch import Tensor, nn

from ganctl.data.batch import Images
from ganctl.games.aae import AAE
from ganctl.games.autoencoding import VAE, Autoencoder
from ganctl.games.coding import Coding
from ganctl.games.game import Clock, Task, Wish
from ganctl.games.prior import Gaussian as NormalPrior
from ganctl.games.prior import Uniform
from ganctl.games.vaegan import VAEGAN
from ganctl.losses import likelihood
from ganctl.losses.adversarial import NonSaturating
from ganctl.losses.likelihood import Bernoulli, Laplace, divergence
from ganctl.losses.regularizers import R1, Consistency
from ganctl.networks.augment import Augment, NoAugment
from ganctl.networks.autoencoder import DCGANEncoder, MLPCodeDiscriminator, MLPEncoder
from ganctl.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from ganctl.networks.interfaces import CodeDiscriminator, Discriminator, Encoder, Encoding, Generator
from ganctl.networks.mlp import MLPGenerator

SHAPE = (1, 8, 8)
START = Clock(0, 0)
ALL = frozenset(("reconstruction", "discriminator", "encoder", "decoder", "autoencoder"))


class Corner(Encoder):
    """The code is the first two pixels, times a weight; with a variance of 1 where asked."""

    shape, code_size = SHAPE, 2

    def __init__(self, stochastic: bool = False, log_variance: float = 0.0) -> None:
        super().__init__()
        self.stochastic, self.log_variance = stochastic, log_variance
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, image: Tensor) -> Encoding:
        mean = self.weight * image[:, 0, 0, :2]
        return Encoding(mean, torch.full_like(mean, self.log_variance) if self.stochastic else None)


class Fill(Generator):
    """A picture filled with the first number of the code."""

    noise_size = 2

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, noise: Tensor, label: Tensor | None = None) -> Tensor:
        return (self.weight * noise[:, :1, None, None]).expand(-1, *SHAPE)


class First(CodeDiscriminator):
    """Scores a code or a picture by its first number; its feature is that number."""

    code_size, feature_size = 2, 1

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def features(self, image: Tensor, label: Tensor | None = None) -> Tensor:
        return self.weight * image.flatten(1)[:, :1]

    def score(self, features: Tensor, label: Tensor | None = None) -> Tensor:
        return features.squeeze(1)


def pictures(*levels: float) -> Images:
    return Images(torch.tensor(levels)[:, None, None, None].expand(-1, *SHAPE))


def softplus(value: float) -> float:
    return math.log1p(math.exp(value))


def aae(stochastic: bool = False) -> AAE:
    return AAE(Corner(stochastic), Fill(), First(), NormalPrior(2), likelihood.Gaussian(), NonSaturating())


def vaegan(log_variance: float = -200.0, augment: Augment | None = None, **settings: float) -> VAEGAN:
    encoder = Corner(stochastic=True, log_variance=log_variance)  # at -200 so certain that a draw is the mean
    parts = (encoder, Fill(), First(), NormalPrior(2), NonSaturating(), augment or NoAugment())
    return VAEGAN(*parts, **settings)


def draws(seed: int, *counts: int) -> list[Tensor]:
    """The first numbers of so many codes each, as they will be drawn after this seed, which is set anew."""
    torch.manual_seed(seed)
    found = [torch.randn(count, 2)[:, 0] for count in counts]
    torch.manual_seed(seed)
    return found


def test_divergence_from_the_prior() -> None:
    """Of N(1, 4): (1 + 4 - 1 - ln 4) / 2 = 2 - ln 2; of N(0, 1): 0. Summed over a code, averaged over codes."""
    encoding = Encoding(torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([[math.log(4), 0.0], [0.0, 0.0]]))
    assert divergence(encoding).item() == pytest.approx((2 - math.log(2)) / 2)


def test_certain_codes_have_no_divergence() -> None:
    with pytest.raises(ValueError, match="no variances"):
        divergence(Encoding(torch.zeros(1, 2)))


def test_a_draw_is_the_mean_and_a_deviation_of_noise() -> None:
    mean, log_variance = torch.tensor([[3.0, 0.0]], requires_grad=True), torch.full((1, 2), math.log(4))
    torch.manual_seed(0)
    drawn = Encoding(mean, log_variance.requires_grad_()).draw()
    torch.manual_seed(0)
    noise = torch.randn(1, 2)
    torch.testing.assert_close(drawn, mean + 2 * noise)
    drawn.sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones(1, 2))
    torch.testing.assert_close(log_variance.grad, noise)  # d exp(v / 2) n / dv = n at a deviation of 2


def test_bernoulli_is_cross_entropy_of_grey_levels() -> None:
    """Two pixels at an even chance cost ln 2 each; one at 0.8 that is white -ln 0.8; the wrong one -ln 1e-6."""
    loss = Bernoulli()
    assert loss(torch.zeros(1, 2), torch.tensor([[1.0, -0.3]])).item() == pytest.approx(2 * math.log(2), rel=1e-5)
    assert loss(torch.tensor([[0.6]]), torch.tensor([[1.0]])).item() == pytest.approx(-math.log(0.8), rel=1e-4)
    assert loss(torch.tensor([[-1.0]]), torch.tensor([[1.0]])).item() == pytest.approx(-math.log(1e-6), rel=1e-3)


def test_gaussian_and_laplace_are_summed_over_a_picture_and_averaged_over_the_batch() -> None:
    made, image = torch.zeros(2, 1, 2, 2), torch.stack((torch.ones(1, 2, 2), torch.zeros(1, 2, 2)))
    assert likelihood.Gaussian(deviation=0.5)(made, image).item() == pytest.approx(4 * 2 / 2)  # 1 / (2 * 0.25) = 2
    assert Laplace(scale=0.5)(made, image).item() == pytest.approx(4 * 2 / 2)
    for kind in (likelihood.Gaussian, Laplace):
        with pytest.raises(ValueError, match="must be more than 0"):
            kind(0.0)


def test_the_plain_autoencoder_fits_a_gaussian_to_its_codes() -> None:
    """Codes (2, 0), (0, 2) then (4, 4), (2, 2): mean (2, 2), covariance [[2, 1], [1, 2]] over all four alike."""
    game = Autoencoder(Corner(), Fill(), NormalPrior(2), likelihood.Gaussian())
    game.fit(torch.tensor([[2.0, 0.0], [0.0, 2.0]]))
    game.fit(torch.tensor([[4.0, 4.0], [2.0, 2.0]]))
    torch.testing.assert_close(game.code_of(torch.zeros(1, 2)), torch.tensor([[2.0, 2.0]]))
    spread = game.code_of(torch.eye(2)) - 2
    torch.testing.assert_close(spread.T @ spread, torch.tensor([[2.0, 1.0], [1.0, 2.0]]))


def test_only_the_cpu_is_asked_for_fp64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apple's GPUs have none, so numbers come to the CPU as they are."""
    moved: list[torch.dtype] = []
    monkeypatch.setattr(Tensor, "cpu", lambda value: moved.append(value.dtype) or value)
    Autoencoder(Corner(), Fill(), NormalPrior(2), likelihood.Gaussian()).code_of(torch.eye(2))
    assert set(moved) == {torch.float32}


def test_before_any_code_it_draws_from_its_prior() -> None:
    game = Autoencoder(Corner(), Fill(), NormalPrior(2), likelihood.Gaussian())
    spread = game.code_of(torch.eye(2))
    torch.testing.assert_close(spread.T @ spread, torch.eye(2))


def test_vae_weighs_the_divergence() -> None:
    """Black and white pictures, certain codes' means 1 and -1 with variance 1: a divergence of 2 * 1/2 = 1."""
    game = VAE(Corner(stochastic=True), Fill(), NormalPrior(2), likelihood.Gaussian(), kl_weight=3.0)
    found = game.loss(game.deal(pictures(1.0, -1.0), ALL, START))
    assert found.terms["kl"].item() == pytest.approx(3.0)
    assert found.watched["nats"].item() == pytest.approx(1.0)


def test_vae_draws_its_codes_and_reconstructs_by_their_means() -> None:
    """Black-grey pictures have codes N(0, 1): 64 pixels off by n cost 64 n^2 / 2; by the mean nothing is off."""
    game = VAE(Corner(stochastic=True), Fill(), NormalPrior(2), likelihood.Gaussian())
    (n,) = draws(0, 3)
    found = game.loss(game.deal(pictures(0.0, 0.0, 0.0), ALL, START))
    assert found.terms["reconstruction"].item() == pytest.approx((32 * n.square()).mean().item(), rel=1e-5)
    shown = pictures(0.5, -0.25).image
    torch.testing.assert_close(game.reconstruct(shown), shown)


def test_aae_draws_its_codes_in_every_turn() -> None:
    game = aae(stochastic=True)
    round = game.deal(pictures(0.0, 0.0, 0.0), ALL, START)
    noise = round.noise[:, 0, 0, 0]
    (n,) = draws(1, 3)
    assert game.reconstruction_loss(round).total.item() == pytest.approx((32 * n.square()).mean().item(), rel=1e-5)
    (n,) = draws(2, 3)
    told = game.discriminator_loss(round).terms["adversarial"]
    torch.testing.assert_close(told.detach(), nn.functional.softplus(-noise).mean() + nn.functional.softplus(n).mean())
    (n,) = draws(3, 3)
    torch.testing.assert_close(game.encoder_loss(round).total.detach(), nn.functional.softplus(-n).mean())
    shown = pictures(0.5, -0.25).image
    torch.testing.assert_close(game.reconstruct(shown), shown)


def test_vaegan_draws_its_codes_in_every_turn() -> None:
    """The feature is the first pixel, off by n: n^2 / 2, for the decoder times gamma, which is 1 here."""
    game = vaegan(log_variance=0.0, fidelity=1.0)
    noise, n = draws(1, 4, 2)
    round = game.deal(pictures(0.0, 0.0, 0.0, 0.0), ALL, START)
    torch.testing.assert_close(round.fake[:, 0, 0, 0], torch.cat((n, noise[2:])))
    (n,) = draws(2, 4)
    assert game.encoder_loss(round).terms["features"].item() == pytest.approx(n.square().mean().item() / 2, rel=1e-5)
    (n,) = draws(3, 4)
    terms = game.decoder_loss(round).terms
    assert terms["features"].item() == pytest.approx(n.square().mean().item() / 2, rel=1e-5)
    torch.testing.assert_close(terms["adversarial"].detach(), nn.functional.softplus(-torch.cat((n, noise))).mean())
    shown = pictures(0.5, -0.25).image
    torch.testing.assert_close(game.reconstruct(shown), shown)


def test_vaegans_contest_is_augmented_and_its_features_are_not() -> None:
    """Reconstructions of 1, scored 0.5, and half of each noise; the features are alike whatever is augmented."""
    game = vaegan(augment=Halved(), fidelity=1.0)
    round = game.deal(pictures(1.0, 1.0), ALL, START)
    of_noise = [softplus(-0.5 * each) for each in round.noise[:, 0].tolist()]
    terms = game.decoder_loss(round).terms
    assert terms["adversarial"].item() == pytest.approx((2 * softplus(-0.5) + sum(of_noise)) / 4, rel=1e-5)
    assert terms["features"].item() == pytest.approx(0.0)


def test_aae_tells_codes_from_noise_and_passes_them_off() -> None:
    """Noise is the real one: D lowers softplus(-noise) + softplus(code), the encoder softplus(-code)."""
    game = aae()
    round = game.deal(pictures(2.0, 2.0), ALL, START)
    noise = round.noise.flatten(1)[:, 0].tolist()
    expected = sum(map(softplus, (-each for each in noise))) / 2 + softplus(2.0)
    assert game.discriminator_loss(round).terms["adversarial"].item() == pytest.approx(expected, rel=1e-5)
    assert game.encoder_loss(round).total.item() == pytest.approx(softplus(-2.0), rel=1e-5)
    assert game.reconstruction_loss(round).total.item() == pytest.approx(0.0)


def receivers(game: Coding, turn: str) -> set[str]:
    """Networks that the loss of a turn sends gradients to, were nobody frozen."""
    round = game.deal(pictures(0.5, -0.5, 0.25, 1.0), ALL, START)
    game.zero_grad()
    next(each for each in game.turns() if each.name == turn).loss(round).total.backward()
    return {name for name, network in game.named_children() if any(p.grad is not None for p in network.parameters())}


def test_who_receives_gradients() -> None:
    game = aae()
    assert receivers(game, "reconstruction") == {"encoder", "decoder"}
    assert receivers(game, "discriminator") == {"discriminator"}
    assert receivers(game, "encoder") == {"encoder", "discriminator"}  # through D, which is frozen then
    paper = vaegan()
    assert receivers(paper, "discriminator") == {"discriminator"}
    assert receivers(paper, "encoder") == {"encoder", "decoder", "discriminator"}
    assert receivers(paper, "decoder") == {"decoder", "discriminator"}  # never the encoder (Larsen et al. 2016)
    players = {turn.name: turn.players for turn in paper.turns()}
    assert players == {
        "discriminator": (paper.discriminator,),
        "encoder": (paper.encoder,),
        "decoder": (paper.decoder,),
    }


def test_half_of_vaegans_fakes_are_reconstructions() -> None:
    game = vaegan()
    round = game.deal(pictures(0.1, 0.2, 0.3, 0.4), ALL, START)
    torch.testing.assert_close(round.fake[:2, 0, 0, 0], torch.tensor([0.1, 0.2]))
    torch.testing.assert_close(round.fake[2:, 0, 0, 0], round.noise[2:, 0])
    assert not round.fake.requires_grad


def test_vaegan_compares_features_and_weighs_them_for_the_decoder() -> None:
    """One feature, off by 1 - 0.5 = 0.5: 0.5^2 / 2 = 0.125 nats for the encoder, times gamma for the decoder."""
    game = vaegan(fidelity=0.5)
    nn.init.constant_(game.decoder.weight, 0.5)
    round = game.deal(pictures(1.0, 1.0), ALL, START)
    assert game.encoder_loss(round).terms["features"].item() == pytest.approx(0.125)
    decoder = game.decoder_loss(round).terms
    assert decoder["features"].item() == pytest.approx(0.0625)
    scores = [0.5, 0.5, *(0.5 * round.noise[:, 0]).tolist()]
    assert decoder["adversarial"].item() == pytest.approx(sum(softplus(-score) for score in scores) / 4, rel=1e-5)


def test_a_sheet_shows_originals_over_reconstructions_over_samples() -> None:
    game = aae().eval()
    nn.init.constant_(game.decoder.weight, 0.5)
    inputs = game.preview(pictures(*(number / 20 for number in range(20))), 20, torch.Generator().manual_seed(0))
    rows = game.sheet(inputs)[:, 0, 0, 0].unflatten(0, (-1, game.sheet_columns()))
    assert len(rows) == 2 * 3  # whole rows: 16 of 20 originals
    first = torch.arange(8) / 20
    torch.testing.assert_close(rows[0], first)
    torch.testing.assert_close(rows[1], first / 2)
    torch.testing.assert_close(rows[2], (inputs.noise[:8, 0] / 2).clamp(-1, 1))
    torch.testing.assert_close(rows[3], first + 8 / 20)


def test_few_pictures_fill_one_row() -> None:
    inputs = aae().preview(pictures(0.0, 1.0), 2, torch.Generator().manual_seed(0))
    assert inputs.image[:, 0, 0, 0].tolist() == [0.0, 1.0] * 4


def test_wishes_and_tasks_that_cannot_be_granted() -> None:
    game = aae()
    with pytest.raises(ValueError, match=r"^label: an autoencoder draws from its prior alone; leave label out$"):
        game.request(Wish(2, label=torch.zeros(2)), torch.Generator())
    with pytest.raises(ValueError, match=r"^size: pictures of 1x9x8; this autoencoder was trained on 1x8x8$"):
        game.translate(torch.zeros(1, 1, 9, 8), Task())
    with pytest.raises(ValueError, match=r"^direction: b2a; an autoencoder has only reconstruct$"):
        game.translate(torch.zeros(1, *SHAPE), Task(direction="b2a"))
    with pytest.raises(ValueError, match=r"^target: "):
        game.translate(torch.zeros(1, *SHAPE), Task(target=torch.zeros(1)))


def test_impossible_games_are_refused() -> None:
    squares, normal = likelihood.Gaussian(), NormalPrior(2)
    with pytest.raises(ValueError, match=r"^code: the encoder gives 2 numbers, the decoder takes 2, the prior draws 3"):
        Autoencoder(Corner(), Fill(), NormalPrior(3), squares)
    with pytest.raises(ValueError, match=r"^decoder: takes a label"):
        Autoencoder(Corner(), MLPGenerator(SHAPE, 2, classes=3), normal, squares)
    with pytest.raises(ValueError, match=r"^prior: Uniform; this game is about Gaussian codes"):
        Autoencoder(Corner(), Fill(), Uniform(2), squares)
    with pytest.raises(ValueError, match=r"^encoder: gives no variances"):
        VAE(Corner(), Fill(), normal, squares)
    with pytest.raises(ValueError, match=r"^discriminator: takes codes of 3 numbers; the encoder gives 2"):
        AAE(Corner(), Fill(), MLPCodeDiscriminator(3), normal, squares, NonSaturating())
    with pytest.raises(ValueError, match=r"^penalties: Consistency moves pictures"):
        AAE(Corner(), Fill(), First(), normal, squares, NonSaturating(), [Consistency()])
    mixing: Discriminator = DCGANDiscriminator((1, 16, 16))
    with pytest.raises(ValueError, match=r"^penalties: R1 needs a discriminator that judges each picture alone"):
        VAEGAN(Corner(True), Fill(), mixing, normal, NonSaturating(), NoAugment(), [R1(1.0)])
    for kind in (DCGANEncoder, MLPEncoder):
        with pytest.raises(ValueError, match=r"^code_size: 0; must be 1 or more$"):
            kind((1, 16, 16), code_size=0)


def test_aae_takes_any_prior() -> None:
    assert AAE(Corner(), Fill(), First(), Uniform(2), likelihood.Gaussian(), NonSaturating())


@pytest.mark.parametrize("kind", [DCGANEncoder, MLPEncoder])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 20), (4, 13, 9)])
def test_encoders_give_codes_of_any_picture(kind: type[Encoder], shape: tuple[int, int, int]) -> None:
    encoder = kind(shape, code_size=5, stochastic=True)
    image = torch.rand(3, *shape) * 2 - 1
    found = encoder(image)
    assert found.mean.shape == found.log_variance.shape == (3, 5)
    assert kind(shape, code_size=5)(image).log_variance is None
    torch.testing.assert_close(found.mean[:1], encoder(image[:1]).mean, rtol=1e-4, atol=1e-5)  # alone or in a batch


def test_group_norm_leaves_no_batch_norm_in_the_decoder() -> None:
    for norm in ("group", "none"):
        decoder = DCGANGenerator((3, 20, 12), noise_size=4, width=6, norm=norm)
        assert not any(isinstance(module, nn.BatchNorm2d) for module in decoder.modules())
        noise = torch.randn(2, 4)
        torch.testing.assert_close(decoder(noise)[:1], decoder(noise[:1]), rtol=1e-4, atol=1e-5)
