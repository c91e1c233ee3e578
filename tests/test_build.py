"""From `_target_` to object: what is accepted, what is refused before import, and the words of every mistake."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_parts import Broken, Car, Rubber, Wheel
from torch import nn
from torch.optim import Optimizer

from ganctl.building.build import WRONG, build, build_optimizer, check, stand_in, trial
from ganctl.building.components import arguments_of
from ganctl.errors import UserError
from ganctl.games.game import Game
from ganctl.losses.adversarial import AdversarialLoss
from ganctl.losses.regularizers import Regularizer
from ganctl.networks import dcgan
from ganctl.networks.interfaces import Discriminator, Generator
from ganctl.schedules import Schedule

FAKES = ("fake_parts",)
RUBBER = {"_target_": "fake_parts.Rubber"}


def car(**arguments: Any) -> dict[str, Any]:
    return {"_target_": "fake_parts.Car", "front": RUBBER, **arguments}


def mistakes(node: Any, expected: Any = Car) -> list[str]:
    return check(node, expected, "car", FAKES)


def built(**arguments: Any) -> dict[str, Any]:
    return build(car(**arguments), Car, "car", FAKES).arguments


# What is built


def test_builds_depth_first_with_defaults() -> None:
    node = car(others=[RUBBER, {**RUBBER, "radius": 2}], named={"left": {**RUBBER, "radius": 3}}, spare=None)
    arguments = build(node, Car, "car", FAKES).arguments
    assert [wheel.radius for wheel in arguments["others"]] == [1.0, 2.0]
    assert arguments["named"]["left"].radius == 3
    assert isinstance(arguments["front"], Rubber)
    assert arguments["spare"] is None
    assert arguments["seats"] == 4


def test_the_same_node_twice_makes_two_objects() -> None:
    first, second = built(others=[RUBBER, RUBBER])["others"]
    assert first is not second


@pytest.mark.parametrize(
    ("argument", "given", "becomes"),
    [
        ("seats", 5, 5),
        ("seats", 1e2, 100),
        ("seats", "300k", 300_000),
        ("weight", 2, 2.0),
        ("weight", "2e-4", 2e-4),
        ("weight", "1_000", 1000.0),
        ("open", True, True),
        ("colour", "blue", "blue"),
        ("fuel", "none", "none"),
        ("size", [1, 2], (1, 2)),
        ("gears", [1, "2e-1"], [1.0, 0.2]),
        ("gears", 3, 3),
        ("load", "1e3", 1000.0),
        ("papers", "a/b", Path("a/b")),
        ("papers", None, None),
        ("anything", {"a": [1, None]}, {"a": [1, None]}),
    ],
)
def test_values_become_what_the_annotation_says(argument: str, given: Any, becomes: Any) -> None:
    value = built(**{argument: given})[argument]
    assert value == becomes
    assert type(value) is type(becomes)


def test_a_union_takes_a_number_or_a_component() -> None:
    assert built(load=3)["load"] == 3.0
    assert isinstance(built(load=RUBBER)["load"], Rubber)


def test_arguments_of_a_component_with_open_names() -> None:
    node = {"_target_": "fake_parts.Trailer", "front": RUBBER, "axles": "2"}
    assert build(node, Car, "car", FAKES).rest == {"axles": "2"}
    assert mistakes({**node, "_partial_": True}) == ["car: Trailer takes no '_partial_'; it takes front"]


def test_builds_ganctls_own_and_torchs_classes() -> None:
    assert isinstance(
        build({"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 3}, nn.Module, "x"), nn.Linear
    )
    node = [{"_target_": "ganctl.losses.regularizers.R1", "weight": "1e1"}]
    (penalty,) = build(node, Sequence[Regularizer], "loss.penalties")
    assert penalty.weight == 10.0


@pytest.mark.parametrize("kind", sorted(torch.optim.__all__))
def test_every_optimizer_of_torch_has_readable_annotations(kind: str) -> None:
    found = getattr(torch.optim, kind)
    if isinstance(found, type) and issubclass(found, Optimizer) and found is not Optimizer:
        assert "params" in arguments_of(found)


def test_an_optimizer_gets_its_parameters_later() -> None:
    node = {"_target_": "torch.optim.Adam", "lr": "2e-4", "betas": [0.5, 0.999]}
    assert check(node, Optimizer, "model.optimizers.generator", later=("params",)) == []
    parameter = nn.Parameter(torch.zeros(2))
    (group,) = build_optimizer(node, [parameter], "model.optimizers.generator").param_groups
    assert (group["lr"], tuple(group["betas"]), group["params"]) == (2e-4, (0.5, 0.999), [parameter])


def test_parameters_cannot_come_from_the_config() -> None:
    node = {"_target_": "torch.optim.SGD", "lr": 0.1, "params": [1]}
    (mistake,) = check(node, Optimizer, "o", later=("params",))
    assert mistake.startswith("o: SGD takes no 'params'; it takes lr, momentum, ")


# What is wrong, in its exact words


@pytest.mark.parametrize(
    ("argument", "given", "sentence"),
    [
        ("seats", "abc", "car.seats: 'abc' is not a whole number"),
        ("seats", 1.5, "car.seats: 1.5 is not a whole number"),
        ("seats", True, "car.seats: true is not a whole number"),
        ("seats", None, "car.seats: null is not a whole number"),
        ("seats", [1], "car.seats: [1] is not a whole number"),
        ("weight", False, "car.weight: false is not a number"),
        ("weight", float("nan"), "car.weight: nan is not a number"),
        ("weight", float("inf"), "car.weight: inf is not a number"),
        ("weight", "1e999", "car.weight: '1e999' is not a number"),
        ("weight", {"a": 1}, "car.weight: a mapping is not a number"),
        ("open", 1, "car.open: 1 is not true or false"),
        ("open", "yes", "car.open: 'yes' is not true or false"),
        ("colour", 5, "car.colour: 5 is not a text; in quotes it is one: \"car.colour='5'\""),
        ("fuel", "coal", "car.fuel: 'coal' is not 'petrol' or 'none'"),
        ("fuel", None, "car.fuel: null is not 'petrol' or 'none'"),
        ("spare", 5, "car.spare: 5 is not a Wheel or null"),
        ("front", "round", "car.front: 'round' is not a Wheel; write its _target_ and arguments"),
        ("front", {"radius": 1}, "car.front: no _target_; name a Wheel class by _target_"),
        ("others", RUBBER, "car.others: no component is expected here; leave out _target_"),
        ("others", "x", "car.others: 'x' is not a list of values"),
        ("others", [RUBBER, 3], "car.others.1: 3 is not a Wheel; write its _target_ and arguments"),
        ("named", {"a": 1}, "car.named.a: 1 is not a Wheel; write its _target_ and arguments"),
        ("named", [1], "car.named: [1] is not a mapping or null"),
        ("size", [1], "car.size: [1] is not a list of 2 whole numbers"),
        ("size", [1, "x"], "car.size.1: 'x' is not a whole number"),
        ("gears", [1, "x"], "car.gears.1: 'x' is not a number"),
        ("gears", "x", "car.gears: 'x' is not a list of numbers or a whole number"),
        ("load", "x", "car.load: 'x' is not a number or a Wheel"),
        ("papers", 5, "car.papers: 5 is not a path or null"),
        ("seats", RUBBER, "car.seats: no component is expected here; leave out _target_"),
        ("anything", {"a": [RUBBER]}, "car.anything.a.0: no component is expected here"),
        ("seets", 5, "car: Car takes no 'seets'; did you mean 'seats'?"),
        ("_args_", [5], "car: Car takes no '_args_'; it takes front, seats, weight, open, colour, fuel, spare, "
         "others, named, size, gears, load, papers, anything"),
    ],
)  # fmt: skip
def test_words_of_a_wrong_argument(argument: str, given: Any, sentence: str) -> None:
    assert mistakes(car(**{argument: given})) == [sentence]


def test_words_of_a_missing_argument() -> None:
    assert mistakes({"_target_": "fake_parts.Car"}) == ["car.front: missing; Car needs a Wheel"]


def test_a_constructors_sentence_stands_behind_its_path() -> None:
    def sentences(**arguments: Any) -> tuple[str, ...]:
        with pytest.raises(UserError) as caught:
            build(car(front={**RUBBER, **arguments}), Car, "car", FAKES)
        return caught.value.mistakes

    assert sentences(radius=-1) == ("car.front.radius: -1.0; must be more than 0",)
    assert sentences(name="square") == ("car.front: no wheel is square",)


def test_other_errors_of_a_constructor_are_told_too() -> None:
    with pytest.raises(UserError) as caught:
        build(car(front={"_target_": "fake_parts.Broken"}), Car, "car", FAKES)
    assert caught.value.mistakes == ("car.front: Broken cannot be made of this: RuntimeError: this wheel never builds",)


def test_all_mistakes_are_told_at_once() -> None:
    node = car(seats="abc", widht=1, others=[{**RUBBER, "radius": "x"}], spare={"_target_": "os.system"}, weight=True)
    assert len(mistakes(node)) == 5


def test_a_trial_finds_constructors_mistakes_beside_others() -> None:
    node = car(seats="abc", others=[{**RUBBER, "radius": 0, "colour": "red"}, {**RUBBER, "radius": -2}])
    _, found = trial(node, Car, "car", FAKES)
    assert found == [
        "car.seats: 'abc' is not a whole number",
        "car.others.0: Rubber takes no 'colour'; it takes radius, name",
        "car.others.0.radius: 0.0; must be more than 0",
        "car.others.1.radius: -2.0; must be more than 0",
    ]


class Choosy:
    """Refuses one argument after the other."""

    def __init__(self, size: int = 4, name: str = "good", wheels: int = 4) -> None:
        if size < 1:
            raise ValueError(f"size: {size}; must be 1 or more")
        if name == "bad":
            raise ValueError(f"name: {name!r}; must be good")
        if wheels == 3:
            raise ValueError("three wheels fall over")
        self.facts = size, name, wheels


def choosy(**arguments: Any) -> dict[str, Any]:
    return {"_target_": f"{__name__}.Choosy", **arguments}


def test_a_constructor_is_asked_until_it_refuses_nothing_more() -> None:
    built, found = trial(choosy(size=0, name="bad", wheels=3), Choosy, "it", [__name__])
    assert built is WRONG
    assert found == ["it.size: 0; must be 1 or more", "it.name: 'bad'; must be good", "it: three wheels fall over"]


def test_defaults_stand_in_for_what_is_wrong() -> None:
    built, found = stand_in(choosy(size=0, name=[1], wheels=6), Choosy, "it", [__name__])
    assert built.facts == (4, "good", 6)
    assert found == ["it.name: [1] is not a text", "it.size: 0; must be 1 or more"]


def test_nothing_is_built_where_the_check_finds_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(Broken, "__init__", lambda self: made.append(self))
    with pytest.raises(UserError):
        build(car(front={"_target_": "fake_parts.Broken"}, seats="abc"), Car, "car", FAKES)
    assert made == []


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (
            "ganctl.networks.dcgan.DCGANGenerater",
            "g._target_: there is no 'DCGANGenerater' in ganctl.networks.dcgan; did you mean 'DCGANGenerator'?",
        ),
        (
            "ganctl.networks.dcgn.DCGANGenerator",
            "g._target_: there is no module 'ganctl.networks.dcgn'; did you mean 'ganctl.networks.dcgan'?",
        ),
        (
            "ganctl.networks.dcgan.DCGANDiscriminator",
            "g._target_: 'ganctl.networks.dcgan.DCGANDiscriminator' is not a Generator; "
            "ganctl.networks.dcgan has DCGANGenerator",
        ),
        (
            "ganctl.networks.interfaces.Generator",
            "g._target_: 'ganctl.networks.interfaces.Generator' is abstract",
        ),
        (
            "DCGANGenerator",
            "g._target_: 'DCGANGenerator' is not the full name of a class, "
            "such as ganctl.networks.dcgan.DCGANGenerator",
        ),
        (
            "mine.models.Painter",
            "g._target_: 'mine.models.Painter' is refused; accepted are classes of ganctl, torch.nn, torch.optim, "
            "torchvision.datasets and of your plugins; if mine.models is a module of yours, add plugins=[mine.models]",
        ),
    ],
)
def test_words_of_a_wrong_target(target: str, sentence: str) -> None:
    assert check({"_target_": target}, Generator, "g") == [sentence]


# What is refused

HOSTILE = [
    "os.system",
    "os.path.os.system",
    "posix.system",
    "builtins.eval",
    "builtins.exec",
    "subprocess.Popen",
    "subprocess.run",
    "pickle.loads",
    "importlib.import_module",
    "runpy.run_path",
    "torch.load",
    "torch.hub.load",
    "torch.jit.load",
    "torch.ops.load_library",
    "torch.utils.cpp_extension.load",
    "torch.nn.functional.relu",
    "torch.nn.init.normal_",
    "torch.nn.init.torch.hub.load",
    "torch.nn.modules.module.torch.load",
    "torch.nn.os.system",
    "torch.nn.marker_trap.Trap",
    "torch.nnn.Linear",
    "torch.optim.lr_scheduler.LambdaLR",
    "torch.optim.Optimizer.__init__",
    "torch.nn.Linear",
    "torchvision.datasets.utils.download_url",
    "torchvision.datasets.MNIST",
    "torchvision.io.read_file",
    "hydra.utils.instantiate",
    "hydra.utils.get_method",
    "omegaconf.OmegaConf.load",
    "marker_trap.Trap",
    "marker_trap.deeper.Trap",
    "ganctl_marker_trap.Trap",
    "ganctl.marker_trap.Trap",
    "ganctl.cli.main",
    "ganctl.cli.os.system",
    "ganctl.cli.sys.exit",
    "ganctl.__main__.main",
    "ganctl.__main__.Trap",
    "ganctl.trained.sampling.load",
    "ganctl.building.build.build",
    "ganctl.building.components.import_module",
    "ganctl.networks.dcgan.nn.Module",
    "ganctl.networks.dcgan.torch.hub.load",
    "ganctl.networks.dcgan.DCGANGenerator.__class__",
    "ganctl.networks.dcgan.DCGANGenerator.forward",
    "ganctl.networks.dcgan.DCGANGenerator.__init__.__globals__",
    "ganctl.networks.dcgan.__builtins__",
    "ganctl.networks.dcgan._private",
    "ganctl..networks.dcgan.DCGANGenerator",
    ".ganctl.networks.dcgan.DCGANGenerator",
    "ganctl.networks.dcgan.DCGANGenerator\n",
    "ganctl.networks.dcgan.DCGANGenerator()",
    "ganctl.networks.dcgan:DCGANGenerator",
    "ganctl/networks/dcgan.DCGANGenerator",
    "g\u0430nctl.networks.dcgan.DCGANGenerator",  # a Cyrillic letter
    "../marker_trap.Trap",
    "${oc.env:HOME}",
    "${marker_trap.Trap}",
    "__main__.Trap",
    "",
    None,
    5,
    True,
    ["os.system"],
    {"_target_": "os.system"},
]


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that leaves a file when somebody imports it, and functions that must not run."""
    mark = tmp_path / "imported"
    source = f"from pathlib import Path\nPath({str(mark)!r}).touch()\nclass Trap: ...\n"
    for name in ("marker_trap", "ganctl_marker_trap"):
        (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))

    def sprung(*_: Any, **__: Any) -> None:
        raise AssertionError("a hostile function was called")

    for place, name in (
        (torch, "load"),
        (torch.hub, "load"),
        (subprocess, "Popen"),
        (subprocess, "run"),
        (sys, "exit"),
    ):
        monkeypatch.setattr(place, name, sprung)
    monkeypatch.setattr("os.system", sprung)
    return mark


