"""The integer weights of an encoder: where floats end.

An `EncoderWeights` holds codes, not floats, and belongs to one `EncoderSpec`: its file carries the spec's digest, and
reading it for another spec is an error.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.arrays import IntArray
from models.chip import AE_MAX_ELINKS
from models.errors import InputError, parsing
from models.notebook import array_rows, html_table
from models.npz import read_npz, write_npz
from models.spec import EncoderSpec
from models.wording import counted

WEIGHTS_FILE = "weights.npz"
NETWORK_FILE = "network.npz"
"""In the folder of a run, the encoder: the chip's, or a network of another shape or without formats."""
WEIGHT_ARRAYS = ("conv_kernel", "conv_bias", "dense_kernel", "dense_bias")

log = logging.getLogger(__name__)



@dataclass(frozen=True)
class EncoderWeights:
    """Integer codes of the four arrays of an encoder, shapes as `spec.weight_shapes`.

    Examples:
        >>> from models import EncoderSpec, EncoderWeights
        >>> weights = EncoderWeights.random(EncoderSpec.chip(5), seed=1)
        >>> weights.save("weights.npz")
        >>> weights.conv_kernel.shape, EncoderWeights.load("weights.npz").digest() == weights.digest()
        ((3, 3, 1, 8), True)
    """

    spec: EncoderSpec
    conv_kernel: IntArray
    conv_bias: IntArray
    dense_kernel: IntArray
    dense_bias: IntArray

    def __post_init__(self) -> None:
        for name, shape in self.spec.weight_shapes.items():
            code = np.asarray(getattr(self, name))
            form = self.spec.weight_formats[name]
            form.check_codes(name, code, shape)
            frozen = code.astype(np.int8 if form.width <= np.iinfo(np.int8).bits else np.int16)
            frozen.flags.writeable = False
            object.__setattr__(self, name, frozen)

    def __repr__(self) -> str:
        codes = self.flat
        return (f"<EncoderWeights for {counted(self.spec.n_elinks, 'link')}: {codes.size} codes, "
                f"{codes.size - np.count_nonzero(codes)} of them zero, digest {self.digest()}>")

    def _repr_html_(self) -> str:
        rows = [(*row, self.spec.weight_formats[name], array.size - np.count_nonzero(array))
                for row, (name, array) in zip(array_rows(self.arrays.items()), self.arrays.items(), strict=True)]
        return html_table(f"Weights for {counted(self.spec.n_elinks, 'link')}, digest {self.digest()}",
                          ("array", "shape", "lowest", "highest", "format", "zeros"), rows)

    @property
    def arrays(self) -> dict[str, IntArray]:
        """The four code arrays by name, in register order."""
        return {name: getattr(self, name) for name in self.spec.weight_shapes}

    @property
    def flat(self) -> npt.NDArray[np.int64]:
        """All codes in register order: conv kernel (row, column, filter), its bias, dense (output, input), its bias."""
        return np.concatenate([
            self.conv_kernel.ravel(), self.conv_bias, self.dense_kernel.T.ravel(), self.dense_bias
        ]).astype(np.int64)

    def digest(self) -> str:
        """16 hex digits that every result of these weights carries: of the spec and of all codes."""
        return hashlib.sha256(self.spec.digest().encode() + self.flat.astype("<i8").tobytes()).hexdigest()[:16]

    @classmethod
    def from_flat(cls, spec: EncoderSpec, codes: npt.NDArray[np.integer]) -> EncoderWeights:
        """The inverse of `flat`; `codes` is 1-d."""
        shapes = spec.weight_shapes
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
        if np.shape(codes) != (int(ends[-1]),):
            raise InputError(f"{np.shape(codes)} weight codes, expected ({ends[-1]},)")
        kernel, bias, dense, dense_bias = np.split(np.asarray(codes), ends[:-1])
        return cls(spec, kernel.reshape(shapes["conv_kernel"]), bias,
                   dense.reshape(shapes["dense_kernel"][::-1]).T, dense_bias)

    @classmethod
    def from_values(
        cls, spec: EncoderSpec, values: Mapping[str, npt.ArrayLike], origin: str = "model"
    ) -> EncoderWeights:
        """IntArray of float weights that are exact multiples of their LSB; else InputError naming array and index."""
        try:
            arrays = {name: form.exact(values[name], name) for name, form in spec.weight_formats.items()}
        except ValueError as error:
            raise InputError(f"{origin}: {error}") from None
        return cls(spec, **arrays)

    @classmethod
    def constant(cls, spec: EncoderSpec, code: int) -> EncoderWeights:
        """Every weight and bias the same code."""
        return cls(spec, **{name: np.full(shape, code) for name, shape in spec.weight_shapes.items()})

    @classmethod
    def random(cls, spec: EncoderSpec, seed: int, density: float = 1.0) -> EncoderWeights:
        """IntArray drawn evenly over each format; with `density` < 1 the others are zero."""
        rng = np.random.default_rng(seed)
        arrays = {}
        for name, shape in spec.weight_shapes.items():
            form = spec.weight_formats[name]
            codes = rng.integers(form.min_code, form.max_code + 1, shape)
            arrays[name] = np.where(rng.random(shape) < density, codes, 0)
        return cls(spec, **arrays)

    def values(self) -> dict[str, npt.NDArray[np.float64]]:
        """The real numbers of the codes, by array name."""
        return {name: self.spec.weight_formats[name].value(code) for name, code in self.arrays.items()}

    def save(self, path: str | Path) -> None:
        """Write `weights.npz`: the four code arrays, the spec and its digest."""
        write_npz(path, spec=self.spec.model_dump_json(), digest=self.spec.digest(), **self.arrays)

    @classmethod
    def load(cls, path: str | Path, spec: EncoderSpec | None = None) -> EncoderWeights:
        """Read `weights.npz`, whose spec it holds; raises InputError if another one is expected.

        A file that does not hold its spec, from an older version or made by hand, needs `spec`, unless its digest is
        that of the chip's encoder. Without a digest, shapes and ranges alone are checked.
        """
        path = Path(path)
        if path.name == NETWORK_FILE or (not path.exists() and (path.parent / NETWORK_FILE).exists()):
            raise InputError(f"{path.parent / NETWORK_FILE} is not an encoder of the chip and cannot be loaded into "
                             f"it; expected the {WEIGHTS_FILE} of a network that 'econ-t networks' marks as on chip")
        content = read_npz(path, set(WEIGHT_ARRAYS), {"digest", "formats", "spec"})
        content.pop("formats", None)
        own = _own_spec(path, content.pop("spec", None), content.pop("digest", None), spec)
        if spec is not None:
            spec.check_same(own, f"{path}: weights are")
        try:
            return cls(own, **content)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None


def _own_spec(path: Path, stored: Any, digest: Any, expected: EncoderSpec | None) -> EncoderSpec:
    """The spec that a file says it is of; `expected`, or the chip's, for one that does not say it."""
    if stored is not None:
        with parsing(path, "a spec"):
            own = EncoderSpec.model_validate_json(str(stored))
        if digest is not None and str(digest) != own.digest():
            raise InputError(f"{path}: digest {digest}, expected {own.digest()} of the spec in the same file")
        return own
    if digest is None:
        if expected is None:
            log.warning("%s does not say what it is for: read as the chip's encoder on 5 links", path)
        return expected or EncoderSpec.chip(AE_MAX_ELINKS)
    if expected:
        expected.check_same(str(digest), f"{path}: weights are")
        return expected
    found = EncoderSpec.of_digest(str(digest))
    if found is None:
        raise InputError(f"{path}: weights are for spec {digest}, which the file does not hold; "
                         "--config names their configuration")
    return found
