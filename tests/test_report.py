"""The page of runs: whole in itself, no address outside it, and made also of runs that are not finished."""

import base64
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from run_samples import make_run, settings_of

from ganctl import api, cli
from ganctl.pictures import captioned, save_picture
from ganctl.reports.groups import grouped
from ganctl.reports.page import page
from ganctl.reports.pictures import from_file
from ganctl.reports.plots import Curve, Plot, median_curve, svg
from ganctl.reports.record import record
from ganctl.runs import store

VOID = {"meta", "link", "img", "br", "hr", "input"}
SMALL = ["dataset=random", "dataset.shape=[1,8,8]", "batch_size=16", "trainer.log_every=1", "trainer.preview=4"]
SMALL += ["model.game.generator.hidden=[16]", "model.game.discriminator.hidden=[16]", "model=gan", "images=64"]
SMALL += ["device=cpu", "precision=32", "trainer.threads=1"]


class Seen(HTMLParser):
    """Tags with their attributes; `open` is empty at the end of a well-formed page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def looked_at(html: str) -> Seen:
    seen = Seen()
    seen.feed(html)
    assert seen.open == []
    return seen


@pytest.fixture(autouse=True)
def outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GANCTL_OUTPUTS", raising=False)
    return tmp_path / "outputs"


def test_a_page_of_two_runs_holds_all_it_shows(outputs):
    runs_made = [make_run(outputs, name, settings_of(name), fd=fd) for name, fd in (("gan", 30.0), ("lsgan", 20.0))]
    html = page(grouped([record(run) for run in runs_made]), "two & more <runs>")
    seen = looked_at(html)
    addresses = [value for _, found in seen.tags for name, value in found.items() if name in ("src", "href", "data")]
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "http" not in html
    assert "@import" not in html
    assert not [tag for tag, _ in seen.tags if tag in ("script", "iframe", "object")]
    pictures = [found for tag, found in seen.tags if tag == "img"]
    assert len(pictures) == 2 + 2 * 2  # the newest sheet of each, for they have no checkpoint; two frames of each
    assert all(found["alt"] for found in pictures)
    assert {"gan", "lsgan"} <= set(seen.text.split())
    assert "two & more <runs>" in seen.text
    assert sum(tag == "svg" for tag, _ in seen.tags) == 2  # FD, and the generator's loss


def test_ids_in_drawings_are_not_used_twice(outputs):
    run = make_run(outputs, "gan", settings_of(), fd=30.0, precision=0.5)
    ids = [found["id"] for _, found in looked_at(page(grouped([record(run)]), "a")).tags if "id" in found]
    assert len(ids) == len(set(ids)) > 0


def test_colours_of_a_drawing_follow_the_page():
    drawing = svg(Plot("a", [Curve(0, [0, 10], [1, 2]), Curve(1, [0, 10], [2, 1])], level=1.5))
    assert drawing.startswith('<svg role="img" aria-label="a"')
    assert "#fe0" not in drawing
    for part in ("var(--series-0)", "var(--series-1)", "currentColor", "var(--line)"):
        assert part in drawing
    assert "width=" not in drawing.partition(">")[0]


def test_the_median_over_seeds_is_drawn_where_all_were_measured():
    curves = [Curve(0, [10, 20, 30], [1, 2, 3]), Curve(0, [10, 20, 40], [3, 4, 5]), Curve(0, [10, 20], [9, 9])]
    assert median_curve(curves) == Curve(0, [10, 20], [3, 4])
    assert median_curve(curves[:1]) is None


def test_report_of_a_trained_run_shows_samples_and_settings(outputs, capsys):
    api.train(*SMALL, "name=first", "model.optimizers.generator.lr=3e-4")
    assert cli.main(["report"]) == 0
    told = capsys.readouterr().out
    assert "outputs/first/report.html" in told
    assert "no checkpoint" not in told
    seen = looked_at((outputs / "first" / "report.html").read_text())
    assert "after 64 images" in seen.text
    assert "model.optimizers.generator.lr" in seen.text
    assert cli.main(["report", "first", "out=elsewhere.html"]) == 0
    assert Path("elsewhere.html").exists()


@pytest.mark.parametrize("words", ["", "16x16"])
def test_of_a_large_square_sheet_the_first_pictures_are_shown(words, tmp_path):
    """Black in the first quarter: nothing else is seen, with a line of words below the sheet or without."""
    sheet = np.full((640, 640, 3), 255, np.uint8)
    sheet[:320, :320] = 0
    save_picture(captioned(sheet, words), tmp_path / "000000064.png")
    frame = from_file(tmp_path / "000000064.png", 320, quarter=True)
    with Image.open(BytesIO(base64.b64decode(frame.data.partition(",")[2]))) as seen:
        assert seen.size == (320, 320)
        assert np.asarray(seen.convert("L")).max() < 10


def test_report_of_a_run_that_has_only_begun(outputs, capsys):
    run = store.create(outputs, "young", settings_of(), {"model": "gan"}, images=640)
    assert cli.main(["report", "run=young"]) == 0
    sentence = "young has no checkpoint, so it can be neither sampled nor scored; train it again to have one"
    assert f"  {sentence}\n" in capsys.readouterr().out
    assert sentence in (run.folder / "report.html").read_text()
    seen = looked_at((run.folder / "report.html").read_text())
    assert "No pictures yet." in seen.text


def test_report_says_that_a_run_is_still_training(outputs, monkeypatch):
    run = make_run(outputs, "busy", settings_of(), fd=30.0)
    with run.lock():
        store.update_status(run, state="running", images_seen=320)
        seen = looked_at(page(grouped([record(run)]), "busy"))
    assert "Still training: 320 of 640 images so far." in seen.text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run=nothing"], "run: no run 'nothing'"),
        (["first", "ckpt=best"], "run: outputs/first has no checkpoint, and its state is: finished"),
        (["first", "out=page.pdf"], "out: page.pdf: the page is HTML; end the name in .html"),
        (["first", "out=."], "out: . is a folder"),
        (
            ["first", "out=/proc/a.html"],
            "/proc/a.html: cannot be written: No such file or directory; give another place",
        ),
        (["spoilt"], "holds no model; it was not written by ganctl train"),
        (["first", "style=dark"], "no such option"),
    ],
)
def test_what_report_refuses(outputs, words, told, capsys):
    make_run(outputs, "first", settings_of())
    make_run(outputs, "spoilt", settings_of()).config_file.write_text("a: 1\n")
    assert cli.main(["report", *words]) == 2
    assert told in capsys.readouterr().err
