"""What all algorithms have in common: one frame per bunch crossing, on its way to the output buffer, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from emulator.fields import ABSENT, MAX_WORDS, SHORT_COUNTER, Field
from models.arrays import IntArray
from models.chip import ORBIT
from models.notebook import array_rows, html_table

Words = npt.NDArray[np.uint16]

Ends = tuple[int, ...]
"""Where the frame before a stream may have ended, in words behind the beginning of the stream."""

EMPTY: Ends = (0,)
"""Nothing waits at the beginning of a stream."""


def bx_counter(bx: IntArray) -> npt.NDArray[np.int64]:
    """The 5-bit counter in a frame: 31 at the first bunch crossing of an orbit, else its number modulo 16."""
    in_orbit = np.asarray(bx).astype(np.int64) % ORBIT
    return np.where(in_orbit == 0, 31, in_orbit % 16)


def counter_code(field: Field, counter: IntArray) -> npt.NDArray[np.int64]:
    """The 5-bit counter as it stands in a frame; BC and STC have 4 bits for it and leave out bit 3."""
    full: npt.NDArray[np.int64] = np.asarray(counter).astype(np.int64)
    return full >> 1 & 8 | full & 7 if field == SHORT_COUNTER else full


@dataclass(frozen=True)
class Packets:
    """One frame per bunch crossing as the buffer takes it.

    words (n, 26), of which the first `n_words` (n,) count; `truncated` (n,) replaces a frame that does not fit, `fill`
    (n,) follows the last word that there is to send.
    """

    words: Words
    n_words: npt.NDArray[np.int64]
    truncated: Words
    fill: Words

    @classmethod
    def fixed(cls, words: Words, n_words: int) -> Packets:
        """Frames of one length, which never wait; the rest of a BX is zero."""
        zero = np.zeros(len(words), dtype=np.uint16)
        return cls(words, np.full(len(words), min(n_words, MAX_WORDS), dtype=np.int64), zero, zero)


@dataclass(frozen=True)
class Decoded:
    """What the off-detector side reads in the frames of n bunch crossings.

    columns: field name -> (n,) or (n, count) integers. module_sum: (n,) in CALQ. calq: (n, 48) charges in CALQ in the
    order after the mux, or None for AE, whose latents need a trained decoder. `fields.ABSENT` (-1) stands where a frame
    does not carry a number or could not be read; the charge of a cell that was not sent is 0. n_lost: the frames that
    could not be read because the output buffer lost words, of them or of those just before.

    Examples:
        >>> import numpy as np
        >>> from emulator import EconT, decode
        >>> from models import load_weights
        >>> from models.register_weights import for_encoder
        >>> chip = EconT(for_encoder(load_weights("econ_t_5elink")))
        >>> decoded = decode(chip.registers, chip.run_calq(np.full((4, 48), 100)).etx)
        >>> decoded
        <Decoded 4 frames: bx_counter, module_sum, latent, output, module_sum_calq>
        >>> decoded.columns["latent"].shape, decoded.module_sum.tolist()  # 4800 in the frame's floating code
        ((4, 16), [4736, 4736, 4736, 4736])
    """

    columns: dict[str, npt.NDArray[np.int64]]
    module_sum: npt.NDArray[np.int64]
    calq: npt.NDArray[np.int64] | None
    n_lost: int = 0

    def __len__(self) -> int:
        return len(self.module_sum)

    def __repr__(self) -> str:
        return f"<Decoded {len(self)} frames: {', '.join(self._table())}>"

    def _repr_html_(self) -> str:
        n_absent = [int((array == ABSENT).sum()) for array in self._table().values()]
        rows = [(*row, n) for row, n in zip(array_rows(self._table().items()), n_absent, strict=True)]
        return html_table(f"{len(self)} decoded frames", ("column", "shape", "lowest", "highest", "absent"), rows)

    @classmethod
    def concatenate(cls, parts: Sequence[Decoded]) -> Decoded:
        """Join what was read from consecutive parts of one stream."""
        columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns}
        module_sum = np.concatenate([part.module_sum for part in parts])
        charges = [part.calq for part in parts if part.calq is not None]
        n_lost = sum(part.n_lost for part in parts)
        return cls(columns, module_sum, np.concatenate(charges) if charges else None, n_lost)

    def _table(self) -> dict[str, npt.NDArray[np.int64]]:
        charges = {} if self.calq is None else {"calq": self.calq}
        return {**self.columns, "module_sum_calq": self.module_sum, **charges}

    def column_names(self) -> list[str]:
        """Names of `rows`: a column with several elements gives one name for each."""
        return [name if array.ndim == 1 else f"{name}_{i}" for name, array in self._table().items()
                for i in range(1 if array.ndim == 1 else array.shape[1])]

    def rows(self) -> Iterator[list[str]]:
        """The numbers of each frame as text, empty where it carries none."""
        columns = [array[:, None] if array.ndim == 1 else array for array in self._table().values()]
        table = np.concatenate(columns, axis=1)
        for row in table.tolist():
            yield ["" if number == ABSENT else str(number) for number in row]

    def first(self, n: int) -> Decoded:
        """The first `n` bunch crossings; what the buffer lost is not counted in them."""
        columns = {name: array[:n] for name, array in self.columns.items()}
        return Decoded(columns, self.module_sum[:n], None if self.calq is None else self.calq[:n])

    def absent(self, n: int) -> Decoded:
        """`n` bunch crossings with the columns of this one of which nothing is known."""
        columns = {name: np.full((n, *array.shape[1:]), ABSENT) for name, array in self.columns.items()}
        calq = None if self.calq is None else np.full((n, self.calq.shape[1]), ABSENT)
        return Decoded(columns, np.full(n, ABSENT), calq)


class AlgorithmBlock(Protocol):
    """One of the five algorithms with its settings."""

    counter_field: ClassVar[Field]

    def run(self, calq: IntArray) -> Mapping[str, npt.NDArray[Any]]:
        """The named results for charges (n, 48), CALQ in the order after the mux."""

    def packets(self, stages: Mapping[str, npt.NDArray[Any]], counter: IntArray) -> Packets:
        """Frames of these results; counter (n,) is the 5-bit BX counter."""

    def decode(self, words: Words, counter: IntArray, ends: Ends = EMPTY) -> tuple[Decoded, Ends]:
        """Read the words (n, 2 links) of n bunch crossings; counter (n,) is the 5-bit BX counter that each should have.

        The frame of the first one starts at one of `ends`. Returns what is whole in the stream, which may be fewer
        bunch crossings, and the `ends` before the first one that is not. Raises InputError if the first frame cannot be
        one.
        """


def with_room(words: Words) -> Words:
    """Words (n, fewer than 26) filled up with zeros, so that any layout can be read in them."""
    return np.pad(words, ((0, 0), (0, MAX_WORDS - words.shape[1])))
