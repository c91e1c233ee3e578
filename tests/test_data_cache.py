"""The cache of decoded pictures: never stale, never half-made, made by one process at a time."""

import errno
import json
import multiprocessing
import os
import shutil
import time
from pathlib import Path

import pytest
import torch
from picture_samples import encoded, photo, plain

from ganctl.data import album, cache, digests
from ganctl.data.folder import Folder
from ganctl.errors import FAILED, MISTAKE, GanctlError, UserError

CPU = torch.device("cpu")
RED, BLUE = encoded(plain("red"), "BMP"), encoded(plain("blue"), "BMP")  # of the same length


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANCTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("d").mkdir()
    Path("d/a.bmp").write_bytes(RED)
    Path("d/b.bmp").write_bytes(RED)


def colours(**settings) -> list[list[int]]:
    table = Folder("d", **{"size": 4, **settings}).open(CPU)
    return table.pixels(torch.arange(len(table)))[:, :, 0, 0].tolist()


def entries() -> list[Path]:
    return [path for path in Path("cache/pictures").iterdir() if path.is_dir()]


def counted_decoding(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The files that were decoded from now on."""
    decoded: list[bytes] = []
    decode = album.decode
    monkeypatch.setattr(album, "decode", lambda data, frame: decoded.append(data) or decode(data, frame))
    return decoded


def test_pictures_are_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = counted_decoding(monkeypatch)
    assert colours() == colours() == [[255, 0, 0], [255, 0, 0]]
    assert len(decoded) == 2
    shutil.move("d", "elsewhere")
    assert len(Folder("elsewhere", size=4).open(CPU)) == 2  # the same content under the same names
    assert len(decoded) == 2


@pytest.mark.parametrize(
    "settings", [{"size": 5}, {"size": [4, 5]}, {"crop": "pad"}, {"channels": 1}, {"background": "red"}]
)
def test_other_settings_are_other_entries(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    colours()
    decoded = counted_decoding(monkeypatch)
    colours(**settings)
    assert len(decoded) == 2


@pytest.mark.parametrize("settings", [{"flip": True}, {"labels": "none"}, {"on_error": "skip"}])
def test_settings_that_do_not_change_pixels_share_an_entry(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    colours()
    decoded = counted_decoding(monkeypatch)
    colours(**settings)
    assert decoded == []


@pytest.mark.parametrize("settled", [True, False], ids=["remembered digests", "fresh files"])
@pytest.mark.parametrize("how", ["overwritten", "replaced"])
def test_a_file_of_the_same_size_and_date_is_noticed(settled: bool, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if settled:
        monkeypatch.setattr(digests, "SETTLED_NS", 0)
    before = os.stat("d/b.bmp")
    colours()
    time.sleep(0.02)  # longer than the clock of the file system stands still
    if how == "replaced":
        Path("new").write_bytes(BLUE)
        os.replace("new", "d/b.bmp")
    else:
        Path("d/b.bmp").write_bytes(BLUE)
    os.utime("d/b.bmp", ns=(before.st_atime_ns, before.st_mtime_ns))
    after = os.stat("d/b.bmp")
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert colours() == [[255, 0, 0], [0, 0, 255]]


def test_changes_of_any_kind_are_noticed() -> None:
    colours()
    Path("d/c.bmp").write_bytes(BLUE)
    assert colours() == [[255, 0, 0], [255, 0, 0], [0, 0, 255]]
    Path("d/c.bmp").rename("d/0.bmp")
    assert colours() == [[0, 0, 255], [255, 0, 0], [255, 0, 0]]
    Path("d/a.bmp").unlink()
    assert colours() == [[0, 0, 255], [255, 0, 0]]


def test_a_changed_zip_is_noticed() -> None:
    shutil.make_archive("z", "zip", "d")
    assert len(Folder("z.zip", size=4).open(CPU)) == 2
    Path("d/c.bmp").write_bytes(BLUE)
    shutil.make_archive("z", "zip", "d")
    assert len(Folder("z.zip", size=4).open(CPU)) == 3


def counted_hashing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    hashed: list[str] = []
    file_digest = digests.file_digest
    monkeypatch.setattr(digests, "file_digest", lambda file, kind: hashed.append(file.name) or file_digest(file, kind))
    return hashed


def test_files_at_rest_are_read_once_and_fresh_ones_again(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = counted_hashing(monkeypatch)
    digests.digests([Path("d/a.bmp"), Path("d/b.bmp")])
    digests.digests([Path("d/a.bmp"), Path("d/b.bmp")])
    assert len(hashed) == 4  # written a moment ago: their stamps prove nothing yet
    monkeypatch.setattr(digests, "SETTLED_NS", 0)
    digests.digests([Path("d/a.bmp"), Path("d/b.bmp")])
    digests.digests([Path("d/a.bmp"), Path("d/b.bmp")])
    assert len(hashed) == 6


def test_damaged_memory_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "SETTLED_NS", 0)
    first = digests.digests([Path("d/a.bmp")])
    (memory,) = Path("cache/digests").iterdir()
    for damage in ("", "[1]", "{", json.dumps({str(Path("d/a.bmp").absolute()): 3})):
        memory.write_text(damage)
        assert digests.digests([Path("d/a.bmp")]) == first


def test_files_that_change_while_they_are_read_stop_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    decode = album.decode

    def meddling(data, frame):
        Path("d/b.bmp").write_bytes(BLUE)
        return decode(data, frame)

    monkeypatch.setattr(album, "decode", meddling)
    with pytest.raises(UserError, match=r"^dataset.root: pictures in 'd' changed while they were read; start again$"):
        colours()
    assert entries() == []


@pytest.mark.parametrize("damage", ["images", "about.json", "gone"])
def test_a_damaged_entry_is_made_again(damage: str) -> None:
    colours()
    (entry,) = entries()
    if damage == "images":
        os.truncate(entry / "images", 10)
    elif damage == "about.json":
        (entry / "about.json").write_text(json.dumps({"arrays": {"images": 3}}))
    else:
        (entry / "images").unlink()
    assert colours() == [[255, 0, 0], [255, 0, 0]]
    assert entries() == [entry]


def killed_while_decoding() -> None:
    album.decode = lambda data, frame: os._exit(9)
    colours()


def test_a_killed_process_leaves_nothing_half_made() -> None:
    process = multiprocessing.get_context("fork").Process(target=killed_while_decoding)
    process.start()
    process.join(60)
    assert process.exitcode == 9
    assert all(entry.name.startswith(".") for entry in entries())
    assert colours() == [[255, 0, 0], [255, 0, 0]]
    assert len(entries()) == 1
    assert not entries()[0].name.startswith(".")


def decoded_by_one(results) -> None:
    decode, count = album.decode, []

    def slow(data, frame):
        time.sleep(0.01)
        count.append(1)
        return decode(data, frame)

    album.decode = slow
    made = colours()
    results.put((len(count), made))


def test_two_processes_at_once_decode_once_and_agree() -> None:
    for number in range(30):
        Path(f"d/{number}.png").write_bytes(encoded(photo((8, 8), seed=number)))
    fork = multiprocessing.get_context("fork")
    results = fork.Queue()
    processes = [fork.Process(target=decoded_by_one, args=(results,)) for _ in range(2)]
    for process in processes:
        process.start()
    (first_count, first), (second_count, second) = results.get(timeout=60), results.get(timeout=60)
    for process in processes:
        process.join(60)
    assert first == second
    assert {first_count, second_count} == {0, 32}
    assert len(entries()) == 1


def test_a_full_disk_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache.Draft, "declare", full)
    with pytest.raises(GanctlError, match=r"the disk is full; free some space or set GANCTL_CACHE=FOLDER$") as caught:
        colours()
    assert caught.value.exit_code == FAILED
    assert entries() == []


def test_a_cache_that_cannot_be_written_is_the_users_to_move(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").touch()
    monkeypatch.setenv("GANCTL_CACHE", "file/cache")
    with pytest.raises(
        UserError, match=r"^file/cache/pictures: cannot be written; set GANCTL_CACHE to a folder"
    ) as caught:
        colours()
    assert caught.value.exit_code == MISTAKE


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    monkeypatch.setenv("GANCTL_CACHE", "/y")
    assert cache.cache_folder() == Path("/y")
    monkeypatch.delenv("GANCTL_CACHE")
    assert cache.cache_folder() == Path("/x/ganctl")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.cache_folder() == Path.home() / ".cache" / "ganctl"


def test_writing_into_a_map_does_not_change_the_cache() -> None:
    table = Folder("d", size=4).open(CPU)
    table.rows.zero_()
    assert colours() == [[255, 0, 0], [255, 0, 0]]
