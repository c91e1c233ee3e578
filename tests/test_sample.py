"""Pictures from a checkpoint: the same for any batch size, averaged or not, by class, and refused in words."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganctl
from ganctl import cli
from ganctl.commands.arguments import parse
from ganctl.commands.sample import Arguments, title
from ganctl.config.preparation import compose, prepare
from ganctl.ema import Average
from ganctl.errors import UserError
from ganctl.pictures import to_bytes
from ganctl.runs import checkpoint, store
from ganctl.training.parts import game_of

SMALL = ["dataset=random", "dataset.shape=[1,8,8]", "batch_size=4", "model=gan"]
SMALL += ["model.game.generator.hidden=[16,16]", "model.game.discriminator.hidden=[16]"]
CONDITIONAL = ["dataset.classes=3", "model.game.generator.classes=3", "model.game.discriminator.classes=3"]


def make_run(outputs: Path, name: str, *overrides: str) -> store.Run:
    """A run with a checkpoint of untrained weights; its average is the generator with every weight halved."""
    settings = prepare(compose([*SMALL, *overrides]))
    torch.manual_seed(0)
    game = game_of(settings)
    average = Average()
    average.follow(game)
    with torch.no_grad():
        for weight in average.parameters():
            weight.mul_(0.5)
    run = store.create(outputs, name, settings, settings["choices"], images=640)
    content = {"images_seen": 640, "config": settings, "game": game.state_dict(), "average": average.state_dict()}
    checkpoint.save(store.numbered_path(run, 640), content)
    checkpoint.save(run.checkpoints / "last.ckpt", content)
    return run


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "outputs"
    make_run(folder, "labelled", *CONDITIONAL)
    make_run(folder, "unasked", "dataset.classes=3")
    make_run(folder, "plain")
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch, outputs):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANCTL_OUTPUTS", str(outputs))
    monkeypatch.delenv("GANCTL_CONF", raising=False)


@pytest.fixture
def sampler():
    return ganctl.load("plain", device="cpu")


def test_pictures_have_the_promised_shape_and_range(sampler):
    pictures = sampler.sample(5, seed=1)
    assert pictures.shape == (5, 1, 8, 8)
    assert pictures.dtype == torch.float32
    assert pictures.abs().max() <= 1
    assert sampler.images_seen == 640


def test_a_seed_gives_the_same_pictures_for_any_batch_size(sampler):
    once = sampler.sample(10, seed=1, batch_size=10)
    pieces = sampler.sample(10, seed=1, batch_size=3)
    assert (to_bytes(once).int() - to_bytes(pieces).int()).abs().max() <= 1
    assert torch.allclose(once, pieces, atol=1e-5)
    assert not torch.allclose(once, sampler.sample(10, seed=2))


def test_sampling_leaves_the_global_random_numbers_alone(sampler):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    sampler.sample(3)
    assert torch.equal(before, torch.get_rng_state())


def test_the_average_is_sampled_unless_told_otherwise():
    averaged, live = ganctl.load("plain"), ganctl.load("plain", ema=False)
    for half, whole in zip(averaged.game.generator.parameters(), live.game.generator.parameters(), strict=True):
        assert torch.equal(half, whole * 0.5)
    assert not averaged.game.training


def test_each_gives_so_many_of_every_class_in_order():
    sampler = ganctl.load("labelled", device="cpu")
    assert sampler.labels("each", 2).tolist() == [0, 0, 1, 1, 2, 2]
    assert sampler.sample(2, label="each").shape[0] == 6
    assert sampler.labels(2, 3).tolist() == [2, 2, 2]
    assert sampler.labels("1", 2).tolist() == [1, 1]
    assert sampler.labels([2, "0"], 2).tolist() == [2, 0]
    one, other = sampler.sample(4, label=0), sampler.sample(4, label=1)
    assert not torch.allclose(one, other)


def test_attributes_are_named_together(outputs):
    run = store.find("labelled", outputs)
    content = checkpoint.load(run.checkpoints / "last.ckpt")
    content["config"]["description"] |= {"names": ["smiling", "old", "bald"], "attributes": True}
    path = run.folder / "attributes.ckpt"
    checkpoint.save(path, content)
    sampler = ganctl.load(path)
    assert sampler.labels("old, smiling", 2).tolist() == [[1, 1, 0], [1, 1, 0]]
    assert sampler.labels(["bald", "old,bald"], 2).tolist() == [[0, 0, 1], [0, 1, 1]]
    assert sampler.labels("each", 1).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    path.unlink()


def test_class_names_are_understood(outputs):
    run = store.find("labelled", outputs)
    content = checkpoint.load(run.checkpoints / "last.ckpt")
    content["config"]["description"]["names"] = ["cat", "dog", "newt"]
    path = run.folder / "named.ckpt"
    checkpoint.save(path, content)
    sampler = ganctl.load(path)
    assert sampler.labels("dog", 2).tolist() == [1, 1]
    with pytest.raises(UserError, match=r"label: no class 'dgo'; accepted are 0 to 2 \(cat, dog, newt\), and each"):
        sampler.sample(2, label="dgo")
    path.unlink()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run=plain", "label=1"], "label: 1 was given, and this run was trained without labels; leave label out"),
        (["run=unasked", "label=77"], "label: this model was trained without labels and cannot draw a class"),
        (["run=labelled", "label=3"], "label: no class '3'; accepted are 0 to 2, and each"),
        (["run=labelled", "ckpt=best"], "ckpt: best is not in {outputs}/labelled; there are: last, 640"),
        (["run=labelled", "label=²"], "label: no class '²'; accepted are 0 to 2, and each"),
        (["run={outputs}/plain/checkpoints/last.ckpt", "ckpt=640"], "ckpt: 640 was given beside a checkpoint file"),
        (["n=100000000000"], "n=100000000000: must be at most 1e+07"),
        (["run=plian"], "run: no run 'plian'; did you mean 'plain'?"),
        (["n=0"], "n=0: must be at least 1"),
        (["run=plain", "truncation=0"], "truncation: 0.0; must be more than 0"),
        (["run=plain", "device=gpu"], "device: 'gpu'"),
        (["run=plain", "out=there"], "out: there.png exists already; choose another name"),
        (["run=plain", "out=there.jpg"], "out: there.jpg: format=grid writes .png"),
        (["run=plain", "out=."], "out: . is a folder; name the file, such as first.png"),
        (["run=plain", "out=/"], "out: / is a folder; name the file, such as /first.png"),
        (["run=plain", "out=cat.png", "format=files"], "out: cat.png: format=files makes a folder; leave .png out"),
        (
            ["run=plain", "n=10001"],
            "n: 10,001 pictures in all; a sheet holds 10,000 at most; choose format=files or format=npz",
        ),
        (["run=labelled", "label=each", "n=3334"], "n: 10,002 pictures in all; a sheet holds 10,000 at most"),
        (["run="], "run=: no value; write run=..."),
        (
            ["run=plain", "device=[0]"],
            "device: [0]; this command takes one device; give a GPU's number, such as device=0",
        ),
    ],
)
def test_mistakes_are_told_in_words(words, told, capsys, outputs):
    Path("there.png").touch()
    before = sorted(outputs.rglob("*"))
    assert cli.main(["sample", *(word.format(outputs=outputs) for word in words)]) == 2
    assert capsys.readouterr().err.startswith(f"ganctl sample: {told.format(outputs=outputs)}")
    assert sorted(outputs.rglob("*")) == before
    assert Path("there.png").stat().st_size == 0


def test_all_mistakes_are_told_at_once(capsys, outputs):
    assert cli.main(["sample", "run=plain", "out=there.jpg", "label=1", "truncation=0", "code=tilt", "text=red"]) == 2
    told = capsys.readouterr().err
    for mistake in ("out: there.jpg:", "label: 1 was given", "truncation: 0.0;", "code=tilt:", "text: this model"):
        assert mistake in told
    assert not Path("there.jpg").exists()


def test_a_grid_is_written_to_a_name_of_its_own(capsys, outputs):
    for ending in ("", "-2", "-3"):
        assert cli.main(["sample", "run=labelled", "label=each", "n=4", "seed=7"]) == 0
        path = outputs / "labelled" / "drawn" / f"last-seed-7-label-each{ending}.png"
        assert capsys.readouterr().out == f"{path}  (seed 7; last.ckpt, 640 images seen)\n"
    rows, columns, size = 3, 4, 8
    enlarged = 1000 // (columns * (size + 2))
    height, width, _ = np.asarray(Image.open(path)).shape
    assert (width, height) == (((size + 2) * columns + 2) * enlarged, ((size + 2) * rows + 2) * enlarged)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], "last-seed-0"),
        (["label=a/b: c", "seed=3"], "last-seed-3-label-a-b-c"),
        (["truncation=0.7", "style_mix=4"], "last-seed-0-truncation-0.7-style-mix-4"),
        (["truncation=0", "code=../class"], "last-seed-0-truncation-0.0-code-class"),
        (["ema=false", "text=a red | circle", "ckpt=640"], "000000640-seed-0-ema-false-a-red-circle"),
        (["text=" + "long " * 40], "last-seed-0-" + "-".join(["long"] * 12)),
    ],
)
def test_a_name_says_each_wish(words, name):
    arguments = parse(Arguments, words, "sample")
    assert title(ganctl.load("plain", arguments.ckpt, device="cpu"), arguments) == name


def test_other_wishes_are_written_to_other_names(capsys, outputs):
    for truncation in ("0.5", "0.7"):
        assert cli.main(["sample", "run=plain", "n=2", f"truncation={truncation}"]) == 0
        assert (outputs / "plain" / "drawn" / f"last-seed-0-truncation-{truncation}.png").is_file()


def test_without_a_run_the_newest_is_taken(capsys):
    assert cli.main(["sample", "n=2", "out=new/sheet"]) == 0
    assert capsys.readouterr().out.startswith("new/sheet.png  ")
    assert Path("new/sheet.png").exists()


def test_files_and_arrays_hold_the_pictures_of_the_api(sampler):
    wanted = to_bytes(sampler.sample(5, seed=3)).permute(0, 2, 3, 1).numpy()
    assert cli.main(["sample", "run=plain", "n=5", "seed=3", "batch_size=2", "format=npz", "out=five"]) == 0
    assert cli.main(["sample", "run=plain", "n=5", "seed=3", "format=files", "out=five"]) == 0
    with np.load("five.npz") as arrays:
        assert arrays.files == ["images"]
        assert np.abs(arrays["images"].astype(int) - wanted).max() <= 1
    found = [np.asarray(Image.open(f"five/{number:06d}.png")) for number in range(5)]
    assert np.abs(np.stack(found)[..., None].astype(int) - wanted).max() <= 1


def test_an_array_carries_the_labels():
    assert cli.main(["sample", "run=labelled", "n=2", "label=each", "format=npz", "out=labels.npz"]) == 0
    with np.load("labels.npz") as arrays:
        assert arrays["labels"].tolist() == [0, 0, 1, 1, 2, 2]
        assert arrays["images"].shape == (6, 8, 8, 1)


def test_a_checkpoint_that_names_foreign_classes_is_refused(outputs, capsys):
    content = checkpoint.load(outputs / "plain" / "checkpoints" / "last.ckpt")
    content["config"]["model"]["game"]["generator"]["_target_"] = "os.system"
    content["config"]["plugins"] = ["os"]
    checkpoint.save(Path("evil.ckpt"), content)
    assert cli.main(["sample", "run=evil.ckpt"]) == 2
    told = capsys.readouterr().err
    assert "evil.ckpt: model.game.generator._target_: " in told
    assert "plugins: the run was trained with plugins=os; give that again if you trust it" in told


def test_weights_that_do_not_fit_are_told_in_words(outputs, capsys):
    content = checkpoint.load(outputs / "plain" / "checkpoints" / "last.ckpt")
    content["config"]["model"]["game"]["generator"]["hidden"] = [32, 16]
    checkpoint.save(Path("other.ckpt"), content)
    assert cli.main(["sample", "run=other.ckpt"]) == 2
    assert "other.ckpt: its weights do not fit the game its own config describes" in capsys.readouterr().err


def test_save_grid_writes_a_sheet(sampler):
    assert ganctl.save_grid(sampler.sample(4), "four.png") == Path("four.png")
    assert Image.open("four.png").format == "PNG"


def test_pictures_that_are_not_finite_leave_nothing(outputs, capsys):
    content = checkpoint.load(outputs / "plain" / "checkpoints" / "last.ckpt")
    for state in (content["game"], content["average"]):
        for value in filter(torch.is_floating_point, state.values()):
            value.fill_(torch.nan)
    checkpoint.save(Path("broken.ckpt"), content)
    for form in ("files", "grid", "npz"):
        assert cli.main(["sample", "run=broken.ckpt", f"format={form}", "out=drawn"]) == 2
        assert "draws pictures that are not finite" in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["broken.ckpt"]
