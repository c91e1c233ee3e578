"""Files through a translator: names, sizes and alpha stay, nothing is overwritten, mistakes are told in words."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_samples import encoded, photo, plain
from PIL import Image
from untrained_runs import make_run

import ganctl
from ganctl import cli
from ganctl.data.roots import instead_of_root
from ganctl.errors import UserError
from ganctl.games.game import Task
from ganctl.trained.picturefiles import Inputs, Picture, batches, png_names, process
from ganctl.trained.translating import through

SMALL = ["dataset.shape=[3,16,16]", "batch_size=4", "model.width=4", "model.critic_width=4"]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "outputs"
    make_run(folder, "paired", *SMALL, "model=pix2pix", "dataset=random_pairs")
    make_run(folder, "holes", *SMALL, "model=inpaint", "dataset=random_inpaint")
    generator = ["model.game.generator.hidden=[16]", "model.game.discriminator.hidden=[16]"]
    make_run(folder, "noise", "model=gan", "dataset=random", "dataset.shape=[1,8,8]", "batch_size=4", *generator)
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch, outputs):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANCTL_OUTPUTS", str(outputs))
    for name in ("GANCTL_CONF", "GANCTL_DATA"):
        monkeypatch.delenv(name, raising=False)


def put(files: dict[str, bytes], root: str = "in") -> None:
    for name, content in files.items():
        path = Path(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def translate(capsys, *words: str) -> tuple[int, str, str]:
    code = cli.main(["translate", "run=paired", "device=cpu", *words])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_a_folder_keeps_names_and_sizes(capsys) -> None:
    put({"a/1.jpg": encoded(photo((20, 13)), "JPEG"), "2.png": encoded(photo((16, 16))), "note.txt": b"hello"})
    code, told, _ = translate(capsys, "in=in", "out=out")
    assert code == 0
    assert told == "out  (2 pictures; last.ckpt, 640 images seen)\n"
    made = {str(path.relative_to("out")): Image.open(path).size for path in Path("out").rglob("*.*")}
    assert made == {"a/1.png": (20, 13), "2.png": (16, 16)}


def test_it_is_what_the_game_makes(capsys) -> None:
    put({"1.png": encoded(photo((24, 17)))})
    assert translate(capsys, "in=in/1.png", "out=made.png")[0] == 0
    translator = ganctl.load_translator("paired", device="cpu")
    source = torch.from_numpy(np.array(photo((24, 17)))).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.inference_mode():
        expected = ((translator.game.translate(source, Task()) + 1) * 127.5).round()[0].permute(1, 2, 0)
    written = np.asarray(Image.open("made.png")).astype(int)
    assert np.abs(written - expected.numpy()).max() <= 1
    assert written.shape == (17, 24, 3)


def test_transparency_is_kept(capsys) -> None:
    through_it = plain((200, 0, 0, 255), (16, 16), "RGBA")
    through_it.paste((0, 0, 0, 0), (0, 0, 4, 4))
    put({"1.png": encoded(through_it)})
    assert translate(capsys, "in=in", "out=out")[0] == 0
    alpha = np.asarray(Image.open("out/1.png"))[..., 3]
    assert (alpha[:4, :4] == 0).all()
    assert (alpha[4:, 4:] == 255).all()


def test_transparent_pixels_are_the_hole(capsys) -> None:
    picture = photo((16, 16)).convert("RGBA")
    picture.paste((255, 0, 0, 0), (4, 4, 8, 8))
    put({"1.png": encoded(picture), "nothing.png": encoded(plain((9, 9, 9, 0), (16, 16), "RGBA"))})
    code, _, warned = run_holes(capsys)
    assert code == 0
    assert "1 skipped: 'nothing.png' (transparent everywhere: nothing of it is known)" in warned
    made, given = np.asarray(Image.open("out/1.png")), np.asarray(picture)
    assert made.shape == (16, 16, 3)
    known = np.ones((16, 16), bool)
    known[4:8, 4:8] = False
    assert np.array_equal(made[known], given[..., :3][known])
    assert not np.array_equal(made[~known], given[..., :3][~known])


def run_holes(capsys) -> tuple[int, str, str]:
    code = cli.main(["translate", "run=holes", "device=cpu", "in=in", "out=out"])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_unreadable_files_are_skipped_and_counted(capsys) -> None:
    put({"good.png": encoded(photo((16, 16))), "bad.png": b"", "text.png": b"hello"})
    code, told, warned = translate(capsys, "in=in", "out=out")
    assert code == 0
    assert "(1 picture;" in told
    assert warned == ("ganctl translate: 2 skipped: 'bad.png' (empty), 'text.png' (not a picture of a known format)\n")
    assert [path.name for path in Path("out").iterdir()] == ["good.png"]


def test_odd_modes_are_taken(capsys) -> None:
    deep = Image.fromarray(np.full((16, 16), 30000, np.uint16))
    cmyk = plain((0, 255, 255, 0), (16, 16), "CMYK")
    put({"deep.png": encoded(deep), "cmyk.jpg": encoded(cmyk, "JPEG"), "p.png": encoded(photo().convert("P"))})
    put({"tiny.png": encoded(plain(size=(1, 2)))})
    assert translate(capsys, "in=in", "out=out")[0] == 0
    assert {path.name for path in Path("out").iterdir()} == {"deep.png", "cmyk.png", "p.png", "tiny.png"}
    assert Image.open("out/tiny.png").size == (1, 2)


def test_nothing_is_overwritten_unless_asked(capsys) -> None:
    put({"1.png": encoded(photo((16, 16))), "2.png": encoded(photo((16, 16)))})
    put({"1.png": b"mine"}, "out")
    code, _, warned = translate(capsys, "in=in", "out=out")
    assert code == 2
    assert warned == (
        "ganctl translate: out: 1 of 2 pictures exist already, such as out/1.png; set overwrite=true, or choose "
        "another place\n"
    )
    assert Path("out/1.png").read_bytes() == b"mine"
    assert not Path("out/2.png").exists()
    assert translate(capsys, "in=in", "out=out", "overwrite=true")[0] == 0
    assert Image.open("out/1.png").size == (16, 16)


def test_the_originals_stay(capsys) -> None:
    put({"1.png": encoded(photo((16, 16)))})
    code, _, warned = translate(capsys, "in=in", "out=in", "overwrite=true")
    assert code == 2
    assert "out: in is also in=; choose another folder, so that the originals stay" in warned


def test_a_pipe(capsysbinary, monkeypatch) -> None:
    class Stdin:
        buffer = io.BytesIO(encoded(photo((20, 12))))

    monkeypatch.setattr(sys, "stdin", Stdin())
    assert cli.main(["translate", "run=paired", "device=cpu", "in=-", "out=-"]) == 0
    written = capsysbinary.readouterr().out
    assert Image.open(io.BytesIO(written)).size == (20, 12)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["in=nowhere", "out=out"], "in: no such folder 'nowhere'; put pictures there or set in=PATH"),
        (["in=in", "out=-"], "out: -: only one picture can be written there, and in= names a folder; set out=FOLDER"),
        (["in=in/1.png", "out=a.jpg"], "out: a.jpg: pictures are written as PNG; end the name in .png"),
        (["in=in/bad.png", "out=out"], "in: not one of 1 pictures could be taken: 'bad.png' (empty)"),
        (["in=in/1.png", "out=out", "direction=b2a"], "direction: 'b2a'; this model was trained in one direction"),
        (["in=in/1.png", "out=out", "target=blond"], "target: blond was given, and this run was trained without"),
        (["out=out"], "in: must be given, in=..."),
        (["in=in", "out=all.png"], "out: all.png names one picture, and in= many; name a folder"),
        (["in=in", "out=file"], "out: file is a file; name a folder for the pictures"),
    ],
)
def test_mistakes_in_words(words, told, capsys) -> None:
    put({"1.png": encoded(photo((16, 16))), "bad.png": b""})
    Path("file").write_text("")
    code, _, warned = translate(capsys, *words)
    assert code == 2
    assert told in warned
    assert not Path("out").exists()


def test_a_run_that_draws_from_noise_is_refused(capsys) -> None:
    put({"1.png": encoded(photo((16, 16)))})
    code = cli.main(["translate", "run=noise", "in=in", "out=out"])
    assert code == 2
    assert "LatentGame makes no pictures from pictures; draw from it with ganctl sample" in capsys.readouterr().err


def test_a_run_that_translates_cannot_be_sampled() -> None:
    with pytest.raises(UserError, match="draw from noise alone; give it some with ganctl translate in=PATH out=PATH"):
        ganctl.load("paired")


def test_tensors_are_translated_alike_in_any_batches() -> None:
    translator = ganctl.load_translator("paired", device="cpu")
    image = torch.rand(5, 3, 12, 12) * 2 - 1
    whole = translator.translate(image)
    assert whole.shape == image.shape
    assert torch.allclose(whole, translator.translate(image, batch_size=2), atol=1e-5)
    with pytest.raises(UserError, match=r"image: \[5, 1, 12, 12\]; must be \[B, 3, H, W\]"):
        translator.translate(image[:, :1])


def test_through_the_size_of_the_training(capsys) -> None:
    seen = []

    def doubled(image: torch.Tensor) -> torch.Tensor:
        seen.append(image.shape)
        return torch.zeros(len(image), 3, 2 * image.shape[2], 2 * image.shape[3])

    assert through((16, 16), doubled)(torch.zeros(1, 3, 40, 20)).shape == (1, 3, 80, 40)
    assert seen == [(1, 3, 16, 16)]
    put({"1.png": encoded(photo((50, 40)))})
    assert translate(capsys, "in=in", "out=out", "size=trained")[0] == 0
    assert Image.open("out/1.png").size == (50, 40)


def test_names_that_would_meet_keep_their_suffix() -> None:
    three = {"a.jpg": "a.jpg.png", "a.png": "a.png.png", "a.jpg.png": "a.jpg.png.png"}
    assert png_names(["a.jpg", "a.png", "a.jpg.png"]) == three
    assert png_names(["a.jpg", "b.png", "a.png"]) == {"a.jpg": "a.jpg.png", "b.png": "b.png", "a.png": "a.png.png"}


def test_neighbours_of_one_size_go_together() -> None:
    sizes = [(2, 2), (2, 2), (2, 2), (3, 2), (2, 2)]
    pictures = [Picture(str(number), torch.zeros(3, *size)) for number, size in enumerate(sizes)]
    assert [[each.name for each in batch] for batch in batches(pictures, 2)] == [["0", "1"], ["2"], ["3"], ["4"]]


def test_a_picture_too_large_for_the_memory_is_skipped(tmp_path) -> None:
    def make(image: torch.Tensor) -> torch.Tensor:
        if image.shape[2] > 8:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return image

    files = {"1": encoded(plain(size=(16, 16))), "2": encoded(plain(size=(8, 8)))}
    inputs = Inputs(list(files), files.__getitem__, tmp_path)
    report = process(inputs, {name: tmp_path / f"{name}.png" for name in files}, make, 3)
    assert report.skipped == {"1": "needs more memory than there is"}
    assert report.written == [tmp_path / "2.png"]


def test_grey_models_that_fill_holes_see_alpha(tmp_path) -> None:
    seen = []

    def make(image: torch.Tensor) -> torch.Tensor:
        seen.append(image)
        return image[:, :1]

    inputs = Inputs(["1"], lambda _: encoded(plain((255, 255, 255, 255), (4, 4), "RGBA")), None)
    process(inputs, {"1": tmp_path / "1.png"}, make, channels=2)
    assert torch.equal(seen[0], torch.ones(1, 2, 4, 4))
    assert Image.open(tmp_path / "1.png").mode == "L"


def test_grey_models_take_colour_and_give_grey(tmp_path) -> None:
    inputs = Inputs(["1"], lambda _: encoded(plain((255, 255, 255), (4, 4))), None)
    process(inputs, {"1": tmp_path / "1.png"}, lambda image: image - 1, channels=1)
    made = Image.open(tmp_path / "1.png")
    assert made.mode == "L"
    assert made.getpixel((0, 0)) == 128  # white less one half of the range


def test_mistakes_about_the_root_are_about_in() -> None:
    with pytest.raises(UserError, match=r"^in: x; set in=PATH$"), instead_of_root("in"):
        raise UserError("dataset.root: x; set dataset.root=PATH")


def test_all_mistakes_are_told_at_once(capsys) -> None:
    code, _, warned = translate(capsys, "in=nowhere", "out=out", "ckpt=best")
    assert code == 2
    assert "in: no such folder 'nowhere'" in warned
    assert "ckpt: best is not in" in warned
