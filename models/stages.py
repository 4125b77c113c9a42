"""Trainings in a row: what each stage of `training.stages` makes of a configuration, and the chain written back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from models.errors import InputError
from models.validation import explain, merged
from models.yaml_file import Location

if TYPE_CHECKING:
    from models.config import Config


_OF_THE_CHAIN = ("stages", "network")


class Stage(NamedTuple):
    """A training of a chain, and the run or file to initialise it from, and its decoder; None is the stage before."""

    config: Config
    start: str | None
    decoder: str | None = None


def stages_of(config: Config, source: object, lines: Mapping[Location, int] | None = None) -> tuple[Stage, ...]:
    """The trainings that a configuration describes; the last one holds the whole chain again.

    Raises InputError, with the line of a value in `source` if it is known, unless every stage is valid.
    """
    given = config.training.stages
    if not given:
        return (Stage(config, None),)
    found = [Stage(_applied(config, index, source, lines or {}), stage.start, stage.start_decoder)
             for index, stage in enumerate(given)]
    last = found[-1].config
    chain = [_changes(last, one.config) | ({"start": one.start} if one.start else {})
             | ({"start_decoder": one.decoder} if one.decoder else {}) for one in found]
    return *found[:-1], found[-1]._replace(config=last.evolve(training={"stages": chain}))


def started(config: Config, start: str, decoder: str | None = None) -> Config:
    """A copy whose first stage, or only training, is initialised from this run, or this file and that of a decoder."""
    first, *others = [stage.model_dump() for stage in config.training.stages] or [{}]
    given = {"start": start} | ({"start_decoder": decoder} if decoder else {})
    return config.evolve(training={"stages": [first | given, *others]})


def check_not_staged(config: Config, path: tuple[str, ...]) -> None:
    """Raise InputError if a stage sets the value at `path`, which an option would not change there."""
    for number, stage in enumerate(config.training.stages, 1):
        section: Any = {"training": stage.overrides, "data": stage.data}
        for step in path:
            if not isinstance(section, Mapping) or step not in section:
                break
            section = section[step]
        else:
            raise InputError(f"{'.'.join(path)}: also set by stage {number} of training.stages, where an option does "
                             "not change it; change it there, in a copy of the configuration, or train without stages: "
                             f"--set 'training.stages=[]' --set {'.'.join(path)}=VALUE")


def _applied(config: Config, index: int, source: object, lines: Mapping[Location, int]) -> Config:
    """The configuration of one stage, without stages of its own."""
    here, stage = ("training", "stages", index), config.training.stages[index]
    where = f", in stage {index + 1} of training.stages"
    own: dict[Location, int] = {}
    for location, line in lines.items():
        rest = location[len(here):]
        if location[:len(here)] == here and rest:
            own[rest if rest[0] == "data" else ("training", *rest)] = line
    chosen = next((key for key in _OF_THE_CHAIN if key in stage.overrides), None)
    if chosen:
        line_of = own.get(("training", chosen))
        raise InputError(f"{source}{f':{line_of}' if line_of else ''}: training.{chosen} is the same in all stages, "
                         f"expected outside of the stages{where}")
    content = merged(config, {"data": stage.data, "training": {**stage.overrides, "stages": ()}})
    try:
        return type(config).model_validate(content)
    except ValidationError as error:
        raise InputError(explain(error, type(config), source, own, where)) from None


def _changes(one: Config, other: Config) -> dict[str, Any]:
    """What a stage sets that makes `other` of the configuration `one`."""
    old, new = one.model_dump(mode="json"), other.model_dump(mode="json")
    data = _different(old["data"], new["data"])
    return _different(old["training"], new["training"]) | ({"data": data} if data else {})


def _different(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _different(old[key], value) if isinstance(value, Mapping) else value
            for key, value in new.items() if value != old[key]}
