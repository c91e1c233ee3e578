"""A run's saved settings, checked again for resuming: what may change, and why everything else may not."""

from collections.abc import Mapping, Sequence
from typing import Any

from ganctl.building.annotations import shown
from ganctl.config.overrides import parsed
from ganctl.config.preparation import across, plain
from ganctl.config.settings import GROUPS, names, settle, settle_trainer
from ganctl.data.roots import kept
from ganctl.errors import UserError
from ganctl.metrics.keys import ANY, watching_mistakes
from ganctl.nearest import hint

Config = dict[str, Any]
ADDED = ("choices", "description", "overrides")  # by `preparation.prepare` to the run's own
CHANGEABLE = ("images", "minutes", "device", "plugins")


def recheck(saved: Any, changes: Sequence[str] = ()) -> Config:
    """A run's saved settings, with `changes` (`key=value`, as typed beside resume=), checked again for resuming.

    Length, minutes and device may change, and plugins must be named again, for a run folder is trusted with nothing;
    every other change is refused with the reason. Raises UserError naming every mistake.
    """
    if not isinstance(saved, Mapping) or not isinstance(saved.get("model"), Mapping):
        raise UserError("config: the run's saved settings are not those of ganctl; start a new run")
    mistakes: list[str] = []
    given = {**{name: saved[name] for name in saved if name not in (*ADDED, *GROUPS)}, "plugins": []}
    given |= _changes(saved, changes, mistakes)
    own = settle(given, mistakes)
    own["trainer"] = settle_trainer(saved.get("trainer"), mistakes)
    mistakes += across(own)
    mistakes += watching_mistakes(own["early_stop"], own["evaluate_every"], own["doctor_every"], ANY)
    model = {
        **saved["model"],
        "every": saved["model"].get("every") or {},
        "schedules": saved["model"].get("schedules") or {},
    }
    mistakes += _recheck_parts(saved, model, own["plugins"])
    if own["images"] != saved.get("images"):
        mistakes += _faded(model["schedules"], own)
    if mistakes:
        raise UserError(*dict.fromkeys(mistakes))
    return {**saved, **own, "model": model}


def _faded(schedules: Config, own: Config) -> list[str]:
    """The sentences for schedules that end at 0 before a lengthened training does: nothing would be learned after."""
    from ganctl.config.judging import ended

    return [
        f"images={own['images']}: model.schedules.{place} falls to 0 at {images:,} images, so nothing would be learned "
        "after; leave the length as it was, or begin another run with init_from=RUN"
        for place, images in ended(schedules, own["images"], own["plugins"])
    ]


def _recheck_parts(saved: Mapping[str, Any], model: Config, plugins: Sequence[str]) -> list[str]:
    from ganctl.config.judging import judge, look

    mistakes: list[str] = []
    found = look(saved.get("dataset"), plugins, mistakes)
    if isinstance(dataset := saved.get("dataset"), Mapping):
        mistakes = [kept(mistake, dataset) for mistake in mistakes]
    then, now = saved.get("description"), None if found is None else plain(found.facts)
    if now is not None and (not isinstance(then, dict) or any(then[key] != now.get(key) for key in then)):
        mistakes.append(f"dataset: it is not what it was when the run began: {_difference(then, now)}; start a new run")
    judge(model, plugins, mistakes, sizes_known=True)
    return mistakes


def _difference(then: Any, now: Config) -> str:
    then = then if isinstance(then, dict) else {}
    return ", ".join(f"{key} {then.get(key)} then, {now[key]} now" for key in now if then.get(key) != now[key])


def _changes(saved: Mapping[str, Any], changes: Sequence[str], mistakes: list[str]) -> Config:
    """The new values of what may change; what may not goes to `mistakes`, unless it is no change."""
    accepted: Config = {}
    for text in changes:
        override = parsed(text, mistakes)
        if override is None:
            continue
        key, value = override.key_or_group, override.value()
        if override.is_sweep_override():
            mistakes.append(f"{text}: a run is resumed with one value; leave out the others")
        elif key in CHANGEABLE and not override.is_delete():
            accepted[key] = value
        elif not _same(old := _saved_value(saved, key), key, value) or override.is_delete():
            mistakes.append(_refusal(text, key, old))
    return accepted


def _same(old: Any, key: str, value: Any) -> bool:
    """Whether a value is the saved one, perhaps written otherwise: 2k for 2000."""
    if old == value or key not in names():
        return old == value
    mistakes: list[str] = []
    return bool(settle({key: value}, mistakes)[key] == old) and not mistakes


def _saved_value(saved: Mapping[str, Any], key: str) -> Any:
    """The option that a group had, or the value at a dotted path; KeyError's place is taken by the class `KeyError`."""
    node: Any = saved.get("choices", {}) if key in saved.get("choices", {}) else saved
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return KeyError
        node = node[part]
    return node


def _refusal(text: str, key: str, old: Any) -> str:
    if old is KeyError:
        return f"{key}: no such key{hint(key, [*CHANGEABLE, *names()])}"
    kept = (
        "its own settings"
        if isinstance(old, dict | list)
        else f"its own {key} ({old if isinstance(old, str) else shown(old)})"
    )
    return (
        f"{text}: a resumed run keeps {kept}, so that it ends as it would have without the break; "
        f"only {', '.join(CHANGEABLE[:3])} may change; leave it out, or start a new run"
    )
