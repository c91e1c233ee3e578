"""Before a run begins: what its data has to say is said once, and what cannot work is told before a folder is made."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from picture_samples import encoded, plain

from ganctl import cli
from ganctl.runs import store

SMALL = ["model.width=4", "images=8", "batch_size=2", "device=cpu", "precision=32", "trainer.threads=1"]
SMALL += ["trainer.preview=2", "sample_every=null", "doctor_every=null"]
DCGAN = ["model=dcgan", "model.noise_size=4", "dataset=folder", "dataset.root=d", "dataset.size=8", *SMALL]


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANCTL_CACHE", str(tmp_path / "cache"))
    for name in ("GANCTL_OUTPUTS", "GANCTL_CONF", "GANCTL_DATA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "outputs"


def put(root: str, good: int, bad: int = 0) -> None:
    """A folder with so many pictures, and with so many files that are none."""
    Path(root).mkdir(parents=True)
    for number in range(good + bad):
        content = encoded(plain((number, 0, 0))) if number < good else b"no picture"
        Path(root, f"{number:03d}.png").write_bytes(content)


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The sentences on stderr."""
    return capsys.readouterr().err.splitlines()


# ---- once


def test_files_without_a_partner_are_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    put("a", 4)
    put("b", 3)
    data = ["model=pix2pix", "dataset=pairs", "dataset.root=a", "dataset.root_b=b", "dataset.size=16"]
    assert cli.main(["train", *data, "dataset.on_error=skip", *SMALL]) == 0
    found = [line for line in capsys.readouterr().out.splitlines() if "without a partner" in line]
    assert found == [
        "1 file of 'a' and 'b' without a partner of the same name: '003.png' (not in 'b'); left out",
    ]


# ---- a name that is taken


def test_a_taken_name_is_told_with_the_other_mistakes(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (outputs / "first").mkdir(parents=True)
    words = ["model=dcgan", "dataset=digits", "device=cpu", "name=first"]
    taken = "name: outputs/first exists already; choose another name, or continue it with resume=first"
    assert cli.main(["train", *words, "batch_size=0"]) == 2
    assert told(capsys) == ["ganctl train: 2 mistakes", "  batch_size: 0; must be 1 or more", f"  {taken}"]
    assert cli.main(["train", *words, "dry_run=true"]) == 2
    assert told(capsys) == [f"ganctl train: {taken}"]
    assert cli.main(["train", "-m", *words, "seed=1,2", "batch_size=0"]) == 2
    assert f"  {taken}" in told(capsys)
    assert cli.main(["train", *words, "search=fd"]) == 2
    found = told(capsys)
    assert f"  {taken}" in found
    assert any(each.startswith("  search: nothing to choose") for each in found)
    assert [path.name for path in outputs.iterdir()] == ["first"]


def test_a_name_that_names_no_folder_is_told_before_the_run_begins(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "model=dcgan", "dataset=digits", "name=newest", "dry_run=true"]) == 2
    assert told(capsys) == [
        "ganctl train: name: 'newest'; use a plain folder name, such as first-try, or group/first-try"
    ]


