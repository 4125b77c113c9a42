"""System: which algorithm each module of the detector runs, on how many links, and how clusters are made of the result.

A YAML file. Defaults of `clusters` are those published with the experiment's software, in the configuration
`hgcalBackEndLayer2Producer` of its trigger-primitive generator (package L1Trigger/L1THGCal).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator
from typing_extensions import Self

from models.arrays import Int64Array
from models.chip import AE_MAX_ELINKS, MAX_ELINKS
from models.errors import InputError, nearest
from models.validation import explain
from models.yaml_file import named_file, read_yaml
from training.fit.run import Run
from training.production.allocation import FEWEST_ELINKS, signal_links
from training.production.geometry import N_LAYERS, modules
from training.production.geometry_file import read_module_list

SYSTEMS = Path(__file__).parents[2] / "configs" / "systems"
"""Systems of this project, found by name."""

LayerWeights = Literal["fitted", "dE/dx"]
"""Weights of layers: fitted, or the energy that a MIP loses in the absorber before each of them."""
# Strict: a text or a truth value is not a number.
_LinkCount = Annotated[int, Field(ge=1, le=MAX_ELINKS, strict=True)]
_Layer = Annotated[int, Field(ge=1, le=N_LAYERS, strict=True)]
_Count = Annotated[int, Field(ge=0, strict=True)]
_NotNegative = Annotated[float, Field(ge=0, strict=True)]
_Flag = Annotated[bool, Field(strict=True)]
_N_STC_TYPES = 4
_MOST_BINS = 1000
_LAYERS = "layers"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)


class Links(_Strict):
    """Number of links of each module: by layer (`layers`), or from a list of modules such as ModuleLinkSummary.csv.

    `add` is added to all of them. Modules that are not in the list, or have no link there, get two.
    """

    allocation: str = _LAYERS
    add: Annotated[int, Field(ge=-MAX_ELINKS, le=MAX_ELINKS, strict=True)] = 0

    def of_modules(self) -> Int64Array:
        """Number of links of each row of `geometry.modules`, (n,)."""
        here = modules()
        if self.allocation == _LAYERS:
            links = signal_links(here.layer)
        else:
            listed = self._listed()
            links = np.where(listed > 0, listed, FEWEST_ELINKS)
        found: Int64Array = np.clip(links + self.add, 1, MAX_ELINKS)
        return found

    def n_absent(self) -> int:
        """Modules that the list does not have, or has no link for."""
        return 0 if self.allocation == _LAYERS else int((self._listed() == 0).sum())

    def _listed(self) -> Int64Array:
        """Links of each module in the list, 0 for one that is not there; raises InputError if none is."""
        here, path = modules(), self._file()
        found: Int64Array = np.asarray(read_module_list(path).links_of(here.layer, here.u, here.v), dtype=np.int64)
        if not found.any():
            raise InputError(f"allocation: {path}: no module of this detector has a link there; expected modules by "
                             "layer, u and v")
        return found

    def sources(self) -> tuple[tuple[str, str], ...]:
        """Name and digest of the list of modules; none by layer."""
        if self.allocation == _LAYERS:
            return ()
        return ((f"allocation: {self._file().name}", hashlib.sha256(self._file().read_bytes()).hexdigest()[:16]),)

    def _file(self) -> Path:
        path = Path(self.allocation)
        if not path.is_file():
            raise InputError(f"allocation: {path}: no such file; expected '{_LAYERS}' or a list of modules"
                             f"{nearest(self.allocation, [_LAYERS])}")
        return path


class Rule(_Strict):
    """What modules with these numbers of links, in these layers (first and last) and of this density run.

    `weights` names a run for the autoencoder; there and in `decoder`, `{links}` stands for the number of links (at most
    5). `all` sends every charge as it is, without a chip.
    """

    algorithm: Literal["AE", "BC", "STC", "TS", "RPT", "all"]
    links: Annotated[tuple[_LinkCount, ...], Field(min_length=1)] | None = None
    layers: tuple[_Layer, _Layer] | None = None
    high_density: _Flag | None = None
    weights: str | None = None
    decoder: str | None = None
    """Decoder in place of that of the run: a file in its folder such as compact_3k.npz, or a path."""
    least_sum: _Count = 0
    """Module sum in CALQ from which frames of the autoencoder are decoded; the charge of smaller ones is dropped."""
    threshold: _Count = 47
    """Threshold of TS in CALQ."""
    stc_type: Annotated[int, Field(ge=0, lt=_N_STC_TYPES, strict=True)] | None = None
    """Type of STC; by default the finest that sends all cells on the links of the module."""
    spread: _Flag = False
    """Spread the sum of an STC group over its cells, not put it at its largest one."""

    @model_validator(mode="after")
    def _has_layers(self) -> Self:
        if self.layers is not None and self.layers[0] > self.layers[1]:
            raise ValueError(f"layers: {self.layers[0]} to {self.layers[1]}; expected the first and the last layer")
        return self

    @model_validator(mode="after")
    def _has_its_own_settings(self) -> Self:
        """Refuse settings that would change nothing."""
        for algorithm, names in (("TS", ("threshold",)), ("STC", ("stc_type", "spread"))):
            for name in names:
                if self.algorithm != algorithm and getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"{name} is for {algorithm}")
        return self

    @model_validator(mode="after")
    def _has_weights(self) -> Self:
        if (self.algorithm == "AE") != (self.weights is not None):
            raise ValueError("weights are for AE, which needs them")
        if self.algorithm != "AE" and (self.decoder is not None or self.least_sum):
            raise ValueError("decoder and least_sum are for AE")
        return self

    def run_of(self, n_links: int) -> str:
        """Name of the run for a number of links."""
        assert self.weights is not None
        return self.weights.replace("{links}", str(min(n_links, AE_MAX_ELINKS)))

    def decoder_of(self, n_links: int) -> Path:
        """File of the decoder for a number of links."""
        run = Run(self.run_of(n_links))
        if self.decoder is None:
            return run.decoder_file
        chosen = Path(self.decoder.replace("{links}", str(min(n_links, AE_MAX_ELINKS))))
        return run.folder / chosen if chosen.parent == Path() else chosen


class ClusterSettings(_Strict):
    """Settings of the clusters. Lengths are in (x/z, y/z), charges in transverse MIP."""

    rz_range: tuple[_NotNegative, _NotNegative] = (0.076, 0.58)
    n_rz: Annotated[int, Field(ge=3, le=_MOST_BINS, strict=True)] = 42
    n_phi: Annotated[int, Field(ge=13, le=_MOST_BINS, strict=True)] = 216
    phi_windows: tuple[_Count, ...] = (13, *(11,) * 3, *(9,) * 3, *(7,) * 6, *(5,) * 15, *(3,) * 14)
    """Bins in phi over which each row of r/z is smoothed; weights halve from bin to bin."""
    rz_weight: _NotNegative = 0.5
    """Weight of the two neighbours in r/z."""
    seed_threshold: Annotated[float, Field(gt=0, strict=True)] = 10.0
    """Smoothed charge on the area of one trigger cell, over all layers, from which a local maximum is a seed."""
    radii: tuple[_NotNegative, ...] = (*(0.015,) * 7, *(0.020,) * 7, *(0.030,) * 7, *(0.040,) * 7, *(0.040,) * 6,
                                      *(0.050,) * 16)
    """Largest distance of a cell to its seed, by layer."""
    least_charge: _NotNegative = 0.0
    """Charge from which cells are used; by default all."""
    least_pt: _NotNegative = 0.5
    """GeV, by the weights of `trigger.cells`."""
    cells_per_bin: Annotated[int, Field(ge=1, strict=True)] | None = 80
    """Cells of each bin that are used, largest first."""
    shape_charge: _NotNegative = 1.0
    """Charge above which cells count in the shape of a cluster."""
    shape_radius: _NotNegative = 0.015

    @model_validator(mode="after")
    def _has_a_range(self) -> Self:
        low, high = self.rz_range
        if low >= high:
            raise ValueError(f"rz_range: {low:g} to {high:g}; expected the smallest and the largest r/z")
        return self

    @model_validator(mode="after")
    def _has_all_rows(self) -> Self:
        if len(self.phi_windows) != self.n_rz or any(n % 2 == 0 or n < 1 for n in self.phi_windows):
            raise ValueError(f"phi_windows: expected {self.n_rz} odd numbers, one for each row of r/z")
        if max(self.phi_windows) > self.n_phi:
            raise ValueError(f"phi_windows: {max(self.phi_windows)}; expected at most the {self.n_phi} bins of n_phi")
        if len(self.radii) != N_LAYERS:
            raise ValueError(f"radii: expected {N_LAYERS} numbers, one for each layer")
        return self


class System(_Strict):
    """A system: allocation of links, rules of which the first that fits a module is taken, and settings of clusters."""

    name: Annotated[str, Field(min_length=1)]
    links: Links = Links()
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]
    clusters: ClusterSettings = ClusterSettings()
    layer_weights: LayerWeights = "fitted"
    """Weights of layers in the calibration of clusters; jets are of clusters with those of the absorber."""
    _where: str = PrivateAttr("the system")

    @classmethod
    def load(cls, path: str | Path) -> System:
        """Read a YAML file, or a system of this project by its name; raises InputError naming file, line and key."""
        path = Path(path)
        if not path.exists() and path.parent == Path() and not path.suffix:
            path = named_file(SYSTEMS, path.name, "system")
        content, lines = read_yaml(path)
        try:
            system = cls.model_validate(content)
        except ValidationError as error:
            raise InputError(_explained(error, path, lines)) from None
        system._where = str(path)
        return system

    def with_links(self, allocation: str | None, add: int) -> System:
        """A copy with another allocation (None keeps it) and `add` links more; its name says how many."""
        both = max(-MAX_ELINKS, min(self.links.add + add, MAX_ELINKS))  # what is beyond makes no difference
        links = Links(allocation=allocation or self.links.allocation, add=both)
        name = f"{self.name}, {abs(add)} {'more' if add > 0 else 'fewer'}" if add else self.name
        changed = self.model_copy(update={"links": links, "name": name})
        changed._where = self._where
        return changed

    @property
    def where(self) -> str:
        """File of the system, for messages."""
        return self._where

    def digest(self) -> str:
        """Digest of all settings."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    def rules_of_modules(self, n_links: Int64Array) -> Int64Array:
        """Index of the rule of each row of `geometry.modules`, (n,); raises InputError if none fits a module."""
        here = modules()
        found = np.full(len(here.layer), -1, dtype=np.int64)
        for index, rule in enumerate(self.rules):
            fits = found < 0
            if rule.links is not None:
                fits &= np.isin(n_links, rule.links)
            if rule.layers is not None:
                fits &= (here.layer >= rule.layers[0]) & (here.layer <= rule.layers[1])
            if rule.high_density is not None:
                fits &= here.high_density == rule.high_density
            found[fits] = index
        if (found < 0).any():
            row = int(np.argmax(found < 0))
            raise InputError(f"{self._where}: rules: none fits modules with {n_links[row]} links in layer "
                             f"{here.layer[row]}")
        return found



def _explained(error: ValidationError, path: Path, lines: Mapping[tuple[str | int, ...], int]) -> str:
    """`models.validation.explain`, which does not look into lists, with the names of the keys of a rule."""
    first = min(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    location = first["loc"]
    if location[:1] != ("rules",) or first["type"] != "extra_forbidden":
        return explain(error, System, path, lines)
    line = lines.get(tuple(location), 1)
    return f"{path}:{line}: unknown key '{location[-1]}'{nearest(str(location[-1]), Rule.model_fields)}"
