"""One YAML file says what is built; reading it is strict, and an error names file, line, key and what was expected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_serializer,
    model_validator,
)

from models.errors import InputError, nearest
from models.files import write_text
from models.spec import EncoderSpec
from models.stages import Stage, check_not_staged, stages_of
from models.validation import Evolving, explain
from models.yaml_file import BAD_YAML, Location, named_file, read_yaml

_CONFIGS = Path(__file__).parents[1] / "configs"  # beside the packages, in a clone as where it is installed
CONFIG_FILE = "config.yaml"
"""In the folder of a run, and of a C++ project: what it was made from."""
LOSS_NAMES = ("telescope", "telescope_4x4x3", "telescope_6x6x3", "weighted_mse", "kernel", "sinkhorn", "emd")
"""The losses of `training.losses`; those of `training.losses.learned` are called emd_loss1, emd_loss2, ..."""
CONDITIONS = ("eta", "waferv", "waferu", "wafertype", "sum", "layer")
"""What a decoder may see of a module, in the order of the experiment's software; see `training.networks.conditions`."""
LEARNED_LOSS = re.compile(r"emd_loss[1-9][0-9]*")


def _loss_name(name: str) -> str:
    if name not in LOSS_NAMES and not LEARNED_LOSS.fullmatch(name):
        raise ValueError(f"expected {', '.join(LOSS_NAMES)} or emd_loss1, emd_loss2, ...{nearest(name, LOSS_NAMES)}")
    return name


LossName = Annotated[str, AfterValidator(_loss_name)]


class _Section(Evolving):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class DataConfig(_Section):
    """Where module charges come from: CALQ files, or the `source` if no file is named.

    A source is collisions of Pythia 8 in a fast detector, or the simple generator (also if Pythia is not installed).
    `layers` are the trigger layers whose modules collisions give; by default those that have the configured number of
    links in the signal allocation.
    """

    files: tuple[str, ...] = ()
    source: Literal["toy", "pythia"] = "pythia"
    layers: tuple[Annotated[int, Field(ge=1)], ...] = ()
    order: Literal["tc", "image"] = "tc"
    nrows_per_file: Annotated[int, Field(ge=1)] | None = None
    n_modules: int = Field(20_000, ge=10, le=10_000_000)
    seed: int = Field(1, ge=0)
    mask_partials: bool = False
    """Leave out modules of files that the edge of the silicon cuts."""
    mask_energies: float | None = Field(None, ge=0, lt=1)
    """Leave out modules of files whose SimEnergyFraction is not above this."""
    signal_fraction: float | None = Field(None, gt=0, lt=1)
    """Part of the training rows that have energy of the process, reached by drawing rows again; others never change."""
    energy_bins: tuple[float, ...] = ()
    """Edges in `simenergy`, ascending: training rows of the process are drawn equally often from each bin."""

    @model_validator(mode="after")
    def _ascending(self) -> DataConfig:
        if any(a >= b for a, b in pairwise(self.energy_bins)):
            raise ValueError(f"energy_bins {list(self.energy_bins)}: expected ascending edges")
        if self.energy_bins and self.signal_fraction is None:
            raise ValueError("energy_bins need signal_fraction")
        return self

    @model_serializer(mode="wrap")
    def _without_no_resampling(self, plain: Any) -> dict[str, Any]:
        return {key: value for key, value in plain(self).items()
                if key not in ("signal_fraction", "energy_bins") or value}


class AugmentConfig(_Section):
    """How more modules are made out of few; see `training.data.augment`. All off: every epoch sees the same modules.

    `generated` ones come out of a `pool` of the `source`, which no data set of the same source shares.
    """

    rotate: bool = True
    cut: float = Field(0.3, ge=0, le=1)
    mix: float = Field(0.3, ge=0, le=1)
    scale: float = Field(0.5, ge=0, le=4)
    generated: float = Field(0.5, ge=0, lt=1)
    source: Literal["toy", "pythia"] = "toy"
    pool: int = Field(100_000, ge=10, le=10_000_000)

    @model_validator(mode="after")
    def _fractions(self) -> AugmentConfig:
        if self.cut + self.mix > 1:
            raise ValueError(f"cut {self.cut} + mix {self.mix} are parts of one whole: expected a sum of at most 1")
        return self


_Condition = Literal["eta", "waferv", "waferu", "wafertype", "sum", "layer"]
_Conditions = Annotated[tuple[_Condition, ...],
                        BeforeValidator(lambda names: tuple(names) if isinstance(names, list) else names)]


