"""A slow and plain model of the chip: one bunch crossing at a time, Python integers, frames as bit strings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

BEST_CHOICE_CELLS = {1: 1, 2: 4, 3: 6, 4: 9, 5: 14, 6: 18, 7: 23, 8: 28, 9: 32, 10: 37, 11: 41, 12: 46, 13: 48}
STC_GROUPS = {0: [2, 5, 8, 11, 12], 1: [2, 3], 2: [4, 8, 12], 3: [3, 6, 10, 12]}


def encode(value: int, exponent_bits: int, mantissa_bits: int) -> int:
    """Floating code of an unsigned integer, from its binary digits."""
    if value < 1 << mantissa_bits:
        return value
    digits = f"{value:b}"
    exponent = len(digits) - mantissa_bits
    if exponent >= 1 << exponent_bits:
        return (1 << (exponent_bits + mantissa_bits)) - 1
    return exponent << mantissa_bits | int(digits[1 : 1 + mantissa_bits], 2)


def values_of(code: int, mantissa_bits: int, dropped_bits: int) -> tuple[int, int]:
    """The first value that has this code after `dropped_bits` were dropped, and how many values have it."""
    exponent, mantissa = divmod(code, 1 << mantissa_bits)
    step = 1 << (max(exponent - 1, 0) + dropped_bits)
    return (mantissa if exponent == 0 else mantissa + (1 << mantissa_bits)) * step, step


def bits(value: int, width: int) -> str:
    assert 0 <= value < 1 << width
    return f"{value:0{width}b}"


def batcher_sort(charges: Sequence[int]) -> list[tuple[int, int]]:
    """(charge, cell) after Batcher's odd-even merge sort by compare-exchange, in falling order."""
    items = [(charge, cell) for cell, charge in enumerate(charges)]
    n, p = len(items), 1
    while 2 * p < n:
        p *= 2
    top = p
    while p > 0:
        q, r, d = top, 0, p
        while True:
            for i in range(n - d):
                if i & p == r and items[i][0] < items[i + d][0]:
                    items[i], items[i + d] = items[i + d], items[i]
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2
    return items


@dataclass
class Settings:
    """What the data path needs, by the names of the registers."""

    algorithm: str
    n_elinks: int
    drop_lsb: int = 3
    use_sum: bool = False
    stc_type: int = 0
    thresholds: list[int] = field(default_factory=lambda: [0] * 48)
    sync_word: int = 0x122
    t1: int = 338
    t2: int = 314
    t3: int = 25
    mask: int = (1 << 144) - 1
    production: bool = False


