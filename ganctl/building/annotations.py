"""Plain values against type annotations: what fits, what it becomes, and how both are told in words."""

import math
import types
from collections import abc
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from ganctl.quantities import number

LISTS = (list, tuple, set, frozenset, abc.Sequence, abc.Collection, abc.Iterable, abc.MutableSequence)
MAPPINGS = (dict, abc.Mapping, abc.MutableMapping)
PLAIN = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", Path: "a path"}
MANY = {int: "whole numbers", float: "numbers", str: "texts", bool: "true or false", Path: "paths"}
SHOWN = 60  # letters of a value in a message


def simplified(annotation: Any) -> Any:
    """The annotation without aliases, `Annotated` and type variables; None becomes its type."""
    if annotation is None:
        return types.NoneType
    if isinstance(annotation, TypeVar):
        return Any
    if get_origin(annotation) is Annotated:
        return simplified(get_args(annotation)[0])
    alias = getattr(annotation, "__value__", None) or getattr(annotation, "__supertype__", None)
    return simplified(alias) if alias is not None else annotation


def alternatives(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, or the annotation alone."""
    annotation = simplified(annotation)
    if get_origin(annotation) not in (Union, types.UnionType):
        return (annotation,)
    return tuple(inner for member in get_args(annotation) for inner in alternatives(member))


def is_list(annotation: Any) -> bool:
    """Whether a YAML list belongs there."""
    return annotation in LISTS or get_origin(annotation) in LISTS


def is_mapping(annotation: Any) -> bool:
    """Whether a YAML mapping without `_target_` belongs there."""
    return annotation in MAPPINGS or get_origin(annotation) in MAPPINGS


def is_contract(annotation: Any) -> bool:
    """Whether a place with this annotation takes an object: a class, but none of the plain ones."""
    plain = annotation in (*PLAIN, *LISTS, *MAPPINGS, types.NoneType, object, Any)
    return isinstance(annotation, type) and get_origin(annotation) is None and not plain


def fit(value: Any, annotation: Any, exactly: bool) -> Any:
    """A plain value as the annotated type; raises ValueError (without words) where it does not fit.

    `exactly=False` also takes what only reads as the type: '2e-4' as a number, 1e6 as a whole number.
    """
    if annotation in (Any, object):
        return value
    if annotation is types.NoneType and value is None:
        return None
    if get_origin(annotation) is Literal:
        return _literal(value, get_args(annotation))
    if annotation in (bool, str) and isinstance(value, annotation):
        return value
    if annotation is Path and isinstance(value, str):
        return Path(value)
    if annotation in (int, float):
        return _numeric(value, annotation, exactly)
    raise ValueError


def _literal(value: Any, choices: tuple[Any, ...]) -> Any:
    """The choice that equals the value; 1 is not True."""
    for choice in choices:
        if choice == value and type(choice) is type(value):
            return choice
    raise ValueError


def _numeric(value: Any, kind: type, exactly: bool) -> int | float:
    if isinstance(value, bool):
        raise ValueError
    if isinstance(value, str) and not exactly:
        value = number(value)
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    if kind is float:
        return float(value)
    if isinstance(value, float) and (exactly or value != int(value)):
        raise ValueError
    return int(value)


def words(*annotations: Any) -> str:
    """`a whole number`, `a Generator`, `a list of numbers or null`: what a place accepts."""
    members = [member for annotation in annotations for member in alternatives(annotation)]
    told = [_word(each) for each in members if getattr(each, "__name__", "") != "Tensor"]
    return " or ".join(dict.fromkeys(told))


def unfit(path: str, value: Any, *annotations: Any) -> str:
    """What is said of a plain value that fits none of them; of a number, how it becomes a text."""
    number_for_text = isinstance(value, int | float) and str in (each for a in annotations for each in alternatives(a))
    cure = f"; in quotes it is one: \"{path}='{value}'\"" if number_for_text else ""
    return f"{path}: {shown(value)} is not {words(*annotations)}{cure}"


def _word(annotation: Any) -> str:
    if annotation in PLAIN:
        return PLAIN[annotation]
    if annotation is types.NoneType:
        return "null"
    if get_origin(annotation) is Literal:
        return " or ".join(repr(choice) for choice in get_args(annotation))
    if is_list(annotation):
        return _list_word(annotation)
    if is_mapping(annotation):
        return "a mapping"
    return with_article(annotation.__name__) if is_contract(annotation) else "a plain value"


def _list_word(annotation: Any) -> str:
    items = [item for item in get_args(annotation) if item is not Ellipsis]
    if not items:
        return "a list"
    count = f"{len(items)} " if get_origin(annotation) is tuple and Ellipsis not in get_args(annotation) else ""
    many = {MANY.get(simplified(item), "values") for item in items}
    return f"a list of {count}{many.pop() if len(many) == 1 else 'values'}"


def with_article(name: str) -> str:
    """`an Augment`, `a Generator`."""
    return f"{'an' if name[:1] in 'AEIOU' else 'a'} {name}"


def shown(value: Any) -> str:
    """A value as YAML would have it, cut where it is long."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
