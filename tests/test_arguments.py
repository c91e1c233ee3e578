"""Typed `key=value`: conversions, limits, and the words of every mistake."""

from dataclasses import MISSING, dataclass
from typing import Literal

import pytest

from ganctl.commands.arguments import option, parse, words
from ganctl.errors import UserError


@dataclass
class Arguments:
    """Draw something."""

    run: str = option(MISSING, "what to draw from")
    n: int = option(64, "how many", least=1, most=1000)
    share: float | None = option(None, "how much", least=0)
    ema: bool = option(True, "whether averaged")
    format: Literal["grid", "files"] = option("grid", "one sheet or many files")


@dataclass
class Listing:
    """List something."""

    what: str | None = option(None, "which", positional=True)
    sort: str = option("time", "by what")
    device: int | str = option("auto", "where")


def mistakes(*words: str) -> tuple[str, ...]:
    with pytest.raises(UserError) as caught:
        parse(Arguments, list(words), "draw")
    return caught.value.mistakes


def test_values_are_converted_to_the_annotated_types():
    found = parse(Arguments, ["run=a=b", "n=1k", "--share=0.5", "ema=no", "format=files"], "draw")
    assert found == Arguments(run="a=b", n=1000, share=0.5, ema=False, format="files")


def test_defaults_stand_and_none_is_understood():
    assert parse(Arguments, ["run=x", "share=none"], "draw") == Arguments(run="x")


def test_a_bare_word_goes_to_the_positional_option():
    assert parse(Listing, ["models", "sort=name"], "list") == Listing("models", "name")


def test_an_option_of_two_types_takes_the_first_that_reads():
    assert parse(Listing, ["device=0"], "list").device == 0
    assert parse(Listing, ["device=cuda"], "list").device == "cuda"


def test_every_mistake_is_named_at_once():
    assert mistakes("nn=3", "n=abc", "format=gird", "share=-1") == (
        "nn=3: no such option; did you mean 'n'? (there are: run, n, share, ema, format)",
        "n=abc: 'abc' is not a whole number",
        "format=gird: no such choice; did you mean 'grid'?; there are: grid, files",
        "share=-1: must be at least 0",
        "run: must be given, run=...",
    )


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("n=0", "n=0: must be at least 1"),
        ("n=2k", "n=2k: must be at most 1000"),
        ("n=1.5", "n=1.5: '1.5' is not a whole number"),
        ("ema=maybe", "ema=maybe: 'maybe' is not true or false"),
        ("share=nan", "share=nan: must be at least 0"),
        ("n", "n: no value; write n=..."),
        ("--n", "--n: no value; write n=..."),
    ],
)
def test_words_of_one_mistake(word, told):
    assert mistakes("run=x", word) == (told,)


def test_an_option_given_twice_is_a_mistake():
    assert mistakes("run=x", "n=3", "n=4") == ("n=4: given twice",)


def test_help_is_made_from_the_dataclass(capsys):
    with pytest.raises(SystemExit) as caught:
        parse(Arguments, ["n=3", "--help"], "draw")
    told = capsys.readouterr().out
    assert caught.value.code == 0
    assert "usage: ganctl draw" in told
    assert "Draw something." in told
    assert "n=64" in told
    assert "one sheet or many files (grid|files)" in told


@pytest.mark.parametrize("text", ["good,new", "[good,new]", "[good, new]", " good , new,"])
def test_a_list_is_words_with_commas_in_brackets_or_without(text):
    assert words(text) == ["good", "new"]


def test_an_option_in_two_words():
    assert parse(Arguments, ["--run", "a=b", "n=3"], "draw") == Arguments(run="a=b", n=3)
    assert mistakes("--run", "--n=3") == ("--run: no value; write run=...", "run: must be given, run=...")
