"""The run's own settings: every value brought to its type, or told as a mistake."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from types import NoneType
from typing import Any, get_type_hints

from ganctl.building.annotations import alternatives, shown
from ganctl.building.build import Binder
from ganctl.config.schema import AUTO, Rule, TrainConfig, TrainerConfig, a_tenth, rules
from ganctl.nearest import hint
from ganctl.quantities import quantity

GROUPS = ("dataset", "model", "loss", "augment", "trainer")
DEVICES = ("auto", "cpu", "cuda", "mps", "idle")


def names() -> list[str]:
    """The settings that stand at the top level."""
    return [each.name for each in fields(TrainConfig) if each.name not in GROUPS]


def settle(given: Mapping[str, Any], mistakes: list[str], kind: type = TrainConfig, prefix: str = "") -> dict[str, Any]:
    """Settings with their types and defaults; what is wrong goes to `mistakes`, and the default stands in for it.

    Quantities become whole numbers of images, so that arithmetic and interpolations see numbers.
    """
    annotations = get_type_hints(kind)
    settings = [each for each in fields(kind) if each.name not in GROUPS]
    unknown = [name for name in given if name not in annotations]
    mistakes += [f"{prefix}{name}: no such key{hint(str(name), [each.name for each in settings])}" for name in unknown]
    settled = {
        each.name: _settled(each, annotations[each.name], given, f"{prefix}{each.name}", mistakes) for each in settings
    }
    intervals = [name for name, rule in rules(kind).items() if rule.quantity and settled[name] == AUTO]
    return settled | {name: a_tenth(settled["images"]) for name in intervals}


def settle_trainer(given: Any, mistakes: list[str]) -> dict[str, Any]:
    """The group `trainer`, as `settle`."""
    if not isinstance(given, Mapping):
        mistakes.append(f"trainer: {shown(given)} is not a mapping")
        given = {}
    return settle(given, mistakes, TrainerConfig, "trainer.")


def _settled(each: Field[Any], annotation: Any, given: Mapping[str, Any], path: str, mistakes: list[str]) -> Any:
    value = given.get(each.name, _default(each))
    rule: Rule = each.metadata["rule"]
    try:
        if rule.quantity:
            absent = value is None and NoneType in alternatives(annotation)
            return value if absent or value in rule.among else _quantity(value, rule, path)
        return _typed(value, annotation, rule, path)
    except ValueError as error:
        mistakes += error.args
    fallback = _default(each)
    return quantity(fallback) if rule.quantity and fallback not in (None, *rule.among) else fallback


def _default(each: Field[Any]) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()


def _quantity(value: Any, rule: Rule, path: str) -> int:
    also = "".join(f", or {word}" for word in rule.among)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{path}: {shown(value)} is not a number of images; write 300k, 2M, 1e6 or 50000{also}")
    try:
        images = quantity(value)
    except ValueError as error:
        raise ValueError(f"{path}: {error}{also}") from None
    return int(_in_range(images, rule, path))


def _typed(value: Any, annotation: Any, rule: Rule, path: str) -> Any:
    """The value as its annotation says; a number may stand for a text (precision=32)."""
    if rule.among and isinstance(value, int | float):
        value = str(value)
    binder = Binder(())
    typed = binder.bind(value, annotation, path)
    if binder.mistakes:
        raise ValueError(*binder.mistakes)
    if rule.among and typed not in rule.among:
        raise ValueError(f"{path}: {shown(typed)} is not accepted; choose {', '.join(rule.among)}")
    if path in SPECIAL:
        SPECIAL[path](typed)
    return _in_range(typed, rule, path)


def _in_range(value: Any, rule: Rule, path: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if rule.least is not None and value < rule.least:
        raise ValueError(f"{path}: {value}; must be {rule.least:g} or more")
    if rule.above is not None and value <= rule.above:
        raise ValueError(f"{path}: {value}; must be more than {rule.above:g}")
    if rule.most is not None and value > rule.most:
        raise ValueError(f"{path}: {value}; must be {rule.most} or less")
    return value


def _device(value: Any) -> None:
    numbers = value if isinstance(value, list) and all(type(each) is int and each >= 0 for each in value) else []
    if value not in DEVICES and (not numbers or len(set(numbers)) < len(numbers)):
        what = f"device: {shown(value)} is not a device"
        raise ValueError(f"{what}; choose {', '.join(DEVICES)} or GPU numbers such as [0,2]")


def _plugins(value: list[str]) -> None:
    wrong = [each for each in value if not all(part.isidentifier() for part in each.split("."))]
    if wrong:
        raise ValueError(
            *(f"plugins: {shown(each)} is not the name of a module, such as my_package.models" for each in wrong)
        )


SPECIAL = {"device": _device, "plugins": _plugins}  # settings with rules beside `Rule`