@pytest.mark.parametrize("more", [[], ["dry_run=true"], ["-m", "seed=1,2"], ["search=fd", "seed=1,2"]])
def test_a_name_in_the_place_of_a_run_or_a_file_is_refused(
    outputs: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    store.create(outputs, "first", {})
    (outputs / "notes").touch()
    words = ["train", "model=dcgan", "dataset=digits", "device=cpu", *more]
    for group, kind in {"first": "a run", "notes": "a file"}.items():
        assert cli.main([*words, f"name={group}/x"]) == 2
        expected = f"name: '{group}/x'; outputs/{group} is {kind}; choose another group, or leave it out"
        assert told(capsys) == [f"ganctl train: {expected}"]
    assert sorted(path.name for path in outputs.rglob("*")) == [
        "checkpoints", "config.yaml", "first", "notes", "samples", "status.json"
    ]  # fmt: skip


@pytest.mark.parametrize("more", [[], ["-m", "seed=1,2"]])
def test_runs_and_sweeps_may_be_grouped(more: list[str]) -> None:
    assert cli.main(["train", "model=dcgan", "dataset=digits", *more, "name=group/first", "dry_run=true"]) == 0


def test_a_run_that_is_resumed_has_its_name_already(outputs: Path) -> None:
    assert cli.main(["train", "model=dcgan", "model.noise_size=4", "dataset=digits", *SMALL, "name=first"]) == 0
    assert cli.main(["train", "resume=first", "images=16"]) == 0


# ---- fewer pictures than a batch


@pytest.mark.parametrize("on_error", ["error", "skip"])
@pytest.mark.parametrize("batch_size", [2, 64])
def test_where_no_picture_can_be_read_no_batch_size_is_advised(
    outputs: Path, capsys: pytest.CaptureFixture[str], on_error: str, batch_size: int
) -> None:
    put("d", 0, bad=3)
    words = [word for word in DCGAN if not word.startswith("batch_size")]
    assert cli.main(["train", *words, f"batch_size={batch_size}", f"dataset.on_error={on_error}"]) == 2
    which = ", ".join(f"'{number:03d}.png' (not a picture of a known format)" for number in range(3))
    assert told(capsys) == [
        f"ganctl train: dataset.root: not one readable picture in 'd': {which}; set dataset.root=PATH"
    ]
    assert not outputs.exists()


@pytest.mark.parametrize(("batch_size", "bad"), [(64, 2), (4, 2)])
def test_the_advice_counts_what_can_be_read(
    outputs: Path, capsys: pytest.CaptureFixture[str], batch_size: int, bad: int
) -> None:
    """Of five pictures three can be read: told when the settings are checked, and where a batch of 4 fits the listing
    only, when the data is opened."""
    put("d", 3, bad)
    words = [*(word for word in DCGAN if not word.startswith("batch_size")), f"batch_size={batch_size}"]
    advice = f"batch_size: {batch_size}; 3 of the dataset's 5 images can be used; set batch_size=3 or less"
    assert cli.main(["train", *words, "dataset.on_error=skip"]) == 2
    found = told(capsys)
    assert found[-1] == f"ganctl train: {advice}"
    assert cli.main(["train", *words]) == 2
    assert "2 of 5 pictures in 'd' cannot be read: '003.png' (not a picture of a known format), " in (
        capsys.readouterr().err
    )
    assert not outputs.exists()


def test_unreadable_pictures_and_too_large_a_batch_are_told_together(capsys: pytest.CaptureFixture[str]) -> None:
    put("d", 3, 2)
    assert cli.main(["train", *(word for word in DCGAN if not word.startswith("batch_size"))]) == 2
    first, unreadable, advice = told(capsys)
    assert first == "ganctl train: 2 mistakes"
    assert unreadable.startswith("  dataset.root: 2 of 5 pictures in 'd' cannot be read: ")
    assert advice == "  batch_size: 64; 3 of the dataset's 5 images can be used; set batch_size=3 or less"


def test_many_pictures_are_not_read_for_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganctl.config.judging.FEW", 4)
    put("d", 3, 2)
    assert cli.main(["train", *(word for word in DCGAN if not word.startswith("batch_size"))]) == 2
    assert not Path("cache", "pictures").exists()


@pytest.mark.parametrize("processes", [1, 2])
def test_a_mistake_that_only_the_pictures_show_leaves_no_run(
    outputs: Path, capsys: pytest.CaptureFixture[str], processes: int
) -> None:
    put("d", 32)
    words = [*DCGAN, "early_stop=fd", "evaluate_every=4", "name=first", f"trainer.processes={processes}"]
    assert cli.main(["train", *words]) == 2
    (only,) = told(capsys)
    assert only.startswith("ganctl train: early_stop: no metric 'fd' here; there are ")
    assert list(outputs.iterdir()) == []


@pytest.mark.parametrize(
    "words", [["early_stop=fd", "dry_run=true"], ["-m", "early_stop=fd", "seed=1,2"], ["search=fd", "seed=1,2"]]
)
def test_a_score_that_the_data_does_not_give_is_told_once_before_any_run(
    outputs: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    if "search=fd" in words:
        pytest.importorskip("optuna")
    put("d", 32)
    assert cli.main(["train", *DCGAN, "evaluate_every=4", *words]) == 2
    said = capsys.readouterr()
    option = "search" if "search=fd" in words else "early_stop"
    assert said.err.startswith(f"ganctl train: {option}: no metric 'fd' here; there are ")
    assert len(said.err.splitlines()) == 1
    assert "fd is left out: it needs 64 real pictures, and there are 32" in said.out
    assert not outputs.exists()


# ---- a dry run


def test_a_dry_run_refuses_the_data_that_a_training_refuses(outputs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put("d", 4, 1)
    assert cli.main(["train", *DCGAN]) == 2
    words = told(capsys)
    assert words[0].startswith("ganctl train: dataset.root: 1 of 5 pictures in 'd' cannot be read: ")
    assert cli.main(["train", *DCGAN, "dry_run=true"]) == 2
    assert told(capsys) == words
    assert cli.main(["train", "-m", *DCGAN, "seed=1,2", "dry_run=true"]) == 2
    assert told(capsys) == words
    search = ["search=fd", "seed=1,2", "dry_run=true"]
    pytest.importorskip("optuna")
    assert cli.main(["train", *DCGAN, *search]) == 2
    assert told(capsys) == words
    assert not outputs.exists()


def test_a_dry_sweep_says_which_run_has_the_wrong_data(capsys: pytest.CaptureFixture[str]) -> None:
    put("d", 4)
    put("e", 4, 1)
    data = [word for word in DCGAN if not word.startswith("dataset.root")]
    assert cli.main(["train", "-m", *data, "dataset.root=d,e", "dry_run=true"]) == 2
    (only,) = told(capsys)
    assert only.startswith("ganctl train: dataset.root: 1 of 5 pictures in 'e' cannot be read: ")
    assert only.endswith(" (in root=e)")


def test_a_dry_run_counts_what_can_be_read(
    outputs: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    put("d", 4, 1)
    assert cli.main(["train", *DCGAN, "dry_run=true", "dataset.on_error=skip"]) == 0
    assert "data       4 images, each seen 2.0 times\n" in capsys.readouterr().out
    assert len([each for each in caplog.messages if "cannot be read and are skipped" in each]) == 1
    assert not outputs.exists()


OFFLINE = URLError("Name or service not known")


@pytest.mark.parametrize("dataset", ["cifar10", "stacked_mnist"])
def test_a_dry_run_offline_asks_for_the_files_as_a_training_does(
    outputs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], dataset: str
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OFFLINE

    monkeypatch.setattr("torchvision.datasets.utils.download_url", refuse)
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    words = ["train", "model=dcgan", f"dataset={dataset}", "device=cpu"]
    assert cli.main(words) == 2
    found = told(capsys)
    assert "cannot be downloaded (Name or service not known); put " in found[0]
    assert cli.main([*words, "dry_run=true"]) == 2
    assert told(capsys) == found
    assert not outputs.exists()


@pytest.mark.parametrize(
    ("dataset", "count", "times", "title", "file"),
    [
        ("cifar10", "50,000", "2.0", "CIFAR-10", "cifar-10-python.tar.gz"),
        ("stacked_mnist", "128,000", "0.8", "MNIST", "train-images-idx3-ubyte.gz"),
    ],
)
def test_a_dry_run_online_says_what_the_training_will_download(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    dataset: str,
    count: str,
    times: str,
    title: str,
    file: str,
) -> None:
    asked: list[str] = []

    def urlopen(request: Any) -> Any:
        asked.append(request.full_url)
        return nullcontext()

    monkeypatch.setattr("torchvision.datasets.utils.download_url", lambda *_: pytest.fail("downloaded"))
    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    assert cli.main(["train", "model=dcgan", f"dataset={dataset}", "device=cpu", "dry_run=true", "images=100k"]) == 0
    said = f"data       {count} images, each seen {times} times; {title} is not here yet, and the first training downl"
    assert said in capsys.readouterr().out
    assert [Path(url).name for url in asked] == [file]
    assert [path.name for path in Path().iterdir()] == []