def front_end(
    words: Sequence[int], mux: Sequence[int], cal: Sequence[int], high_density: bool, production: bool = False
) -> list[int]:
    """48 CALQ of the 12 input words of one bunch crossing."""
    codes = [int(f"{word:032b}"[::-1][7 * j : 7 * j + 7][::-1], 2) for word in words
             for j in ((3, 2, 1, 0) if production else range(4))]
    charges = []
    for k in range(48):
        first, n_values = values_of(codes[mux[k]], 3, 3 if high_density else 1)
        charges.append((first + n_values // 2) * cal[k] // 2048)
    return charges


def frame(s: Settings, calq: Sequence[int], counter: int, latents: Sequence[int], ae_sum: int) -> str:
    """The bits of one frame, without padding; empty where the chip has nothing to say."""
    drop = s.drop_lsb if s.drop_lsb <= 4 else 0
    head5, head4 = bits(counter, 5), bits(counter, 5)[0] + bits(counter, 5)[2:]
    codes = [encode(charge >> drop, 4, 3) for charge in calq]
    if s.algorithm == "RPT":
        return head5 + "".join(bits(code, 7) for code in codes)
    if s.algorithm == "TS":
        sent = [k for k in range(48) if calq[k] >= s.thresholds[k]]
        total = sum(calq) if s.use_sum else sum(calq[k] for k in range(48) if k not in sent)
        kind = "000" if not sent else "010" if len(sent) < 8 else "100"
        count = bits(len(sent), 3) if 0 < len(sent) < 8 else ""
        return head5 + kind + bits(encode(total, 5, 3), 8) + count + cells(s, sent, codes)
    if s.algorithm == "BC":
        order = batcher_sort([min(charge >> drop, (1 << 18) - 1) for charge in calq])
        n = BEST_CHOICE_CELLS[s.n_elinks]
        total = sum(charge for charge, _ in (order if s.use_sum else order[n:]))
        sent = sorted(cell for _, cell in order[:n])
        return head4 + bits(encode(total, 5, 3), 8) + cells(s, sent, codes)
    if s.algorithm == "STC":
        return stc_frame(s, calq, head4, drop)
    kept = [bit for bit in range(143, -1, -1) if s.mask >> bit & 1]
    room = min(18 + 32 * (s.n_elinks - 1), 146)
    sent_bits = "".join(str(latents[bit // 9] >> bit % 9 & 1) for bit in kept)[-room:]
    return head5 + bits(encode(ae_sum, 5, 4), 9) + sent_bits.rjust(room, "0")


def cells(s: Settings, sent: Sequence[int], codes: Sequence[int]) -> str:
    if not sent:
        return ""
    where = ("".join(bits(k, 6) for k in sent) if len(sent) < 8
             else "".join("1" if k in sent else "0" for k in (range(47, -1, -1) if s.production else range(48))))
    return where + "".join(bits(codes[k], 7) for k in sent)


def stc_frame(s: Settings, calq: Sequence[int], head: str, drop: int) -> str:
    table = STC_GROUPS[s.stc_type]
    if s.n_elinks > len(table):
        return ""
    size = 16 if s.stc_type == 1 else 4
    address_bits = {0: 2, 1: 4, 2: 0, 3: 2}[s.stc_type]
    addresses, sums = "", ""
    for g in range(table[s.n_elinks - 1]):
        group = list(calq[g * size : (g + 1) * size])
        largest = max(i for i in range(size) if group[i] == max(group))
        addresses += bits(largest, address_bits) if address_bits else ""
        sums += bits(encode(sum(group), 5, 4), 9) if s.stc_type < 2 else bits(encode(sum(group) >> drop, 4, 3), 7)
    return head + addresses + sums


def run(s: Settings, calqs: Sequence[Sequence[int]], latents: Sequence[Sequence[int]], ae_sums: Sequence[int],
        first_bx: int = 0) -> Iterator[list[int]]:
    """The 13 link words of each bunch crossing."""
    buffer, n_waiting = [0] * 400, 0
    per_bx = 2 * s.n_elinks
    for i, calq in enumerate(calqs):
        bx = (first_bx + i) % 3564
        counter = 31 if bx == 0 else bx % 16
        content = frame(s, calq, counter, latents[i], ae_sums[i])
        if s.algorithm == "TS":
            content = content.ljust(-(-len(content) // 16) * 16, "0")
            words = [int(content[k : k + 16], 2) for k in range(0, len(content), 16)]
            full_sum = encode(sum(calq), 5, 3)
            if n_waiting + len(words) > s.t1:
                words = [counter << 11 | 0b110 << 8 | full_sum]
            elif n_waiting > s.t2 and len(words) <= s.t3:
                words = [counter << 11 | 0b111 << 8 | full_sum]
            fill = counter << 11 | s.sync_word % 2048
        else:  # as long as the links, so it never waits
            content = content.ljust(16 * per_bx, "0")[: 16 * per_bx]
            words, fill = [int(content[k : k + 16], 2) for k in range(0, len(content), 16)], 0
        for k, word in enumerate(words):
            if n_waiting + k < 400:
                buffer[n_waiting + k] = word
        n_waiting += len(words)
        out = [buffer[k] if k < n_waiting else fill for k in range(per_bx)]
        buffer = buffer[per_bx:] + buffer[-per_bx:]  # the end keeps what it held
        n_waiting = max(n_waiting - per_bx, 0)
        yield [out[2 * k] << 16 | out[2 * k + 1] if k < s.n_elinks else 0 for k in range(13)]
