"""`ganctl upscale`: pieces without seams, files as users have them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from picture_samples import encoded, photo
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, interpolate

from ganctl import cli
from ganctl.config.preparation import compose, prepare
from ganctl.errors import UserError
from ganctl.networks.srresnet import SRResNet
from ganctl.trained.sampling import load
from ganctl.trained.tiling import spans, tiled
from ganctl.trained.translating import load_translator
from ganctl.training import start


def blurred(image: Tensor) -> Tensor:
    """Twice as large, each pixel the sum of 5x5 of its neighbours: reaches two pixels."""
    return interpolate(conv2d(image, torch.ones(1, 1, 5, 5), padding=2), scale_factor=2)


@pytest.mark.parametrize("size", [(7, 7), (20, 31), (16, 8), (8, 40), (1, 30)])
@pytest.mark.parametrize("tile", [4, 7, 8])
def test_in_pieces_as_if_made_whole(size: tuple[int, int], tile: int) -> None:
    """Whole numbers add up exactly, so there is no rounding to forgive."""
    image = torch.randint(9, (2, 1, *size), generator=torch.Generator().manual_seed(0)).float()
    assert torch.equal(tiled(image, blurred, tile, reach=2), blurred(image))


def test_without_what_lies_around_seams_are_seen() -> None:
    image = torch.ones(1, 1, 16, 16)
    assert not torch.equal(tiled(image, blurred, 8, reach=1), blurred(image))


def test_a_side_in_stretches() -> None:
    found = [(span.start, span.end, span.around.start, span.around.stop) for span in spans(10, 4, 3)]
    assert found == [(0, 4, 0, 7), (4, 8, 1, 10), (8, 10, 5, 10)]


def test_no_piece_is_larger_than_asked_for() -> None:
    sizes = []

    def make(image: Tensor) -> Tensor:
        sizes.append(image.shape[2:])
        return image

    assert tiled(torch.zeros(1, 1, 30, 9), make, tile=8, reach=2).shape == (1, 1, 30, 9)
    assert max(max(size) for size in sizes) == 12
    assert len(sizes) == 8


@pytest.mark.parametrize("tail", ["stages", "direct"])
@pytest.mark.parametrize("bicubic", [True, False])
def test_a_network_in_pieces_within_rounding(tail: Any, bicubic: bool) -> None:
    torch.manual_seed(0)
    network = SRResNet((3, 8, 8), (3, 32, 32), width=8, blocks=2, tail=tail, bicubic=bicubic).eval()
    image = torch.rand(1, 3, 61, 45) * 2 - 1
    with torch.no_grad():
        found, whole = tiled(image, network, 24, network.reach or 0), network(image)
    assert found.shape == (1, 3, 244, 180)
    assert (found - whole).abs().max() < 1e-4  # a grey level is 8e-3


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that enlarges twice, trained for two rounds."""
    outputs = tmp_path_factory.mktemp("outputs")
    words = ["model=srresnet", "model.width=4", "model.blocks=1", "dataset=random_superres", "dataset.factor=2"]
    words += ["images=8", "batch_size=4", "device=cpu", "precision=32", "trainer.preview=2", "name=first"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANCTL_OUTPUTS", str(outputs))
        start.train(prepare(compose(words)))
    return outputs / "first"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Of several kinds; one is damaged."""
    folder = tmp_path / "photos"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(encoded(photo((33, 20)), "JPEG"))
    (folder / "inner" / "b.png").write_bytes(encoded(photo((1, 7), seed=1)))
    (folder / "grey.png").write_bytes(encoded(photo((40, 9)).convert("L")))
    (folder / "deep.png").write_bytes(encoded(Image.fromarray(np.full((6, 5), 65535, np.uint16))))
    (folder / "cmyk.jpg").write_bytes(encoded(photo((12, 12)).convert("CMYK"), "JPEG"))
    (folder / "bad.png").write_bytes(b"\x89PNG no more")
    veiled = photo((16, 12), seed=2)
    veiled.putalpha(Image.linear_gradient("L").resize((16, 12)))
    (folder / "veiled.png").write_bytes(encoded(veiled))
    return folder


def upscale(**words: object) -> int:
    return cli.main(["upscale", *(f"{key.rstrip('_')}={value}" for key, value in words.items()), "device=cpu"])


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


def test_a_folder(run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "larger"
    assert upscale(run=run, in_=photos, out=out) == 0
    said = capsys.readouterr()
    assert "6 pictures" in said.out
    assert said.err.count("ganctl upscale: 1 skipped: 'bad.png'") == 1
    sizes = {str(path.relative_to(out)): Image.open(path).size for path in out.rglob("*.png")}
    assert sizes == {
        "a.png": (66, 40),
        "inner/b.png": (2, 14),
        "grey.png": (80, 18),
        "deep.png": (10, 12),
        "cmyk.png": (24, 24),
        "veiled.png": (32, 24),
    }


def test_asked_for_samples_it_names_the_command_that_it_is_for(run: Path) -> None:
    with pytest.raises(UserError, match="draw from noise alone; give it some with ganctl upscale in=PATH out=PATH"):
        load(run)


def test_pixels_are_those_of_the_network(run: Path, photos: Path, tmp_path: Path) -> None:
    assert upscale(run=run, in_=photos / "inner" / "b.png", out=tmp_path / "b.png") == 0
    image = torch.from_numpy(read(photos / "inner" / "b.png")).permute(2, 0, 1)[None].float() / 127.5 - 1
    expected = ((load_translator(run, device="cpu").translate(image)[0].permute(1, 2, 0) + 1) * 127.5).round()
    assert np.array_equal(read(tmp_path / "b.png"), expected.numpy().astype(int))


def test_in_pieces_as_if_made_whole_to_one_grey_level(run: Path, photos: Path, tmp_path: Path) -> None:
    for tile in (8, 10_000):
        assert upscale(run=run, in_=photos / "a.jpg", out=tmp_path / f"{tile}.png", tile=tile) == 0
    assert np.abs(read(tmp_path / "8.png") - read(tmp_path / "10000.png")).max() <= 1


def test_transparency_is_enlarged_bicubically(run: Path, photos: Path, tmp_path: Path) -> None:
    assert upscale(run=run, in_=photos / "veiled.png", out=tmp_path / "veiled.png") == 0
    alpha = Image.open(photos / "veiled.png").getchannel("A").resize((32, 24), Image.Resampling.BICUBIC)
    assert np.array_equal(read(tmp_path / "veiled.png")[..., 3], np.asarray(alpha))


def test_nothing_is_written_over(run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "larger"
    out.mkdir()
    (out / "a.png").write_bytes(b"precious")
    assert upscale(run=run, in_=photos, out=out) == 2
    assert "1 of 7 pictures exist already" in capsys.readouterr().err
    assert (out / "a.png").read_bytes() == b"precious"
    assert upscale(run=run, in_=photos, out=out, overwrite="true") == 0
    assert read(out / "a.png").shape == (40, 66, 3)


def test_a_run_that_does_not_enlarge_is_refused(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GANCTL_OUTPUTS", str(tmp_path / "outputs"))
    words = ["model=pix2pix", "dataset=random_pairs", "dataset.shape=[3,16,16]", "images=4", "batch_size=4"]
    start.train(prepare(compose([*words, "device=cpu", "precision=32", "name=other", "model.width=4"])))
    assert upscale(run="other", in_=photos, out=tmp_path / "larger") == 2
    said = capsys.readouterr().err
    assert "does not enlarge pictures; make its pictures with ganctl translate" in said
    assert not (tmp_path / "larger").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"tile": 0}, "tile=0: must be at least 1"),
        ({"run": "frist"}, "no run 'frist'"),
        ({"in_": "nowhere"}, "in: no such folder 'nowhere'"),
    ],
)
def test_mistakes(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: Any, expected: str
) -> None:
    assert upscale(**{"run": run, "in_": photos, "out": tmp_path / "larger", **words}) == 2
    assert expected in capsys.readouterr().err
