"""No kill, full disk or bad folder loses a checkpoint."""

import errno
import io
import os
import random
import resource
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_samples import content, forked, in_child, made_run

from ganctl.errors import GanctlError
from ganctl.runs import atomic
from ganctl.runs.checkpoint import fingerprint, load, load_newest_good, save


@pytest.fixture
def memory_folder() -> Iterator[Path]:
    """An empty folder on another filesystem than the tests' own, where there is one."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        yield Path(folder)


class Fuse:
    """Kills this process without warning just before its `at`-th step that touches the disk."""

    def __init__(self, at: int) -> None:
        self.left = at

    def burn(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def through(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def burning(*arguments: Any, **named: Any) -> Any:
            self.burn()
            return function(*arguments, **named)

        return burning


class BurningFile(io.FileIO):
    """Unbuffered, so that each write of torch.save is a step; killed with half a piece written."""

    fuse: Fuse

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        half = len(view) // 2
        super().write(view[:half])
        self.fuse.burn()
        return half + (super().write(view[half:]) or 0)


def save_until(at: int, path: Path, replacement: dict[str, Any], hard_links: bool) -> None:
    """Save with a fuse: every system call that `atomic` makes and every write is a step."""
    fuse = BurningFile.fuse = Fuse(at)
    if not hard_links:
        os.link = refused_link
    for name in ("open", "fsync", "link", "replace", "close"):
        setattr(os, name, fuse.through(getattr(os, name)))
    Path.unlink = fuse.through(Path.unlink)  # type: ignore[method-assign]
    atomic.open = fuse.through(lambda file, mode: BurningFile(file, "wb"))  # type: ignore[attr-defined]
    save(path, replacement)


def refused_link(*names: Any) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def test_the_fuse_reaches_a_half_written_part(tmp_path: Path) -> None:
    save(tmp_path / "last.ckpt", content(1))
    status = in_child(lambda: save_until(8, tmp_path / "last.ckpt", content(2), True))
    assert status == -signal.SIGKILL
    parts = [path for path in tmp_path.iterdir() if ".part-" in path.name]
    assert len(parts) == 1
    assert 0 < parts[0].stat().st_size < (tmp_path / "last.ckpt").stat().st_size


@pytest.mark.parametrize("case", ["whole", "damaged last", "no hard links", "first save"])
def test_killed_at_any_step_of_a_save_a_whole_checkpoint_remains(
    tmp_path: Path, memory_folder: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(memory_folder))  # another filesystem
    run = made_run(tmp_path / "run")
    last = run.checkpoints / "last.ckpt"
    save(last, content(1))
    save(last, content(2))
    originals = {path.name: path.read_bytes() for path in run.checkpoints.iterdir()}
    if case == "damaged last":
        originals["last.ckpt"] = originals["last.ckpt"][:-100]
    if case == "first save":
        originals = {}
    acceptable = {"damaged last": {1, 3}, "first save": {3}}.get(case, {2, 3})
    seen = set()
    for at in range(1, 1000):
        shutil.rmtree(run.checkpoints)
        run.checkpoints.mkdir()
        for name, data in originals.items():
            (run.checkpoints / name).write_bytes(data)
        status = in_child(lambda at=at: save_until(at, last, content(3), case != "no hard links"))
        left = [path.name for path in run.checkpoints.iterdir()]
        assert sum(".part-" in name for name in left) <= 1
        if case != "first save" or last.exists():
            restored = load_newest_good(run)
            assert restored.content["images_seen"] in acceptable
            assert fingerprint(restored.content) == fingerprint(
                restored.content | content(restored.content["images_seen"])
            )
            seen.add(restored.content["images_seen"])
        if case == "whole":
            assert load(last)["images_seen"] in acceptable  # with hard links the name itself is never missing
        with run.lock():
            assert {path.name for path in run.checkpoints.iterdir()} <= {"last.ckpt", "last.ckpt.previous"}
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert status == 0
    assert at > 40  # so many steps were survived
    assert seen == acceptable
    assert list(memory_folder.iterdir()) == []


def test_killed_at_random_moments_at_most_the_save_under_way_is_lost(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    last = run.checkpoints / "last.ckpt"
    draw, images = random.Random(0), 0
    for _ in range(25):
        reader, writer = os.pipe()

        def save_on(images: int = images, writer: int = writer) -> None:
            while True:
                images += 1
                save(last, content(images) | {"bulk": torch.full((100_000,), images)})
                os.write(writer, b"x")

        pid = forked(save_on)
        os.close(writer)
        os.read(reader, 1)  # it has saved once
        time.sleep(draw.uniform(0, 0.06))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        done = images + 1 + len(os.read(reader, 10_000))
        os.close(reader)
        restored = load_newest_good(run)
        images = restored.content["images_seen"]
        assert images in (done, done + 1)
        assert restored.content["bulk"].unique().tolist() == [images]


@pytest.mark.parametrize("limit", [1, 1000, 3000, 400_000])
def test_a_full_disk_leaves_the_old_checkpoint_and_says_so(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "last.ckpt"
    save(path, content(1))

    def save_more() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        with pytest.raises(GanctlError) as caught:
            save(path, {"bulk": torch.zeros(100_000)})
        assert caught.value.exit_code == 1
        start, end = f"{path}: could not write 400,000 bytes: File too large; ", "continue the run with resume="
        assert str(caught.value).startswith(start)
        assert str(caught.value).endswith(end)

    assert in_child(save_more) == 0
    assert load(path)["images_seen"] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS])
def test_a_refusal_at_the_end_of_the_save_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    path = tmp_path / "last.ckpt"
    save(path, content(1))

    def refuse(*arguments: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(GanctlError, match=f"{path}: could not write .* bytes: {os.strerror(code)}"):
        save(path, content(2))
    monkeypatch.undo()
    assert load(path)["images_seen"] == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_folder_that_vanished_or_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder, words in {"gone": "No such file or directory", "file": "Not a directory"}.items():
        with pytest.raises(GanctlError, match=f"{folder}/last.ckpt: could not write .* bytes: {words}"):
            save(tmp_path / folder / "last.ckpt", content())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_unwritable_folder_is_told(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    save(run.checkpoints / "last.ckpt", content(1))

    def save_as_nobody() -> None:
        os.chdir(run.folder)  # the folders above are closed to others
        os.setuid(65534)
        with pytest.raises(GanctlError, match=r"last.ckpt: could not write .* bytes: Permission denied"):
            save(Path("checkpoints/last.ckpt"), content(2))

    assert in_child(save_as_nobody) == 0
    assert load(run.checkpoints / "last.ckpt")["images_seen"] == 1


def test_an_interrupted_save_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path / "last.ckpt", content())
    assert list(tmp_path.iterdir()) == []
