"""Checkpoints: equal content back, damage refused in words, the newest good one found."""

import random
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_samples import content, made_run
from torch import nn

import ganctl
from ganctl.errors import UserError
from ganctl.runs import checkpoint
from ganctl.runs.checkpoint import fingerprint, load, load_newest_good, save


def test_load_returns_what_was_saved_in_plain_types(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    save(path, content())
    loaded = load(path)
    assert (loaded["kind"], loaded["format"], loaded["version"]) == ("ganctl checkpoint", 1, ganctl.__version__)
    assert type(loaded["game"]) is dict
    assert type(loaded["random"]["python"]) is tuple
    assert torch.equal(loaded["game"]["weight"], content()["game"]["weight"])
    assert loaded["config"] == content()["config"]
    plainly = torch.load(path, weights_only=True)
    assert plainly.pop("fingerprint") == fingerprint(plainly) == fingerprint(loaded)


def test_saving_a_loaded_checkpoint_changes_nothing(tmp_path: Path) -> None:
    save(tmp_path / "a.ckpt", content())
    save(tmp_path / "b.ckpt", load(tmp_path / "a.ckpt"))
    assert fingerprint(load(tmp_path / "a.ckpt")) == fingerprint(load(tmp_path / "b.ckpt"))


def test_the_file_replaced_is_kept_as_previous(tmp_path: Path) -> None:
    for images in (1, 2, 3):
        save(tmp_path / "last.ckpt", content(images))
    assert load(tmp_path / "last.ckpt")["images_seen"] == 3
    assert load(tmp_path / "last.ckpt.previous")["images_seen"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.ckpt", "last.ckpt.previous"]


def test_a_view_is_saved_without_the_tensor_under_it(tmp_path: Path) -> None:
    save(tmp_path / "a.ckpt", {"row": torch.arange(1_000_000)[10:12], "wide": torch.ones(1).expand(3)})
    assert (tmp_path / "a.ckpt").stat().st_size < 10_000
    loaded = load(tmp_path / "a.ckpt")
    assert loaded["row"].tolist() == [10, 11]
    assert loaded["wide"].tolist() == [1, 1, 1]


def test_parameters_and_memory_format_survive(tmp_path: Path) -> None:
    image = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)
    save(tmp_path / "a.ckpt", {"parameter": nn.Parameter(torch.ones(2)), "image": image})
    loaded = load(tmp_path / "a.ckpt")
    assert type(loaded["parameter"]) is torch.Tensor
    assert loaded["image"].stride() == image.stride()


@pytest.mark.parametrize(
    "foreign",
    [
        b"bytes",
        {1, 2},
        1j,
        Path("x"),
        torch.float32,
        torch.Size([1]),
        2**3000,
        nn.Linear(1, 1),
        lambda: 0,
        torch.empty(2, device="meta"),
        torch.eye(2).to_sparse(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_types_are_refused_with_their_place_and_nothing_is_written(tmp_path: Path, foreign: Any) -> None:
    with pytest.raises(TypeError, match=r"^content\['callbacks'\]\['grid'\]\[1\]: a "):
        save(tmp_path / "last.ckpt", {"callbacks": {"grid": [0, foreign]}})
    assert list(tmp_path.iterdir()) == []


def test_keys_must_be_plain_and_nesting_must_end(tmp_path: Path) -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(TypeError, match=r"content\['a'\]: the key \(1, 2\) is a tuple"):
        save(tmp_path / "last.ckpt", {"a": {(1, 2): 0}})
    with pytest.raises(TypeError, match=r"more than 64 containers deep"):
        save(tmp_path / "last.ckpt", {"a": endless})


def test_no_flipped_bit_passes_unseen(tmp_path: Path) -> None:
    """One bit in 1,200 of the file's bytes: the same content (unused padding), or a UserError."""
    path = tmp_path / "last.ckpt"
    save(path, content())
    whole, expected = path.read_bytes(), fingerprint(load(path))
    draw = random.Random(0)
    refused = []
    for offset in draw.sample(range(len(whole)), 1200):
        damaged = bytearray(whole)
        damaged[offset] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            assert fingerprint(load(path)) == expected, f"byte {offset}"
        except UserError as error:
            refused.append(str(error))
    assert len(refused) > 600
    assert not any("\n" in words for words in refused)


def test_an_entry_marked_as_a_folder_is_not_read_as_zeros(tmp_path: Path) -> None:
    """The mark lies in the table of contents, which no checksum covers; torch then leaves the entry unread."""
    path = tmp_path / "last.ckpt"
    save(path, {"bulk": torch.ones(1_000_000)})
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    whole = path.read_bytes()
    for name in names:
        attributes = whole.rindex(name.encode()) - 8  # of the table's row: 8 bytes before its name
        damaged = bytearray(whole)
        damaged[attributes] ^= 0x10
        path.write_bytes(damaged)
        with suppress(UserError):
            assert load(path)["bulk"].min() == 1
        if name == "archive/data/0":
            with pytest.raises(UserError, match=r"damaged: its content does not match its fingerprint$"):
                load(path)


def test_no_truncated_or_overlong_file_passes_unseen(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    save(path, content())
    whole, expected = path.read_bytes(), fingerprint(load(path))
    for length in [*range(0, len(whole), max(1, len(whole) // 200)), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(UserError):
            load(path)
    for extra in (b"\0", b"junk" * 100, whole):
        for longer in (extra + whole, whole + extra):
            path.write_bytes(longer)
            with suppress(UserError):
                assert fingerprint(load(path)) == expected


def test_each_kind_of_damage_has_its_words(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    save(path, content())
    whole = path.read_bytes()
    weight = whole.index(content()["game"]["weight"].numpy().tobytes())
    flipped = bytearray(whole)
    flipped[weight] ^= 1
    cases = {
        b"": "the file is empty; the writing of it was cut off, or the disk was full",
        whole[: len(whole) // 2]: "truncated or damaged: File is not a zip file",
        bytes(flipped): r"damaged: archive/data/\d does not match its checksum",
        b"GIF89a": "not a ganctl checkpoint, or damaged at its start: not a zip file as torch.save writes it",
    }
    for data, words in cases.items():
        path.write_bytes(data)
        with pytest.raises(UserError, match=f"^{path}: {words}$"):
            load(path)
    with pytest.raises(UserError, match=f"^{tmp_path}/none.ckpt: no such checkpoint$"):
        load(tmp_path / "none.ckpt")
    with pytest.raises(UserError, match=r"not a file; give a checkpoint from a run's checkpoints folder$"):
        load(tmp_path)


def test_a_damaged_checkpoint_names_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt.previous").touch()
    with pytest.raises(UserError, match=r"no such checkpoint; the one before it is last\.ckpt\.previous$"):
        load(tmp_path / "last.ckpt")


def test_foreign_and_newer_files_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    torch.save({"state_dict": {}, "hyper_parameters": {"_instantiator": "os.system"}}, path)
    with pytest.raises(UserError, match=r"not a ganctl checkpoint: another program wrote it; choose one"):
        load(path)
    torch.save({"kind": checkpoint.KIND, "format": 2, "version": "9.0"}, path)
    with pytest.raises(UserError, match=r"a\.ckpt: written by ganctl 9\.0, format 2; update ganctl to use it$"):
        load(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cat.txt", "meow")
    with pytest.raises(UserError, match=r"not a ganctl checkpoint: a zip file of something else$"):
        load(path)


def test_last_is_taken_when_it_is_good(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    save(run.checkpoints / "last.ckpt", content(3))
    restored = load_newest_good(run)
    assert (restored.content["images_seen"], restored.path.name, restored.notices) == (3, "last.ckpt", ())


def test_a_damaged_last_gives_way_to_its_previous_with_a_notice(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    save(run.checkpoints / "000000001.ckpt", content(1))
    for images in (2000, 3000):
        save(run.checkpoints / "last.ckpt", content(images))
    (run.checkpoints / "last.ckpt").write_bytes(b"")
    restored = load_newest_good(run)
    assert restored.content["images_seen"] == 2000
    assert restored.notices == (
        f"{run.checkpoints}/last.ckpt: the file is empty; the writing of it was cut off, or the disk was full; "
        "the one before it is last.ckpt.previous",
        f"continuing from {run.checkpoints}/last.ckpt.previous (2,000 images seen)",
    )


def test_the_newest_of_the_older_ones_is_taken(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    save(run.checkpoints / "last.ckpt.previous", content(2))
    for images in (1, 3, 4):
        save(run.checkpoints / f"{images:09d}.ckpt", content(images))
    (run.checkpoints / "000000004.ckpt").write_bytes(b"")
    restored = load_newest_good(run)
    assert restored.path.name == "000000003.ckpt"
    assert "last.ckpt: no such checkpoint" in restored.notices[0]


def test_when_none_is_good_each_is_named(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    for name in ("last.ckpt", "last.ckpt.previous", "000000007.ckpt"):
        (run.checkpoints / name).touch()
    with pytest.raises(UserError) as caught:
        load_newest_good(run)
    assert caught.value.mistakes[0] == f"{run.folder}: no checkpoint of this run can be read"
    assert [line.partition(":")[0].rpartition("/")[2] for line in caught.value.mistakes[1:]] == [
        "last.ckpt",
        "last.ckpt.previous",
        "000000007.ckpt",
    ]


def test_a_newer_format_is_not_passed_over(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    save(run.checkpoints / "last.ckpt.previous", content(2))
    torch.save({"kind": checkpoint.KIND, "format": 2, "version": "9.0"}, run.checkpoints / "last.ckpt")
    with pytest.raises(checkpoint.NewerFormat):
        load_newest_good(run)
