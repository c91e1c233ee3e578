"""What the pages tell people to type exists: commands, settings, files."""

import re
import shlex
from pathlib import Path

import pytest

from ganctl.cli import commands
from ganctl.commands.train import read
from ganctl.config.preparation import compose

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TYPED = re.compile(r"^\s*(?:\$ )?ganctl (.+)$", re.MULTILINE)
BLOCK = re.compile(r"^```(?:bash|console|text|sh)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
SPAN = re.compile(r"`ganctl ([^`]+)`")


def lines(page: Path) -> list[str]:
    """Every `ganctl ...` on the page, in blocks and between backticks, without comments and placeholders' dots."""
    text = page.read_text().replace("\\\n", " ")  # a command may go on in the next line
    found = [line for block in BLOCK.findall(text) for line in TYPED.findall(block)]
    found += [span.replace("\n", " ") for span in SPAN.findall(BLOCK.sub("", text))]
    return [line.split(" #")[0].split(";")[0].strip() for line in found]


ALL = [pytest.param(page, line, id=f"{page.name}: {line}") for page in PAGES for line in lines(page)]


@pytest.mark.parametrize(("page", "line"), ALL)
def test_a_command_on_a_page_exists(page, line):
    assert line.split()[0] in {*commands(), "--help", "<command>"}


TRAININGS = [each for each in ALL if each.values[1].startswith("train ") and "..." not in each.values[1]]


@pytest.mark.parametrize(("page", "line"), TRAININGS)
def test_a_training_on_a_page_composes(page, line):
    given = read(shlex.split(line.removeprefix("train ")))
    words = [word for word in given.overrides if not word.startswith(("resume=", "--", "hydra"))]
    searched = any(word.startswith("search=") for word in words)
    words = [word for word in words if not word.startswith(("search=", "trials="))]
    if given.help or given.multirun or given.resumes or given.config_dirs or searched:
        words = [word for word in words if "," not in word]
    composed = compose(words)
    assert not composed.mistakes


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_on_a_page_lead_somewhere(page):
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link.strip()).exists()]
    assert not missing
