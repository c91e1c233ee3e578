"""Super-resolution: crops and their shrunken copies, the networks, the content losses."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_samples import encoded, photo
from torch import Tensor, nn

from ganctl.building.build import build
from ganctl.data.batch import Pairs
from ganctl.data.crops import Crops
from ganctl.data.resizing import bicubic
from ganctl.data.superres import RandomSuperres, Superres, chosen
from ganctl.errors import UserError
from ganctl.losses import vgg
from ganctl.losses.vgg import VGG19, RandomFeatures, colours
from ganctl.metrics.pairs import prepare_pair, psnr
from ganctl.networks.srresnet import SRGANDiscriminator, SRResNet

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANCTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GANCTL_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


def put(folder: str, sizes: list[tuple[int, int]]) -> str:
    """A folder of photographs of these (width, height)."""
    Path(folder).mkdir(exist_ok=True)
    for number, size in enumerate(sizes):
        Path(folder, f"{number:02d}.png").write_bytes(encoded(photo(size, seed=number)))
    return folder


def pixels(image: Tensor) -> Tensor:
    """[-1, 1] -> bytes as they were."""
    return ((image + 1) * 127.5).round().to(torch.uint8)


def counting(height: int, width: int) -> Tensor:
    """[H, W, 1] whose pixels are all different: their own number."""
    return torch.arange(height * width, dtype=torch.uint8).view(height, width, 1)


def draw(table: Crops, seed: int, count: int = 1) -> Pairs:
    return table.batch(torch.zeros(count, dtype=torch.int64), torch.Generator().manual_seed(seed))


def test_a_crop_is_a_piece_of_its_picture_and_the_source_is_its_shrunken_copy() -> None:
    table = Crops([counting(12, 16)], (8, 8), 4, CPU)
    places = set()
    for seed in range(60):
        pair = draw(table, seed)
        target = pixels(pair.target)[0, 0]
        top, left = divmod(int(target[0, 0]), 16)
        assert torch.equal(target, counting(12, 16)[top : top + 8, left : left + 8, 0])
        assert torch.equal(pixels(pair.source), (bicubic((pair.target + 1) / 2, (2, 2)) * 255).round().to(torch.uint8))
        places.add((top, left))
    assert {top for top, _ in places} == set(range(5))
    assert {left for _, left in places} == set(range(9))


def test_the_generator_alone_decides() -> None:
    table = RandomSuperres((3, 16, 16), flip=True).open(CPU)
    rows = torch.tensor([3, 5, 3])
    first, again = (table.batch(rows, torch.Generator().manual_seed(7)) for _ in range(2))
    other = table.batch(rows, torch.Generator().manual_seed(8))
    assert torch.equal(first.target, again.target)
    assert torch.equal(first.source, again.source)
    assert not torch.equal(first.target, other.target)


@pytest.mark.parametrize(("size", "ways"), [((4, 4), 8), ((4, 8), 4)])
def test_a_square_is_laid_in_eight_ways_another_rectangle_in_four(size: tuple[int, int], ways: int) -> None:
    table = Crops([counting(*size)], size, 2, CPU, flip=True)
    found = {tuple(pixels(draw(table, seed).target).flatten().tolist()) for seed in range(100)}
    assert len(found) == ways
    assert all(sorted(each) == list(range(size[0] * size[1])) for each in found)


def test_held_out_pictures_are_cut_from_the_middle() -> None:
    table = Crops([counting(10, 14)], (4, 4), 2, CPU, middle=True)
    for seed in range(3):
        assert pixels(draw(table, seed).target)[0, 0, 0].tolist() == [3 * 14 + 5 + column for column in range(4)]


def test_whole_pictures_are_cut_to_multiples_of_the_factor() -> None:
    table = Crops([counting(11, 14), counting(8, 8)], (4, 4), 4, CPU, middle=True)
    first, second = table.wholes()
    assert first.target.shape == (1, 1, 8, 12)
    assert first.source.shape == (1, 1, 2, 3)
    assert torch.equal(pixels(first.target)[0, 0], counting(11, 14)[:8, :12, 0])
    assert second.target.shape == (1, 1, 8, 8)
    assert len(list(table.wholes(1))) == 1


def test_pictures_of_mixed_sizes_are_kept_whole() -> None:
    root = put("photos", [(40, 30), (33, 64), (32, 32)])
    data = Superres(root, crop=32, factor=2, held_out=0, on_error="skip", channels=3, flip=False)
    table = data.open(CPU)
    assert isinstance(table, Crops)
    assert [tuple(picture.shape) for picture in table.pictures] == [(64, 33, 3), (32, 32, 3)]  # 30 rows are too few
    assert np.array_equal(table.pictures[0].numpy(), np.asarray(photo((33, 64), seed=1)))
    assert table.held_out() is None


def test_description() -> None:
    data = Superres(put("photos", [(40, 40)] * 20), factor=4, crop=(24, 32), held_out=0.1)
    described = data.describe()
    assert (described.shape, described.source, described.count) == ((3, 24, 32), (3, 6, 8), 18)
    table = data.open(CPU)
    assert len(table) == described.count
    assert len(table.held_out() or ()) == 2


def test_pictures_held_out_are_spread_and_never_all() -> None:
    assert chosen(20, 0.1) == {5, 15}
    assert chosen(100, 0.001) == {50}  # a share, however small, is at least one
    assert chosen(1, 0.5) == frozenset()
    assert chosen(5, 0.0) == frozenset()
    assert len(chosen(4, 0.99)) == 3


def test_a_test_folder_takes_the_place_of_pictures_held_out() -> None:
    data = Superres(put("photos", [(40, 40)] * 3), crop=16, test=put("tests", [(50, 20), (20, 50)]))
    table = data.open(CPU)
    assert (len(table), data.describe().count) == (3, 3)
    held = table.held_out()
    assert isinstance(held, Crops)
    assert [pair.target.shape[2:] for pair in held.wholes()] == [(20, 48), (48, 20)]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"factor": 5}, "factor: 5; must be 2, 3, 4 or 8"),
        ({"crop": 30}, "crop: 30x30 pixels cannot be shrunk by factor 4 to whole ones; .* such as 32x32"),
        ({"crop": 0}, "crop: 0; must be one number of pixels"),
        ({"held_out": 1.0}, "held_out: 1.0; must be 0 or more and less than 1"),
        ({"channels": 2}, "channels: 2; must be 1"),
        ({"on_error": "stop"}, "on_error: 'stop'; must be error or skip"),
    ],
)
def test_impossible_settings(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Superres("photos", **settings)  # type: ignore[arg-type]


def test_pictures_smaller_than_the_crop() -> None:
    root = put("photos", [(40, 40), (40, 21), (100, 33)])
    expected = (
        r"^dataset\.root: 2 of 3 pictures in 'photos' are smaller than the crop of 36x36 pixels, such as '01\.png' "
        r"\(40x21\); set dataset\.crop=20, or dataset\.on_error=skip to leave them out$"
    )
    with pytest.raises(UserError, match=expected):
        Superres(root, crop=36).open(CPU)
    assert len(Superres(root, crop=36, on_error="skip").open(CPU)) == 1
    with pytest.raises(UserError, match=r"3 of 3 pictures .* such as '01\.png' \(40x21\); set dataset\.crop=20$"):
        Superres(root, crop=96, on_error="skip").open(CPU)  # nothing would be left


def test_mistakes_about_test_pictures_name_their_own_key() -> None:
    root = put("photos", [(40, 40)])
    with pytest.raises(UserError, match=r"^dataset\.test: no such folder 'nowhere'; .* set dataset\.test=PATH$"):
        Superres(root, crop=16, test="nowhere").describe()
    with pytest.raises(UserError, match=r"^dataset\.test: 1 of 1 pictures in 'tests' are smaller than the crop"):
        Superres(root, crop=16, test=put("tests", [(12, 40)])).open(CPU)


def test_damaged_pictures_are_told_or_skipped() -> None:
    root = put("photos", [(40, 40), (40, 40)])
    Path(root, "zz.png").write_bytes(b"\x89PNG no more")
    with pytest.raises(UserError, match="1 of 3 pictures in 'photos' cannot be read"):
        Superres(root, crop=16).open(CPU)
    assert len(Superres(root, crop=16, held_out=0, on_error="skip").open(CPU)) == 2


def test_bicubic_reaches_the_published_figure_on_set5(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """28.43 dB on Y, x4, in Ledig et al. 2017, table 2; 28.42 elsewhere."""
    place = data_root / "sr_test_set5_set14.zip"
    if not place.is_file():
        pytest.skip(f"no {place.name}")
    with zipfile.ZipFile(place) as archive:
        folder = next(name for name in archive.namelist() if "/Set5/" in name).rpartition("/")[0]
    held = Superres(f"{place}/{folder}", test=f"{place}/{folder}").open(CPU).held_out()
    assert isinstance(held, Crops)
    scores = []
    for pair in held.wholes():
        enlarged = bicubic((pair.source + 1) / 2, pair.target.shape[2:])
        scores.append(psnr(*(prepare_pair(each, "y", 4) for each in (enlarged, (pair.target + 1) / 2))))
    assert sum(scores) / len(scores) == pytest.approx(28.43, abs=0.01)


def small(**settings: object) -> SRResNet:
    return SRResNet((3, 6, 8), (3, 24, 32), **{"width": 4, "blocks": 2, **settings})  # type: ignore[arg-type]


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
@pytest.mark.parametrize("tail", ["stages", "direct"])
def test_any_size_grows_by_the_factor(factor: int, tail: str) -> None:
    network = SRResNet((1, 4, 4), (1, 4 * factor, 4 * factor), width=4, blocks=1, tail=tail)  # type: ignore[arg-type]
    assert network(torch.zeros(2, 1, 5, 7)).shape == (2, 1, 5 * factor, 7 * factor)


def test_number_of_parameters_as_published() -> None:
    """First 9x9 and PReLU, 16 blocks, one convolution, two enlargements, last 9x9, by hand; batch norm has 2 a channel.

    15,616 + 1; 16 (2 * 36,928 + 2 * 128 + 1); 36,928 + 128; 2 (147,712 + 1); 15,555: Ledig et al. 2017, figure 4.
    """
    network = SRResNet((3, 24, 24), (3, 96, 96))
    expected = 15_617 + 16 * (2 * 36_928 + 2 * 128 + 1) + 36_928 + 128 + 2 * 147_713 + 15_555
    assert sum(parameter.numel() for parameter in network.parameters()) == expected == 1_549_462


def test_with_the_bicubic_path_and_a_silent_tail_the_output_is_bicubic() -> None:
    network = small(bicubic=True, norm="none", tail="direct").eval()
    nn.init.zeros_(network.tail[0].weight)  # type: ignore[arg-type]
    image = torch.rand(1, 3, 7, 5, generator=torch.Generator().manual_seed(0)) * 0.4 + 0.3
    expected = bicubic(image, (28, 20))
    assert (network(image) - expected).abs().max() <= 0.5 / 255 + 1e-6  # the reference is rounded to bytes


def test_only_in_eval_mode_the_output_is_cut_off() -> None:
    network = small(norm="none")
    bias = network.tail[-1].bias
    assert isinstance(bias, Tensor)
    nn.init.constant_(bias, 3.0)
    image = torch.zeros(1, 3, 6, 8)
    assert network(image).max() > 2
    assert network.eval()(image).max() == 1


@pytest.mark.parametrize("tail", ["stages", "direct"])
@pytest.mark.parametrize("factor", [2, 4, 8])
def test_an_output_depends_on_its_inputs_as_far_as_the_reach(tail: str, factor: int) -> None:
    """A gradient of the output in the middle reaches so many pixels, and no farther."""
    network = SRResNet((1, 4, 4), (1, 4 * factor, 4 * factor), 3, 2, norm="none", tail=tail)  # type: ignore[arg-type]
    side = 2 * network.reach + 11  # type: ignore[operator]
    image = torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(0)).requires_grad_()
    middle = side // 2
    network(image)[
        0, 0, middle * factor : (middle + 1) * factor, middle * factor : (middle + 1) * factor
    ].sum().backward()
    touched = (image.grad != 0).nonzero()[:, 2:]  # type: ignore[union-attr]
    far = int((touched - middle).abs().max())
    assert network.reach - 1 <= far <= network.reach  # type: ignore[operator]


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ((3, 8, 8), (3, 8, 8), "pictures of 8x8 pixels and targets of 8x8; targets must be 2, 3, 4, 8 times"),
        ((3, 8, 8), (3, 40, 40), "targets must be"),
        ((3, 8, 8), (3, 16, 32), "targets of 32x16"),
    ],
)
def test_shapes_that_do_not_belong_together(source: tuple[int, ...], target: tuple[int, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SRResNet(source, target)


def test_a_bicubic_path_needs_equal_channels() -> None:
    with pytest.raises(ValueError, match="bicubic: pictures have 1 channels, their targets 3; set it false"):
        SRResNet((1, 8, 8), (3, 16, 16), bicubic=True)


@pytest.mark.parametrize("size", [(96, 96), (88, 60), (16, 16)])
def test_discriminator_of_any_size(size: tuple[int, int]) -> None:
    critic = SRGANDiscriminator((3, *size), width=4, dense=6)
    assert critic(torch.zeros(2, 3, *size)).shape == (2,)
    assert critic.features(torch.zeros(2, 3, *size)).shape == (2, 6)


def test_discriminator_as_published() -> None:
    """Eight convolutions and two dense layers on 96 pixels, the last map 6x6 of 512."""
    critic = SRGANDiscriminator((3, 96, 96))
    assert sum(isinstance(module, nn.Conv2d) for module in critic.modules()) == 8
    assert critic.stages() == [(3, 96, 96), (64, 48, 48), (128, 24, 24), (256, 12, 12), (512, 6, 6)]
    assert critic.dense[0].weight.shape == (1024, 512 * 36)


def test_random_features_are_always_the_same_and_no_part_of_the_state() -> None:
    output, target = torch.rand(2, 2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    before = torch.get_rng_state()
    first, second = RandomFeatures(), RandomFeatures()
    assert torch.equal(first(output, target, 0), second(output, target, 0))
    assert torch.equal(torch.get_rng_state(), before)
    assert not first.state_dict()
    assert not list(first.parameters())
    assert first(target, target, 0) == 0
    assert RandomFeatures(weight=3.0)(output, target, 0) == pytest.approx(3 * float(first(output, target, 0)))


def test_random_features_send_gradients_to_the_output_alone() -> None:
    output = torch.rand(1, 1, 8, 8, requires_grad=True)
    target = torch.rand(1, 1, 8, 8, requires_grad=True)
    RandomFeatures()(output, target, 0).backward()
    assert output.grad is not None
    assert output.grad.abs().sum() > 0
    assert target.grad is None


def test_three_channels_of_any_number() -> None:
    image = torch.arange(4.0).view(1, 4, 1, 1)
    found = [colours(image[:, :count]).flatten().tolist() for count in (1, 2, 3, 4)]
    assert found == [[0, 0, 0], [0, 1, 1], [0, 1, 2], [0, 1, 2]]


def test_missing_weights_are_told_before_training_and_do_not_matter_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    node = {"_target_": "ganctl.losses.vgg.VGG19"}
    expected = (
        rf"weights: VGG19 needs vgg19-dcbb9e9d\.pth, and '{tmp_path}/hub/checkpoints/vgg19-dcbb9e9d\.pth' is not "
        r"there; put it there \(from https://.*\), or choose features of random filters: "
        r"model\.content\._target_=ganctl\.losses\.vgg\.RandomFeatures"
    )
    with torch.device("meta"), pytest.raises(UserError, match=expected):
        build(node, VGG19, "model.content")
    build(node, VGG19, "model.content")  # as `ganctl upscale` does
    (tmp_path / "other.pth").write_bytes(b"something else")
    with torch.device("meta"), pytest.raises(UserError, match=r"is not the published vgg19-dcbb9e9d\.pth; copy it"):
        build({**node, "weights": str(tmp_path / "other.pth")}, VGG19, "model.content")


def test_vgg_takes_the_layer_that_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """VGG22: of the first two blocks the last activation, 128 channels at half the size."""
    from torchvision.models.vgg import cfgs, make_layers

    torch.manual_seed(0)
    model = make_layers(cfgs["E"])
    file = tmp_path / "vgg.pth"
    torch.save({f"features.{key}": value for key, value in model.state_dict().items()}, file)
    monkeypatch.setattr(vgg, "CHECKSUM", "")
    loss = VGG19(weight=1.0, layer=8, weights=file)
    output, target = torch.rand(2, 1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    mean, deviation = (torch.tensor(each)[:, None, None] for each in (vgg.MEAN, vgg.DEVIATION))
    seen = [model[:9](((image + 1) / 2 - mean) / deviation) for image in (output, target)]
    assert seen[0].shape == (1, 128, 8, 8)
    assert float(loss(output, target, 0)) == pytest.approx(seen[0].sub(seen[1]).square().mean().item(), rel=1e-4)
    with pytest.raises(ValueError, match="layer: 37; must be 0 to 36"):
        VGG19(layer=37)
