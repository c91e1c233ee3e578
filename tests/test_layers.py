"""The house rules: imports run one way, and the method knows no framework around it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "ganctl"
METHOD = ("games", "losses", "networks", "schedules.py", "precision.py", "ema.py")
FRAMEWORKS = {
    "pytorch_lightning",
    "lightning",
    "lightning_fabric",
    "hydra",
    "omegaconf",
    "torchmetrics",
    "torch_fidelity",
}
MAY_USE = {  # part of the method -> parts of ganctl that it may import
    "losses": {"losses", "schedules", "precision", "networks.interfaces"},
    "networks": {"networks", "schedules", "precision", "colour", "text", "transfer"},
    "games": {
        "games",
        "losses",
        "schedules",
        "precision",
        "text",
        "transfer",
        "data.batch",
        "networks.interfaces",
        "networks.augment",
    },
}


def imports(path: Path) -> set[str]:
    """Full names of the modules that a file imports, anywhere in it but under TYPE_CHECKING."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def files(part: str) -> list[Path]:
    place = ROOT / part
    return [place] if place.suffix else sorted(place.rglob("*.py"))


def module_name(path: Path) -> str:
    return ".".join(("ganctl", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


@pytest.mark.parametrize("part", METHOD)
def test_the_method_knows_no_framework(part):
    for path in files(part):
        known = {name.split(".")[0] for name in imports(path)} & FRAMEWORKS
        assert not known, f"{path.name} imports {known}"


@pytest.mark.parametrize("part", MAY_USE)
def test_the_method_imports_only_what_lies_below(part):
    for path in files(part):
        own = {name.removeprefix("ganctl.") for name in imports(path) if name.startswith("ganctl.")}
        own = {name for name in own if (ROOT / name.replace(".", "/")).with_suffix(".py").exists()}
        wrong = {name for name in own if not any(name == may or name.startswith(may + ".") for may in MAY_USE[part])}
        assert not wrong, f"{part}/{path.name} imports {wrong}"


def test_no_import_runs_in_a_circle():
    graph = {
        module_name(path): imports(path)
        for path in ROOT.rglob("*.py")
        if path.parent != ROOT or path.stem != "__init__"
    }
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, "circle: " + " -> ".join((*above[above.index(name) :], name))
        if name in done:
            return
        for other in graph[name] & graph.keys():
            visit(other, (*above, name))
        done.add(name)

    for name in graph:
        visit(name, ())


def test_no_two_rooms_need_each_other():
    rooms = {path.stem for path in ROOT.iterdir() if path.is_dir()}
    needs = {
        (path.relative_to(ROOT).parts[0], name.split(".")[1])
        for path in ROOT.rglob("*/*.py")
        for name in imports(path)
        if name.startswith("ganctl.")
    }
    both = {(one, other) for one, other in needs if one < other and (other, one) in needs}
    assert not {pair for pair in both if {*pair} <= rooms}
