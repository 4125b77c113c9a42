"""Results about captures: JSON of `econ-t chip decode --align` and `chip compare`."""

from __future__ import annotations

from models.result import Result


class CaptureGap(Result):
    """Bunch crossings missing before a row of a capture."""

    row: int
    """Counted from 0; the file has it in line row + 2."""
    bx: int
    """Number of that row."""
    missing: int
    exact: bool
    """False: known modulo 16 (BC and STC: 8) alone, and the fewest taken."""


class AlignedCapture(Result):
    """What a capture holds, and what of it was read."""

    capture: str
    chip: str
    """Revision, algorithm and links."""
    n_rows: int
    n_frames: int
    n_idle: int
    n_damaged: int
    n_repeated: int
    columns: tuple[int, ...]
    """Column of link 0, 1, .."""
    inverted: tuple[int, ...]
    """Columns with inverted bits."""
    first_bit: int
    """Bit of a word of the capture at which words of the chip begin, 0 if they are aligned."""
    n_orders: int
    """Orders of the links that fit equally well; 0 if none fits, 1 if it was given."""
    first_bx: int
    last_bx: int
    orbit_starts: tuple[int, ...]
    """Their rows; without any, numbers are known modulo 16 (BC and STC: 8) alone."""
    gaps: tuple[CaptureGap, ...]


class Guess(Result):
    """A cause that explains differences of two captures."""

    text: str
    n_exact: int | None
    """Of `n_rows` rows, those that are equal with it put right; None if that cannot be tried."""
    n_rows: int


class FieldDifferences(Result):
    """Frames in which a field differs."""

    n_frames: int
    places: dict[int, int]
    """Frames by place, of a field of several numbers such as charges by cell."""


class NumberPair(Result):
    """One word or field on both sides, as text."""

    name: str
    expected: str
    found: str


class FirstDifference(Result):
    """The first bunch crossing whose words differ, and the first frame that does."""

    bx: int
    words: tuple[NumberPair, ...]
    frame_bx: int | None
    fields: tuple[NumberPair, ...]


class CaptureComparison(Result):
    """Two captures of the same data, row by row."""

    expected: str
    recorded: str
    n_expected: int
    n_recorded: int
    n_compared: int
    n_equal: int
    first_place: int
    """Expected row of the first recorded one; rows count from 0."""
    gaps: tuple[CaptureGap, ...]
    links: tuple[int, ...]
    """Rows that differ, by link."""
    bits: tuple[tuple[int, ...], ...]
    """The same by link and bit, the highest bit first."""
    n_frames: int | None
    """Frames that differ; None without registers."""
    fields: dict[str, FieldDifferences]
    first: FirstDifference | None
    guesses: tuple[Guess, ...]

    @property
    def equal(self) -> bool:
        """Whether all rows that can be compared are equal and none is missing between them."""
        return 0 < self.n_compared == self.n_equal and not self.gaps
