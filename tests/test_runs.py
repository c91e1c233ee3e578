"""Run folders: never two in one, found again, and read back as written."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from checkpoint_samples import forked, in_child
from hypothesis import given, settings
from hypothesis import strategies as st

from ganctl.errors import GanctlError, UserError
from ganctl.runs import store
from ganctl.runs.checkpoint import load_newest_good
from ganctl.runs.status import finite, stored_status
from ganctl.runs.store import Run, all_runs, checkpoint_path, create, find, find_checkpoint, find_to_resume

CONFIG = {"images": "300k", "seed": 0, "model": {"lr": 2e-4, "betas": [0.5, 0.999], "name": None}}
CHOICES = {"model": "dcgan", "dataset": "mnist"}


def made(outputs: Path, name: str, *checkpoints: str, updated: str = "") -> Run:
    run = create(outputs, name, CONFIG, CHOICES)
    for checkpoint in checkpoints:
        (run.checkpoints / checkpoint).touch()
    if updated:
        store.update_status(run, updated=updated)
    return run


# Making


def test_a_new_run_has_its_config_status_and_folders(tmp_path: Path) -> None:
    run = create(tmp_path / "outputs", "first", CONFIG, CHOICES, images=300_000)
    assert run.folder == tmp_path / "outputs" / "first"
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "checkpoints",
        "config.yaml",
        "samples",
        "status.json",
    ]
    assert store.read_config(run) == CONFIG
    status = stored_status(run)
    assert (status.state, status.images, status.pid, status.choices) == ("running", 300_000, os.getpid(), CHOICES)
    assert store.read_result(run) == {}


def test_without_a_name_the_choices_and_the_time_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert create(tmp_path, None, CONFIG, {"model": "my/own gan", "dataset": "mnist"}).name.startswith(
        "my-own-gan-mnist-2"
    )

    class Noon(store.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return cls(2026, 11, 22, 12, 0, 5)

    monkeypatch.setattr(store, "datetime", Noon)
    names = [create(tmp_path, None, CONFIG, CHOICES).name for _ in range(3)]
    assert names == ["dcgan-mnist-20261122-120005", "dcgan-mnist-20261122-120005-2", "dcgan-mnist-20261122-120005-3"]


def test_processes_that_start_together_never_share_a_folder(tmp_path: Path) -> None:
    """Eight processes make 25 runs each as fast as they can."""
    start, names = time.monotonic() + 0.3, tmp_path / "names"

    def make_many() -> None:
        time.sleep(max(0.0, start - time.monotonic()))
        for _ in range(25):
            run = create(tmp_path / "outputs", None, CONFIG, CHOICES)
            with names.open("a") as file:
                file.write(f"{run.name}\n")

    children = [forked(make_many) for _ in range(8)]
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 8
    counts = Counter(names.read_text().split())
    assert len(counts) == 200
    assert set(counts.values()) == {1}


def test_of_processes_that_ask_for_one_name_one_gets_it(tmp_path: Path) -> None:
    def ask() -> None:
        try:
            create(tmp_path, "mine", CONFIG)
        except UserError:
            os._exit(2)

    children = [forked(ask) for _ in range(8)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    assert sorted(codes) == [0] + [2] * 7


def test_a_run_that_never_began_is_removed_and_one_that_did_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(run: Run, error: BaseException, seen: int, checkpoints: tuple[str, ...]) -> None:
        store.update_status(run, images_seen=seen)
        for each in checkpoints:
            (run.checkpoints / each).touch()
        raise error

    def fail(name: str, error: BaseException, seen: int = 0, *checkpoints: str) -> None:
        with pytest.raises(type(error)), store.begun(tmp_path, name, CONFIG) as run:
            play(run, error, seen, checkpoints)

    fail("mistake", UserError("too few"))
    fail("stopped", KeyboardInterrupt())
    fail("failed", GanctlError("disk full"))
    fail("begun", UserError("too few"), 8)
    fail("saved", UserError("too few"), 0, "last.ckpt.previous")
    with pytest.raises(UserError, match="exists already"), store.begun(tmp_path, "failed", CONFIG):
        pass
    monkeypatch.setattr(Run, "holder", lambda self: "process 1")
    fail("others", UserError("in use"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["begun", "failed", "others", "saved"]


def test_a_taken_name_is_a_mistake(tmp_path: Path) -> None:
    made(tmp_path, "first", "last.ckpt")
    made(tmp_path, "barren")  # nothing that could be continued
    for name, more in {"first": ", or continue it with resume=first", "barren": ""}.items():
        with pytest.raises(UserError) as caught:
            create(tmp_path, name, {})
        assert str(caught.value) == f"name: {tmp_path}/{name} exists already; choose another name{more}"


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../out",
        "/tmp/x",
        "a//b",
        "a/../../b",
        "-m",
        "~x",
        "newest",
        "a\nb",
        "a\0b",
        "a/b/c",
        "/a",
        "a/",
        " a",
        "a ",
        "a.",
        "x" * 201,
    ],
)
def test_odd_names_are_mistakes(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"^name: .*; use a plain folder name, such as first-try"):
        create(tmp_path / "outputs", name, CONFIG)
    assert list(tmp_path.iterdir()) == []


def test_a_name_too_long_and_a_place_that_is_a_file_are_mistakes(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=f"outputs: no run can be made in {tmp_path}: File name too long; set GANCTL_OUTPUTS"
    ):
        create(tmp_path, "\N{CAT FACE}" * 100, CONFIG)
    (tmp_path / "file").touch()
    for outputs, name in ((tmp_path / "file", None), (tmp_path / "file" / "deeper", "x")):
        with pytest.raises(
            UserError, match=r"^outputs: no run can be made in .*: a file is in the way; set GANCTL_OUTPUTS"
        ):
            create(outputs, name, CONFIG)


def test_runs_of_a_sweep_in_a_group_are_found(tmp_path: Path) -> None:
    made(tmp_path, "group/first-try")
    made(tmp_path / "group" / "sweep", "1-seed=1")
    made(tmp_path / "group" / "sweep" / "deeper", "unseen")
    assert {run.name for run in all_runs(tmp_path)} == {"first-try", "1-seed=1"}
    assert find("group/sweep/1-seed=1", tmp_path).exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_read_only_place_is_found_before_anything_is_made(tmp_path: Path) -> None:
    def create_as_nobody() -> None:
        os.chdir(tmp_path)
        os.setuid(65534)
        for outputs in (Path("outputs"), Path()):
            with pytest.raises(
                UserError, match=r"^outputs: no run can be made in .*: Permission denied; set GANCTL_OUTPUTS"
            ):
                create(outputs, None, CONFIG)

    assert in_child(create_as_nobody) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_cannot_be_finished_is_not_left_half_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> None:
        raise GanctlError("status.json: could not write 10 bytes: No space left on device")

    with pytest.raises(Exception, match=r"represent"):
        create(tmp_path, "foreign", {"path": Path("x")})
    monkeypatch.setattr(store, "write_status", refuse)
    with pytest.raises(UserError, match=r"No space left on device; set GANCTL_OUTPUTS"):
        create(tmp_path, "full", CONFIG)
    assert list(tmp_path.iterdir()) == []


def test_outputs_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GANCTL_OUTPUTS", raising=False)
    assert store.outputs_root() == Path("outputs")
    monkeypatch.setenv("GANCTL_OUTPUTS", "/data/runs")
    assert store.outputs_root() == Path("/data/runs")
    monkeypatch.setenv("GANCTL_OUTPUTS", "~/runs")
    assert store.outputs_root() == Path.home() / "runs"


# The configuration

TRICKY = [
    "1e6",
    "1e-4",
    "300k",
    "yes",
    "null",
    "${dataset.shape}",
    "2026-11-22",
    "0o7",
    "~",
    "a: b",
    "a\x85\u2028\r\n\t",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.sampled_from(TRICKY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_any_config_is_read_as_written(tmp_path_factory: pytest.TempPathFactory, config: dict[str, Any]) -> None:
    run = Run(tmp_path_factory.getbasetemp())
    store.write_config(run, config)
    assert store.read_config(run) == config


def test_a_list_used_twice_is_written_twice(tmp_path: Path) -> None:
    betas = [0.5, 0.999]
    store.write_config(Run(tmp_path), {"generator": betas, "discriminator": betas})
    assert "&" not in Run(tmp_path).config_file.read_text()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a: [1", "not YAML"),
        (b"\xff\xfe\xff", "not YAML"),
        (b"a: !!python/object/apply:os.system [touch marker]", "not YAML"),
        (b"[" * 5000, "not YAML"),
        (b"- 1", "holds no settings"),
        (b"", "holds no settings"),
    ],
)
def test_a_broken_config_is_a_mistake(tmp_path: Path, data: bytes, words: str) -> None:
    Run(tmp_path).config_file.write_bytes(data)
    with pytest.raises(UserError, match=f"^{tmp_path}/config.yaml: {words}") as caught:
        store.read_config(Run(tmp_path))
    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_config_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config.yaml: cannot be read: No such file or directory; choose another run"):
        store.read_config(Run(tmp_path))


# Status and result


def test_status_changes_field_by_field(tmp_path: Path) -> None:
    run = made(tmp_path, "first")
    before = stored_status(run)
    after = store.update_status(run, state="finished", images_seen=64, seconds=1.5)
    assert stored_status(run) == after
    assert (after.state, after.images_seen, after.seconds) == ("finished", 64, 1.5)
    assert (after.choices, after.started) == (before.choices, before.started)
    assert after.updated >= before.updated
    with pytest.raises(TypeError):
        store.update_status(run, image_seen=1)


def test_a_run_whose_process_died_is_interrupted(tmp_path: Path) -> None:
    run = made(tmp_path, "first")
    with run.lock():
        assert store.read_status(run).state == "running"
    assert store.read_status(run).state == "interrupted"
    store.update_status(run, state="finished")
    assert store.read_status(run).state == "finished"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"state": 3, "images_seen": "many", "choices": 1}', "[" * 100_000]
)
def test_a_broken_status_reads_as_unknown(tmp_path: Path, text: str) -> None:
    Run(tmp_path).status_file.write_text(text)
    assert store.read_status(Run(tmp_path)) == store.Status()
    assert store.Status().state == "unknown"


def test_results_are_json_even_when_numbers_are_not_finite(tmp_path: Path) -> None:
    run = Run(tmp_path)
    store.write_result(run, {"fid": float("nan"), "losses": {"d": [1.0, float("inf")]}, "state": "not finite"})
    assert json.loads(run.result_file.read_text(), parse_constant=lambda word: pytest.fail(word)) == store.read_result(
        run
    )
    assert store.read_result(run) == {"fid": None, "losses": {"d": [1.0, None]}, "state": "not finite"}
    assert finite((1, -2.5)) == [1, -2.5]


# Finding


def test_a_run_is_found_by_folder_name_and_anything_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(tmp_path / "outputs", "first", "last.ckpt")
    sweep = made(tmp_path / "outputs", "sweep/0", "last.ckpt")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first").mkdir()  # a folder of the same name, which is no run, is no obstacle
    outputs = tmp_path / "outputs"
    for selector in ("first", str(run.folder), "outputs/first", "outputs/first/", "outputs/first/checkpoints"):
        assert find(selector, outputs).folder.resolve() == run.folder
    for file in (run.config_file, run.checkpoints / "last.ckpt", run.status_file):
        assert find(str(file), outputs) == run
    assert find("sweep/0", outputs) == sweep


def test_newest_is_the_last_trained_with_a_checkpoint(tmp_path: Path) -> None:
    old = made(tmp_path, "z", "last.ckpt", updated="2026-01-01")
    middle = made(tmp_path, "sweep/1", "000000005.ckpt", updated="2026-01-02")
    bare = made(tmp_path, "a", updated="2026-01-03")
    assert all_runs(tmp_path) == [bare, middle, old]
    assert find(None, tmp_path) == find("newest", tmp_path) == find("", tmp_path) == middle
    assert find("newest", tmp_path, needs_checkpoint=False) == bare


def test_mistaken_runs_are_told_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=f"^run: no run to take in {tmp_path} \\(there is none\\); train one with ganctl train"
    ):
        find(None, tmp_path)
    made(tmp_path, "cars-big")
    with pytest.raises(UserError, match=r"^run: no run 'newst'; did you mean 'newest'\?"):
        find("newst", tmp_path)
    with pytest.raises(UserError, match=r"\(1 there have no checkpoint yet\)"):
        find(None, tmp_path)
    with pytest.raises(
        UserError, match=f"^run: no run 'car-big'; did you mean 'cars-big'\\?; give a run folder, .* {tmp_path},"
    ):
        find("car-big", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=f"^run: {tmp_path}/empty is not in a run folder \\(no config.yaml\\)"):
        find("empty", tmp_path)
    for name in ("sweep/2", "sweep/1"):
        made(tmp_path, name)
    with pytest.raises(UserError, match=f"give one of those in it, such as {tmp_path}/sweep/1, {tmp_path}/sweep/2$"):
        find("sweep", tmp_path)
    for odd in ("x" * 5000, "a\0b", "~nobody-here", "a\nb"):
        with pytest.raises(UserError, match=r"^run: no run "):
            find(odd, tmp_path)


def test_checkpoints_are_named_by_word_or_images(tmp_path: Path) -> None:
    run = made(tmp_path, "first", "last.ckpt", "best.ckpt", "000300000.ckpt", "000000500.ckpt", "1.ckpt", ".x.part-1")
    assert checkpoint_path(run) == run.checkpoints / "last.ckpt"
    assert checkpoint_path(run, "best") == run.checkpoints / "best.ckpt"
    for which in ("300k", "3e5", "300_000", 300_000):
        assert checkpoint_path(run, which) == run.checkpoints / "000300000.ckpt"
    with pytest.raises(UserError, match=f"^ckpt: 1k is not in {run.folder}; there are: last, best, 500, 300000$"):
        checkpoint_path(run, "1k")
    for which in ("lats", "-5", "1.5", "nan", "inf", ""):
        with pytest.raises(UserError, match=r"^ckpt: "):
            checkpoint_path(run, which)


@pytest.mark.parametrize("which", ["last", "best", 8])
def test_a_run_without_a_checkpoint_says_what_to_do(tmp_path: Path, which: str | int) -> None:
    def told() -> set[str]:
        """What is said where a file is asked for, and where the run is to go on."""
        with pytest.raises(UserError) as asked:
            checkpoint_path(run, which)
        with pytest.raises(UserError) as resumed:
            load_newest_good(run)
        return {*asked.value.mistakes, *resumed.value.mistakes}

    run = made(tmp_path, "second")
    with run.lock():
        wait = "has no checkpoint yet, and is still training; wait for its first one"
        assert told() == {f"run: {run.folder} {wait}"}
    store.update_status(run, state="failed")
    again = "has no checkpoint, and its state is: failed; start it again under another name"
    assert told() == {f"run: {run.folder} {again}"}


def test_a_previous_file_stands_for_one_that_is_missing(tmp_path: Path) -> None:
    run = made(tmp_path, "first", "last.ckpt.previous")
    assert checkpoint_path(run).name == "last.ckpt.previous"
    assert find(None, tmp_path) == run


def test_a_checkpoint_file_is_taken_as_it_is(tmp_path: Path) -> None:
    run = made(tmp_path / "outputs", "first", "last.ckpt")
    alone = tmp_path / "copied.ckpt"
    alone.touch()
    assert find_checkpoint(str(alone)) == alone
    assert find_checkpoint("first", "last", tmp_path / "outputs") == run.checkpoints / "last.ckpt"


def test_prune_keeps_the_newest(tmp_path: Path) -> None:
    run = made(
        tmp_path, "first", "last.ckpt", *(f"{images:09d}.ckpt" for images in (30, 4, 200)), "000000004.ckpt.previous"
    )
    assert store.prune(run, 3) == []
    assert list(store.numbered(run)) == [4, 30, 200]
    assert [path.name for path in store.prune(run, 1)] == ["000000004.ckpt", "000000030.ckpt"]
    assert sorted(path.name for path in run.checkpoints.iterdir()) == ["000000200.ckpt", "last.ckpt"]
    store.prune(run, 0)
    assert store.numbered(run) == {}
    with pytest.raises(ValueError, match=r"keep: -1"):
        store.prune(run, -1)


# Speed


def test_listing_imports_nothing_heavy_and_writes_nothing(tmp_path: Path) -> None:
    made(tmp_path, "first", "last.ckpt")
    code = (
        "import sys; from pathlib import Path; from ganctl.runs.store import all_runs, read_result, read_status\n"
        f"print([(run.name, read_status(run).state, read_result(run)) for run in all_runs(Path({str(tmp_path)!r}))])\n"
        "print(sorted({'torch', 'yaml', 'numpy', 'omegaconf', 'hydra', 'pytorch_lightning'} & set(sys.modules)))"
    )
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[('first', 'interrupted', {})]", "[]"]
    assert sorted(tmp_path.rglob("*")) == before


def test_five_hundred_runs_are_listed_quickly(tmp_path: Path) -> None:
    for number in range(500):
        folder = tmp_path / f"run-{number}"
        folder.mkdir()
        (folder / "config.yaml").touch()
        (folder / "status.json").write_text(json.dumps({"updated": f"2026-{number:03d}", "state": "running"}))
    before = time.monotonic()
    listed = all_runs(tmp_path)
    states = {store.read_status(run).state for run in listed}
    assert time.monotonic() - before < 5.0
    assert (len(listed), listed[0].name, states) == (500, "run-499", {"interrupted"})


def test_a_run_goes_on_from_its_last_checkpoint_only(tmp_path: Path) -> None:
    run = made(tmp_path, "first", "last.ckpt", "000000005.ckpt")
    for selector in ("first", str(run.folder), str(run.checkpoints / "last.ckpt")):
        assert find_to_resume(selector, tmp_path) == run
    with pytest.raises(UserError, match=r"000000005.ckpt is not the run's last checkpoint, .*init_from=.*5.ckpt$"):
        find_to_resume(str(run.checkpoints / "000000005.ckpt"), tmp_path)


def test_a_sheet_of_a_run_stands_for_the_run(tmp_path: Path) -> None:
    run = made(tmp_path, "first", "last.ckpt")
    (run.folder / "drawn").mkdir()
    for sheet in (run.samples / "000000005.png", run.folder / "drawn" / "one.png", run.metrics_file):
        sheet.touch()
        assert find_checkpoint(str(sheet)) == run.checkpoints / "last.ckpt"
    for copy in (run.folder / "good.pt", run.checkpoints / "best.bak"):
        copy.touch()
        assert find_checkpoint(str(copy)) == copy


def test_a_file_below_outputs_is_taken_as_it_is(tmp_path: Path) -> None:
    run = made(tmp_path, "first", "last.ckpt", "000000005.ckpt")
    assert find_checkpoint("first/checkpoints/000000005.ckpt", outputs=tmp_path) == store.numbered_path(run, 5)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_folder_that_may_not_be_entered_is_no_run(tmp_path: Path) -> None:
    made(tmp_path, "first", "last.ckpt")
    (tmp_path / "lost+found").mkdir(mode=0o700)

    def look() -> None:
        os.chdir(tmp_path)
        os.setuid(65534)
        assert [run.name for run in all_runs(Path())] == ["first"]

    tmp_path.chmod(0o755)
    assert in_child(look) == 0