class DecoderConfig(_Section):
    """The decoder off the detector: `layers` dense layers of `width`; `sees_sum`: it also gets the module sum.

    `members`: this many decoders, each trained for itself on one encoder; their mean is the decoded map.
    `refinements`: this many times the decoded map goes through the known encoder and is corrected by what its latents
    lack, each time by a network of its own of `refinement_width`, or by one for all (`share`); see
    `training.networks.refining`.
    `conditions`: what it also sees of the module; they are appended to its inputs or, with `film`, scale and shift the
    units of each layer. `architecture`: `cae` is the decoder of the conditional autoencoder of 2025, of three small
    dense layers and a transposed convolution, which has no options of size.
    """

    architecture: Literal["dense", "cae"] = "dense"
    conditions: _Conditions = ()
    film: bool = False
    width: int = Field(512, ge=1, le=8192)
    layers: int = Field(3, ge=1, le=16)
    sees_sum: bool = True
    members: int = Field(1, ge=1, le=64)
    refinements: int = Field(0, ge=0, le=32)
    refinement_width: int = Field(512, ge=1, le=8192)
    share: bool = False

    @model_serializer(mode="wrap")
    def _without_no_conditions(self, plain: Any) -> dict[str, Any]:
        default = {"architecture": "dense", "conditions": (), "film": False}
        return {key: value for key, value in plain(self).items()
                if key not in default or getattr(self, key) != default[key]}

    @model_validator(mode="after")
    def _conditions_have_a_place(self) -> DecoderConfig:
        if self.film and (not self.conditions or self.architecture != "dense"):
            raise ValueError(f"film with conditions {list(self.conditions)} and architecture {self.architecture}: "
                             "expected conditions and dense layers")
        if self.architecture == "cae" and (self.refinements or self.members > 1):
            raise ValueError(f"architecture cae with refinements {self.refinements} and members {self.members}: "
                             "expected 0 and 1")
        if len(set(self.conditions)) < len(self.conditions):
            raise ValueError(f"conditions {list(self.conditions)}: expected different ones")
        return self

    @model_validator(mode="after")
    def _refines_one_map(self) -> DecoderConfig:
        if self.refinements and (self.members > 1 or not self.sees_sum):
            raise ValueError(f"refinements {self.refinements} with members {self.members} and sees_sum "
                             f"{self.sees_sum}: expected one member that sees the sum")
        return self