@pytest.mark.parametrize("target", HOSTILE, ids=repr)
def test_hostile_targets_are_refused_before_import(target: Any, trap: Path) -> None:
    before = set(sys.modules)
    node = {"_target_": target}
    for contract in (Game, Generator, AdversarialLoss, Schedule, float | Schedule):
        assert len(check(node, contract, "g")) == 1
        with pytest.raises(UserError):
            build(node, contract, "g")
    assert len(check([node, {"x": node}], Sequence[Regularizer], "g")) == 2
    assert len(check({"a": node}, Mapping[str, Regularizer], "g")) == 1
    imported = set(sys.modules) - before
    assert not any("marker_trap" in name or name == "ganctl.__main__" for name in imported)
    assert not trap.exists()


@pytest.mark.parametrize("target", [target for target in HOSTILE if target != "torch.nn.Linear"], ids=repr)
def test_hostile_targets_are_refused_inside_components(target: Any, trap: Path) -> None:
    """Also where any module of torch, or any optimizer, would do."""
    hostile = {"_target_": target}
    assert check(hostile, nn.Module, "m")
    assert check(hostile, Optimizer, "o", later=("params",))
    with pytest.raises(UserError):
        build_optimizer(hostile, [nn.Parameter(torch.zeros(1))], "o")
    clipped = {"_target_": "ganctl.networks.wrappers.Clipped", "network": hostile, "limit": 0.1}
    (mistake,) = check(clipped, Discriminator, "d")
    assert mistake.startswith("d.network._target_: ")
    assert not trap.exists()


