"""`ganctl completion`: the script that lets bash, zsh or fish complete commands, options, keys and runs."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from importlib import import_module
from itertools import pairwise
from typing import Any, Literal, get_args, get_origin, get_type_hints

from ganctl.commands.arguments import option, parse, typed
from ganctl.config import confdir, conftree

BASH = r"""# bash: put  eval "$(ganctl completion bash)"  in ~/.bashrc
_ganctl() {
    local line="${COMP_LINE:0:$COMP_POINT}" words last
    read -ra words <<< "$line"
    [[ "$line" == *" " ]] && words+=("")
    last="${words[${#words[@]}-1]}"
    local IFS=$'\n'
    COMPREPLY=($(ganctl completion query "${words[@]:1}" 2>/dev/null))
    # bash takes what follows the last '=' for the word, so the part before it must go
    [[ "$last" == *"="* && "$COMP_WORDBREAKS" == *"="* ]] && COMPREPLY=("${COMPREPLY[@]#"${last%"${last##*=}"}"}")
    [[ ${#COMPREPLY[@]} -gt 0 && "${COMPREPLY[0]}" == *[=./] ]] && compopt -o nospace
}
complete -o default -F _ganctl ganctl"""

ZSH = r"""# zsh: put  eval "$(ganctl completion zsh)"  in ~/.zshrc, after compinit
_ganctl() {
    local -a found
    found=("${(@f)$(ganctl completion query "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    compadd -Q -S '' -- ${(M)found:#*[=./]}
    compadd -Q -- ${found:#*[=./]}
}
compdef _ganctl ganctl"""

FISH = r"""# fish: save as ~/.config/fish/completions/ganctl.fish
complete -c ganctl -f -a '(ganctl completion query (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
SEARCH = ("search", "trials")  # keys of a search, which no run has
TRAIN_FLAGS = ("--help", "--multirun", "--cfg", "--config-dir")


@dataclass
class Arguments:
    """Print the completion script of a shell, e.g.  eval "$(ganctl completion bash)"."""

    shell: Literal["bash", "zsh", "fish"] = option("bash", "whose script to print", positional=True)


def run(argv: list[str]) -> int:
    """Print a script, or (for the scripts themselves) the ways to go on from some words."""
    if argv[:1] == ["query"]:
        sys.stdout.write("".join(f"{found}\n" for found in query(argv[1:])))
        return 0
    print(SCRIPTS[parse(Arguments, argv, "completion").shell])
    return 0


def query(words: list[str]) -> list[str]:
    """What the last of `words` (typed after `ganctl`) may become."""
    from ganctl.cli import commands

    if len(words) <= 1:
        return starting("".join(words), commands())
    command, *before, last = words
    if command == "train":
        return train_words(before, last)
    if command == "compare":
        own = [*run_names(), *option_words(command, last)]
        return list(dict.fromkeys([*starting(last, own), *train_words(before, last)]))
    return option_words(command, last) if command in commands() else []


def starting(start: str, names: Iterable[str]) -> list[str]:
    """The names that begin so."""
    return [name for name in names if name.startswith(start)]


def option_words(command: str, last: str) -> list[str]:
    """Options of a command that is typed by a dataclass, and their values."""
    kind = getattr(import_module(f"ganctl.commands.{command}"), "Arguments", None)
    if kind is None:
        return []
    hints, names = get_type_hints(kind), {typed(each): each.name for each in fields(kind)}
    name, equals, _ = last.partition("=")
    if equals:
        return starting(last, [f"{name}={value}" for value in values(name, hints.get(names.get(name, "")))])
    positional = next((each.name for each in fields(kind) if each.metadata["note"].positional), "")
    return starting(last, [*values(positional, hints.get(positional)), *(f"{each}=" for each in names)])


def values(name: str, kind: Any) -> list[str]:
    """What an option accepts, where that can be counted."""
    if name in ("run", "resume"):
        return [*run_names(), "newest"]
    if name == "what":
        from ganctl.commands.list import plural

        return [*(plural(group) for group in conftree.groups(confdir.places([]))), "runs"]
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return {bool: ["true", "false"]}.get(kind, {"ckpt": ["last", "best"]}.get(name, []))


def run_names() -> list[str]:
    """The runs under outputs/, as they are typed."""
    from ganctl.runs.store import all_runs

    return [str(run.folder) for run in all_runs()]


def train_words(before: Sequence[str], last: str) -> list[str]:
    """Groups, options and keys of `ganctl train`, from the YAML files alone."""
    places = confdir.places(folders_given(before))
    groups = conftree.groups(places)
    name, equals, text = last.partition("=")
    if equals and name in groups:
        done, comma, _ = text.rpartition(",")  # model=dcgan,w<TAB> of a sweep
        return starting(last, [f"{name}={done}{comma}{found}" for found in conftree.options(name, places)])
    if equals:
        return starting(last, [f"{name}={value}" for value in train_values(name)])
    if last.startswith("-"):
        return starting(last, TRAIN_FLAGS)
    if "." in last:
        path = last.split(".")[:-1]
        found = conftree.children(path, before, places)
        return starting(last, [".".join([*path, key]) + ("." if deeper else "=") for key, deeper in found.items()])
    inside = [f"{last}."] if last in groups else []
    return [*starting(last, [f"{each}=" for each in [*groups, *conftree.top_keys(places), *SEARCH]]), *inside]


def train_values(name: str) -> list[str]:
    """Values of the run's own settings that are words."""
    if name == "resume":
        return values(name, None)
    if name == "search":
        from ganctl.metrics.keys import NAMES

        return list(NAMES)
    words = {
        "device": ["auto", "cpu", "cuda", "mps", "idle"],
        "precision": ["auto", "32", "bf16", "16"],
        "compile": ["true", "false"],
        "dry_run": ["true", "false"],
    }
    return words.get(name, [])


def folders_given(words: Sequence[str]) -> list[str]:
    """The folders of `--config-dir DIR` or `--config-dir=DIR`."""
    after = [right for left, right in pairwise(words) if left == "--config-dir"]
    return after + [word.split("=", 1)[1] for word in words if word.startswith("--config-dir=")]
