"""Runs side by side: groups over seeds, scores under equal conditions only, refusals; and runs trained to compare."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from run_samples import TERMS, add_scores, make_run, settings_of

from ganctl import cli
from ganctl.doctor import history
from ganctl.doctor.advice import Advice
from ganctl.doctor.history import Diagnosis
from ganctl.doctor.rules import Verdict
from ganctl.doctor.signals import Facts, Signals
from ganctl.reports.groups import Spread, grouped
from ganctl.reports.page import page
from ganctl.reports.record import record
from ganctl.reports.scoring import columns, remarks
from ganctl.reports.table import csv_text, print_table, side_by_side, spread_words, table_of
from ganctl.runs import store
from ganctl.sweeps.launch import Done

SMALL = ["dataset=random", "dataset.shape=[1,8,8]", "batch_size=16", "trainer.log_every=1", "trainer.preview=4"]
SMALL += ["model.game.generator.hidden=[16]", "model.game.discriminator.hidden=[16]", "model=gan"]
SMALL += ["device=cpu", "precision=32", "trainer.threads=1"]


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("GANCTL_OUTPUTS", "GANCTL_CONF"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(cli.__file__).parents[1]))
    return tmp_path / "outputs"


def four_runs(outputs):
    return [
        record(make_run(outputs, f"{model}-{seed}", settings_of(model, seed), fd=fd, diversity=0.9))
        for model, seed, fd in (("gan", 2, 30.0), ("lsgan", 1, 20.0), ("gan", 1, 34.0), ("lsgan", 2, 28.0))
    ]


def test_runs_that_differ_in_their_seed_make_one_group(outputs):
    groups = grouped(four_runs(outputs))
    assert [(group.title, group.seeds) for group in groups] == [("gan", [1, 2]), ("lsgan", [1, 2])]


def test_titles_say_what_differs_where_the_model_does_not(outputs):
    words = ("model=gan", "model.optimizers.generator.lr=1e-4")
    one = record(make_run(outputs, "a", settings_of(overrides=[*words], model_lr=1)))
    two = record(make_run(outputs, "b", settings_of(overrides=[words[0], f"{words[1]}0"], model_lr=2)))
    three = record(make_run(outputs, "c", settings_of(overrides=[words[0]], model_lr=3)))
    assert [group.title for group in grouped([one, two, three])] == ["gan lr=1e-4", "gan lr=1e-40", "gan"]


def test_a_spread_is_the_median_with_its_range():
    assert Spread.of([3.0, 1.0, None, 8.0]) == Spread(3.0, 1.0, 8.0, 3, missing=1)
    assert Spread.of([None]) is None
    assert spread_words("fd", Spread(31.24, 29.5, 134.7, 3)) == "31.2 (29.5 to 135)"
    assert spread_words("covered", Spread(9.0, 9.0, 9.0, 2)) == "9"
    assert spread_words("fd", Spread(31.24, 29.5, 134.7, 3, missing=1)) == "31.2 (29.5 to 135; 3 of 4 runs)"
    assert spread_words("fd", Spread(31.24, 31.24, 31.24, 1, missing=2)) == "31.2 (1 of 3 runs)"


def test_seeds_without_a_score_are_counted(outputs):
    scored = [{}, {"fd": 30.0}, {"fd": 32.0}]
    runs = [make_run(outputs, f"seed-{n}", settings_of("gan", seed=n), **scores) for n, scores in enumerate(scored)]
    groups = grouped([record(run) for run in runs])
    table = table_of(groups)
    assert table.lines[0].scores["fd"] == Spread(31.0, 30.0, 32.0, 2, missing=1)
    assert table.lines[0].scores["fd"] == Spread.of([None, 32.0, 30.0])
    assert "2 of 3 runs" in page(groups, "seeds")


def test_the_table_takes_the_last_scores_and_puts_the_best_median_first(outputs):
    table = table_of(grouped(four_runs(outputs)))
    assert [line.title for line in table.lines] == ["lsgan", "gan"]
    assert table.lines[0].scores["fd"] == Spread(24.0, 20.0, 28.0, 2)
    assert table.lines[0].speed == Spread(100.0, 100.0, 100.0, 2)
    assert table.lines[0].parameters == 15
    best = {column.key: table.best(column) for column in table.columns}
    assert best == {"fd": "lsgan", "diversity": None}  # a ratio near 1 is good: neither is best


def test_a_table_wider_than_the_terminal_goes_on_below(outputs, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    runs = [make_run(outputs, f"run-{n}", settings_of(f"model{n}"), fd=20.0 + n) for n in range(7)]
    print_table(table_of(grouped([record(run) for run in runs])), "models")
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= 60
    assert all(told.count(f"model{n}") == told.count(f" {20 + n} ") == 1 for n in range(7))
    assert told.count("peak memory") == told.count("models") > 1


def test_brackets_in_a_title_are_shown(outputs, capsys):
    run = make_run(outputs, "one", settings_of("[colour]"), fd=20.0)
    print_table(table_of(grouped([record(run)])), "of [archive]")
    told = capsys.readouterr().out
    assert "of [archive]" in told
    assert "[colour]" in told


def test_columns_share_the_room():
    assert side_by_side([10, 10, 10], room=26) == [range(2), range(2, 3)]
    assert side_by_side([99, 5], room=26) == [range(1), range(1, 2)]


def test_the_csv_has_a_line_a_group(outputs):
    lsgan, gan = csv.DictReader(csv_text(table_of(grouped(four_runs(outputs)))).splitlines())
    assert (lsgan["model"], lsgan["seeds"], lsgan["fd_median"], lsgan["fd_least"], lsgan["fd_most"]) == (
        "lsgan",
        "1 2",
        "24",
        "20",
        "28",
    )
    assert (gan["images_median"], gan["images_per_second_median"], gan["parameters"]) == ("640", "100", "15")
    assert gan["peak_memory_most"] == f"{2**30:.6g}"


def test_scores_of_other_conditions_are_left_out_with_the_reason(outputs):
    one, two = (
        make_run(outputs, "a", settings_of("gan"), fd=30.0),
        make_run(outputs, "b", settings_of("lsgan"), fd=20.0),
    )
    three = make_run(outputs, "c", settings_of("dcgan"))
    add_scores(three, 640, {"fd": 1.0}, replace(TERMS, extractor_id="ffff"))
    records = [record(each) for each in (one, two, three)]
    (column,) = columns(records)
    assert set(column.scores) == {"a", "b"} or set(column.scores) == {f"outputs/{name}" for name in "ab"}
    assert column.ranking(grouped(records)) == ["lsgan", "gan"]
    (told,) = [each for each in remarks(records, [column]) if "no checkpoint" not in each]
    assert "its FD-classifier was taken under other conditions (extractor_id: ffff against abcdef0123)" in told


def test_scores_of_different_moments_are_told(outputs):
    one, two = (make_run(outputs, name, settings_of(name), fd=30.0) for name in ("gan", "lsgan"))
    assert not [told for told in remarks([record(one), record(two)], columns([record(one)])) if "moments" in told]
    add_scores(two, 320, {"fd": 20.0}, TERMS)  # of an earlier checkpoint
    records = [record(one), record(two)]
    (told,) = [each for each in remarks(records, columns(records)) if "moments" in each]
    assert told == "FD-classifier is of different moments: gan after 640 images, lsgan after 320 images"


def test_the_doctors_last_word_is_read_and_broken_lines_are_passed_over(outputs):
    run = make_run(outputs, "a", settings_of("gan"))
    assert record(run).verdict is None
    verdict, advice = Verdict("collapse", "red", "All alike."), Advice("loss=r1", "it holds the discriminator back")
    history.append(run.folder / history.FILE, Diagnosis(verdict, Signals(640, 10), Facts(1_000), advice))
    with (run.folder / history.FILE).open("a") as file:
        file.write('{"images": 700, "verd')
    assert record(run).verdict == verdict
    assert record(run).diagnosis.advice == advice


def test_compare_writes_a_table_a_csv_and_a_page_that_name_both(outputs, capsys):
    make_run(outputs, "first", settings_of("gan"), fd=30.0)
    make_run(outputs, "second", settings_of("lsgan"), fd=20.0)
    assert cli.main(["compare", "first", "outputs/second", "out=page"]) == 0
    told = capsys.readouterr().out
    assert "FD-classifier" in told
    assert "20 *" in told
    page = Path("page.html").read_text()
    assert "first" in page
    assert "second" in page
    assert "lsgan reaches the best FD-classifier: 20; lower is better." in page
    assert Path("page.csv").read_text().count("\n") == 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "ganctl compare: no run was given; name two runs or more"),
        (["first"], "ganctl compare: only outputs/first was given"),
        (["first", "first"], "ganctl compare: only outputs/first was given"),
        (["first", "secnd"], "run: no run 'secnd'; did you mean 'second'?"),
        (
            ["first", "other"],
            "first was trained on digits 1x8x8 (train, 100 pictures), and other on mnist 1x8x8 (train, ",
        ),
        (["first", "model=gan,lsgan"], "model=gan,lsgan: settings train new runs, and cannot stand beside runs"),
        (["first", "three"], "(train, 100 pictures), and three on digits 1x8x8 (train, 100 pictures, only 3)"),
        (["model=gan", "dataset=random"], "ganctl compare: these settings make one run; give several values"),
        (["first", "second", "out=a.png"], "out: a.png: the page is HTML; end the name in .html"),
        (["model=gan,lsgan", "images=64", "out=a.png"], "out: a.png: the page is HTML; end the name in .html"),
        (["model=gan,lsgan", "images=64", "n=500"], "n: 500; nothing is scored here; add evaluate=true"),
        (["modle=gan,lsgan", "dataset=random"], "modle: no such key; did you mean 'model'?"),
        (["first", "second", "evaluate=true"], "first is left out: it has no checkpoint last; train it again to have"),
        (["first", "second", "n=many"], "n=many: "),
        (["first", "second", "ckpt=best"], "second is left out: it has no checkpoint best; train it again to have one"),
        (["first", "second", "ckpt=bset"], "ckpt: 'bset'; use last, best or a number of images such as 300k"),
    ],
)
def test_what_compare_refuses(outputs, words, told, capsys):
    make_run(outputs, "first", settings_of("gan"), fd=30.0)
    make_run(outputs, "second", settings_of("lsgan"), fd=20.0)
    make_run(outputs, "other", settings_of("gan", dataset="mnist"), fd=20.0)
    three = settings_of("gan")
    make_run(outputs, "three", three | {"dataset": three["dataset"] | {"only": [3]}}, fd=20.0)
    assert cli.main(["compare", *words]) == 2
    assert told in capsys.readouterr().err


NO_CHECKPOINT = "has no checkpoint, so it can be neither sampled nor scored; train it again to have one"


def begun(outputs, name):
    """A run that was killed before it left anything, of the same data."""
    return store.create(outputs, name, settings_of("wgan"), {"model": "wgan"}, images=640)


def test_runs_without_a_checkpoint_are_named_and_stay_where_they_have_scores(outputs, capsys):
    make_run(outputs, "first", settings_of("gan"), fd=30.0)
    (make_run(outputs, "second", settings_of("lsgan"), fd=20.0).checkpoints / "last.ckpt").touch()
    assert cli.main(["compare", "first", "second", "out=page"]) == 0
    told = capsys.readouterr().out
    assert f"  first {NO_CHECKPOINT}\n" in told
    assert "second has no checkpoint" not in told
    assert "30" in told
    assert f"first {NO_CHECKPOINT}" in Path("page.html").read_text()


def test_runs_with_nothing_to_compare_are_left_out_with_a_sentence(outputs, capsys):
    make_run(outputs, "first", settings_of("gan"), fd=30.0)
    begun(outputs, "dead")
    assert cli.main(["compare", "first", "dead", "out=page"]) == 0
    sentence = "dead is left out: it has no checkpoint, no scores and no pictures; train it again to have one"
    assert f"  {sentence}\n" in capsys.readouterr().out
    assert sentence in Path("page.html").read_text()
    assert Path("page.csv").read_text().count("\n") == 2
    with begun(outputs, "young").lock():
        assert cli.main(["compare", "first", "young", "out=page"]) == 0
    assert "young is left out: it has no checkpoint, no scores and no pictures; wait for its first one" in (
        capsys.readouterr().out
    )


def test_where_no_run_is_left_all_are_named(outputs, capsys):
    begun(outputs, "dead")
    begun(outputs, "gone")
    assert cli.main(["compare", "dead", "gone", "out=page"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("ganctl compare: 2 mistakes\n  dead is left out: ")
    assert "  gone is left out: " in told
    assert not Path("page.html").exists()


def test_a_comparison_all_of_whose_trainings_failed_ends_as_they_did(outputs, monkeypatch, capsys):
    for name in ("one", "two"):
        begun(outputs / "s", name)
    monkeypatch.setattr("ganctl.sweeps.many.play_many", lambda *_: Done(1, outputs / "s"))
    assert cli.main(["compare", *SMALL, "seed=1,2"]) == 1
    assert capsys.readouterr().err == ""


def test_a_run_without_the_checkpoint_asked_for_is_left_out(outputs, capsys):
    for name in ("first", "second"):
        (make_run(outputs, name, settings_of(name), fd=30.0).checkpoints / "last.ckpt").touch()
    (outputs / "second" / "checkpoints" / "best.ckpt").touch()
    assert cli.main(["compare", "first", "second", "ckpt=best", "out=page"]) == 0
    told = capsys.readouterr().out
    assert "  first is left out: it has no checkpoint best; there are last: choose by ckpt=\n" in told
    assert Path("page.csv").read_text().count("\n") == 2


def test_settings_are_trained_and_compared(outputs, capsys):
    words = ["images=64", "seed=1,2", "loss=least_squares,hinge", "evaluate_every=null", "name=s"]
    assert cli.main(["compare", *SMALL, *words]) == 0
    told = capsys.readouterr().out
    assert "gan loss=least_squares" in told
    lines = list(csv.DictReader((outputs / "s" / "compare.csv").read_text().splitlines()))
    assert sorted((line["model"], line["seeds"]) for line in lines) == [
        ("gan loss=hinge", "1 2"),
        ("gan loss=least_squares", "1 2"),
    ]
    assert (outputs / "s" / "compare.html").exists()
    assert cli.main(["compare", "s"]) == 0  # a sweep's folder stands for its runs
    assert cli.main(["compare", *(f"s/{path.name}" for path in (outputs / "s").iterdir() if path.is_dir())]) == 0


def test_a_page_replaces_only_a_page_of_ganctls(outputs, capsys):
    make_run(outputs, "first", settings_of("gan"), fd=30.0)
    make_run(outputs, "second", settings_of("lsgan"), fd=20.0)
    Path("mine.html").write_text("<html>my own</html>")
    assert cli.main(["compare", "first", "second", "out=mine"]) == 2
    assert "out: mine.html is there, and is no page of ganctl's; choose another name" in capsys.readouterr().err
    assert Path("mine.html").read_text() == "<html>my own</html>"
    Path("table.csv").write_text("1,2")
    assert cli.main(["compare", "first", "second", "out=table.html"]) == 2
    assert "out: table.csv is there, and the table would replace it" in capsys.readouterr().err
    assert [cli.main(["compare", "first", "second", "out=page"]) for _ in "ab"] == [0, 0]


def test_minutes_end_a_training(outputs):
    from ganctl import api

    done = api.train(*SMALL, "images=1M", "minutes=0.01", "checkpoint_every=null", "sample_every=null")
    assert 0 < done["images_seen"] < 1_000_000
    assert done["seconds"] >= 0.6


def test_different_data_is_refused_before_anything_is_trained(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GANCTL_OUTPUTS", str(tmp_path))
    assert cli.main(["compare", "model=gan,vae", "dataset=digits,random", "images=64"]) == 2
    assert "dataset: digits, random; scores on different data say nothing of each other" in capsys.readouterr().err
    assert cli.main(["compare", *SMALL, "dataset.count=64,128", "images=64"]) == 2
    assert "dataset.count=64 against dataset=random" in capsys.readouterr().err.replace("dataset.shape=[1,8,8] ", "")
    assert not list(tmp_path.iterdir())
