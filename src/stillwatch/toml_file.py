"""Files of rules that people write, as TOML: read strictly, and every mistake in them named at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from stillwatch.contracts import InputError


class Strict(BaseModel):
    """A part of such a file; what it does not know is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse what would have to be guessed: that "no" is false, "5" a number, or true one."""
        kinds = _kinds(cls.model_fields[str(info.field_name)].annotation)
        if value is None or not kinds <= {bool, int, float}:
            return value
        if bool not in kinds and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError("is no number; write it without quotes")
        if kinds == {bool} and not isinstance(value, bool):
            raise ValueError("is neither true nor false; write one of them without quotes")
        return value


def _kinds(annotation: Any) -> set[Any]:
    """Return the types of which a value may be, those inside containers aside."""
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return set().union(*map(_kinds, get_args(annotation))) - {type(None)}
    return {annotation}


_Model = TypeVar("_Model", bound=Strict)


def read_toml(path: Path, model: type[_Model], what: str, remedy: str) -> _Model:
    """Read a file as ``model``.

    Args:
        path: the file.
        model: what it may say.
        what: what people call the file, such as "policy".
        remedy: where to find what it may say.

    Raises:
        InputError: the file cannot be read, is no TOML, or says something that it may not say; every mistake
            in it is named.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(
            f"the {what} cannot be read ({error.strerror})",
            remedy="Name one that can be read",
            file=str(path),
        ) from error
    except RecursionError as error:
        raise InputError("it is nested too deeply", remedy=remedy, file=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"it is no TOML ({error})", remedy=remedy, file=str(path)) from error
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise _refused(path, document, error, remedy) from error


def _refused(path: Path, document: Mapping[str, Any], error: ValidationError, remedy: str) -> InputError:
    """Name every mistake by the rule that it is in."""
    found = [(_place(document, one["loc"]), _said(one)) for one in error.errors()]
    rest = "".join(f"; {place}: {what}" if place else f"; {what}" for place, what in found[1:])
    place, what = found[0]
    return InputError(f"{what}{rest}", remedy=remedy, file=str(path), field=place or None)


def _place(document: Mapping[str, Any], location: Sequence[int | str]) -> str:
    """Return where a mistake is, with a rule's name instead of its number."""
    parts = [str(part) for part in location]
    if len(parts) > 1 and parts[0] == "rules" and parts[1].isdigit():
        rule = document["rules"][int(parts[1])]
        named = rule.get("name") if isinstance(rule, dict) else None
        parts[:2] = [f"rule {named!r}" if isinstance(named, str) else f"rule {int(parts[1]) + 1}"]
    return ".".join(parts)


def _said(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such setting"
    if error["type"] == "missing":
        return "it is missing"
    said: str = error["msg"].removeprefix("Value error, ")
    return f"{said[:1].lower()}{said[1:]}"