def test_a_plugin_opens_its_own_module_and_no_other(trap: Path) -> None:
    plugins = ("fake_parts",)
    assert check(RUBBER, Wheel, "w", plugins) == []
    assert "is refused" in check(RUBBER, Wheel, "w")[0]
    assert "is refused" in check({"_target_": "fake_parts_more.Rubber"}, Wheel, "w", plugins)[0]
    assert "is refused" in check({"_target_": "marker_trap.Trap"}, Wheel, "w", plugins)[0]
    assert check({"_target_": "fake_parts.torch.hub.load"}, Wheel, "w", plugins) == [
        "w._target_: there is no module 'fake_parts.torch.hub'"
    ]
    assert not trap.exists()


def test_a_plugin_named_by_the_user_is_still_bound_to_the_contract() -> None:
    assert check({"_target_": "os.system"}, Wheel, "w", ("os",)) == ["w._target_: 'os.system' is not a Wheel"]
    assert "is not a Wheel" in check({"_target_": "subprocess.Popen"}, Wheel, "w", ("subprocess",))[0]


def test_a_foreign_class_under_a_trusted_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = type("Stranger", (dcgan.DCGANGenerator,), {"__module__": "elsewhere"})
    monkeypatch.setattr(dcgan, "Stranger", stranger, raising=False)
    assert check({"_target_": "ganctl.networks.dcgan.Stranger", "shape": [1, 8, 8]}, Generator, "g") == [
        "g._target_: 'ganctl.networks.dcgan.Stranger' is refused; it is elsewhere.Stranger under another name"
    ]


def test_a_private_class_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dcgan, "_Own", dcgan.DCGANGenerator, raising=False)
    (mistake,) = check({"_target_": "ganctl.networks.dcgan._Own", "shape": [1, 8, 8]}, Generator, "g")
    assert "is not the full name of a class" in mistake


def test_a_plugin_that_cannot_be_imported_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "halfway.py").write_text("import nowhere_to_be_found\n")
    (tmp_path / "leaves.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "torn.py").write_text("class Wheel(:\n")
    monkeypatch.chdir(tmp_path)  # where ganctl is called, and not on sys.path
    told = [check({"_target_": f"{name}.Wheel"}, Wheel, "w", (name,))[0] for name in ("halfway", "leaves", "torn")]
    assert told[0] == "w._target_: halfway cannot be imported: No module named 'nowhere_to_be_found'"
    assert told[1] == "w._target_: leaves cannot be imported: SystemExit: 3"
    assert told[2].startswith("w._target_: torn cannot be imported: SyntaxError: ")
    sys.path.remove(str(tmp_path))