class StageConfig(_Section):
    """One of several trainings in a row: keys of `training` with other values, and of `data`.

    `start`: folder of the run, or file of the encoder, to initialise from; default: the stage before. `start_decoder`:
    file of the decoder to initialise from, with an encoder in a file.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    start: str | None = None
    start_decoder: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)

    @property
    def overrides(self) -> dict[str, Any]:
        """Values of `training` in this stage; a mapping changes single keys of a section."""
        return dict(self.model_extra or {})

    @model_serializer(mode="wrap")
    def _as_written(self, plain: Any) -> dict[str, Any]:
        return {key: value for key, value in plain(self).items()
                if key not in ("start", "start_decoder", "data") or value}

    @model_validator(mode="after")
    def _decoder_of_an_encoder(self) -> StageConfig:
        if self.start_decoder and not self.start:
            raise ValueError(f"start_decoder {self.start_decoder}: expected start, the file of its encoder")
        return self


class TrainingConfig(_Section):
    """How the encoder and its decoder are trained.

    An epoch is `passes` times all training rows, augmented anew each time. The last `final_fraction` of the epochs use
    `final_loss`. Training stops after `patience` epochs without a better mean EMD of the validation rows; the epoch
    with the best one is kept. `network` puts an encoder of `training.networks` in the place of the chip's.
    `occupancy_weight` is how much rare occupancies count in the loss: 0 as often as they occur, 1 each occupancy as
    much as any other; see `training.data.selection.occupancy_weights`. `stages` are trainings in a row, each from the
    result of the one before, with what differs from the values of this section.
    """

    network: str | None = None

    loss: LossName = "telescope"
    final_loss: LossName = "emd"
    final_fraction: float = Field(0.0, ge=0, le=1)
    emd_loss_models: str = "runs/emd_loss"
    """Folder of the losses emd_loss1, emd_loss2, ...: what `econ-t emd-loss` writes."""
    epochs: int = Field(60, ge=1)
    passes: int = Field(1, ge=1, le=10_000)
    batch_size: int = Field(256, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    optimizer: Literal["adam", "adamw", "lion"] = "adam"
    weight_decay: float = Field(0.0, ge=0, lt=1)
    """Part of the learning rate by which all weights shrink in a step, of `adamw` and `lion`."""
    schedule: Literal["cosine", "restarts", "step", "exponential", "constant"] = "cosine"
    """How the learning rate falls to a hundredth; `restarts`: three cosines, each twice as long as the one before."""
    clip_norm: float | None = Field(None, gt=0)
    """Largest norm of the gradient of a step, over all weights."""
    patience: int = Field(10, ge=1)
    seed: int = Field(1, ge=0)
    validation_fraction: float = Field(0.1, gt=0, lt=1)
    test_fraction: float = Field(0.25, gt=0, lt=1)
    occupancy_weight: float = Field(0.0, ge=0, le=1)
    augment: AugmentConfig = AugmentConfig()
    decoder: DecoderConfig = DecoderConfig()
    bare_floor: bool = False
    """No gradient passes the floor behind the latents, and the encoder keeps its initial weights: to compare with."""
    stages: tuple[StageConfig, ...] = ()

    @model_serializer(mode="wrap")
    def _without_no_stages(self, plain: Any) -> dict[str, Any]:
        default = {"stages": (), "bare_floor": False, "optimizer": "adam", "weight_decay": 0.0, "schedule": "cosine"}
        return {key: value for key, value in plain(self).items()
                if key not in default or getattr(self, key) != default[key]}

    @model_validator(mode="after")
    def _decay_of_an_optimizer(self) -> TrainingConfig:
        if self.weight_decay and self.optimizer == "adam":
            raise ValueError(f"weight_decay {self.weight_decay} with optimizer adam: expected adamw or lion")
        return self

    @model_validator(mode="after")
    def _conditions_of_known_modules(self) -> TrainingConfig:
        placed = [name for name in self.decoder.conditions if name != "sum"]
        if placed and self.augment.generated:
            raise ValueError(f"decoder.conditions {placed} with augment.generated {self.augment.generated}: generated "
                             "modules have none, expected augment.generated 0")
        return self

    @property
    def n_first_epochs(self) -> int:
        """Number of epochs on `loss`, before `final_loss` takes over."""
        return round((1 - self.final_fraction) * self.epochs)

    @model_validator(mode="after")
    def _leaves_training_rows(self) -> TrainingConfig:
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError(f"validation_fraction {self.validation_fraction} + test_fraction {self.test_fraction} "
                             "must leave rows to train on: expected a sum below 1")
        return self

    @model_validator(mode="after")
    def _network_in_one_stage(self) -> TrainingConfig:
        if self.network and self.stages:
            raise ValueError(f"network {self.network} starts from random weights, expected no stages")
        return self


class HlsConfig(_Section):
    """The C++ project."""

    backend: Literal["vitis", "catapult"] = "vitis"
    part: str = "xcvu13p-flga2577-2-e"
    clock_period_ns: float = Field(25.0, gt=0)


class RtlConfig(_Section):
    """The open RTL: `fold` clocks per event, which share the gates of the encoder; 1 is the fully parallel one."""

    fold: int = Field(1, ge=1)


class Config(_Section):
    """A whole configuration file.

    Examples:
        >>> from models import Config
        >>> config = Config.load("econ_t_5elink").override(training={"epochs": 3}, data={"source": "toy"})
        >>> config.name, config.encoder.n_elinks, config.training.epochs
        ('econ_t_5elink', 5, 3)
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    encoder: EncoderSpec
    data: DataConfig = DataConfig()
    training: TrainingConfig = TrainingConfig()
    hls: HlsConfig = HlsConfig()
    rtl: RtlConfig = RtlConfig()

    def __repr__(self) -> str:
        return f"<Config {self.name}: {self.encoder!r}>"

    __str__ = __repr__

    @classmethod
    def load(cls, path: str | Path) -> Config:
        """Read and check a configuration file; raises InputError `file:line: key: ...`.

        `path` may also be the bare name of a configuration of this project, such as econ_t_5elink.
        """
        path = Path(path)
        if not path.exists() and path.parent == Path() and not path.suffix:
            path = named_file(_CONFIGS, path.name, "configuration")
        content, lines = read_yaml(path)
        return _valid(content, path, lines)

    def save(self, path: str | Path) -> None:
        """Write a configuration file, every key with its value."""
        write_text(path, yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False))

    def override(self, **sections: Mapping[str, Any]) -> Config:
        """A copy with values of a command line, by section and key; None leaves a key as it is.

        Raises InputError if a value is not valid.
        """
        content = self.model_dump()
        for section, values in sections.items():
            given = {key: value for key, value in values.items() if value not in (None, [])}
            for key in given:
                check_not_staged(self, (section, key))
            content[section] |= given
        return _valid(content, "command line")

    def with_settings(self, settings: Iterable[str]) -> Config:
        """A copy with `section.key=value` strings applied (values in YAML); raises InputError if one is not valid."""
        content, paths = self.model_dump(), []
        for setting in settings:
            key, equals, text = setting.partition("=")
            *parents, name = key.split(".")
            paths.append((*parents, name))
            section: Any = content
            for parent in parents:
                section = section.get(parent) if isinstance(section, dict) else None
            if not equals or not isinstance(section, dict):
                raise InputError(f"--set {setting}: expected section.key=value, as --set training.epochs=100")
            try:
                section[name] = yaml.safe_load(text)
            except BAD_YAML:
                raise InputError(f"--set {setting}: '{text}' is not a YAML value") from None
        found = _valid(content, "--set")
        for path in paths:
            check_not_staged(found, path)  # in the stages that are now set
        return found

    def stages(self) -> tuple[Stage, ...]:
        """The trainings that this configuration describes, one after another: one, unless it has `training.stages`.

        The last one holds the whole chain again, so that the configuration of a finished run repeats it. Raises
        InputError if a stage is not valid.
        """
        return stages_of(self, self.name)


def _valid(content: Any, source: object, lines: Mapping[Location, int] | None = None) -> Config:
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        raise InputError(explain(error, Config, source, lines)) from None
    stages_of(config, source, lines)
    return config
