"""The majority vote of triple redundancy (TMR)."""

from __future__ import annotations

from amaranth.hdl import Module, unsigned
from amaranth.lib.wiring import In, Out
from typing_extensions import override

from rtl.design.block import Block


class Voter(Block):
    """The bitwise majority of three values."""

    def __init__(self, width: int) -> None:
        bits = unsigned(width)
        super().__init__(f"voter_{width}", {"a": In(bits), "b": In(bits), "c": In(bits), "voted": Out(bits)})

    @override
    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.voted.eq((self.a & self.b) | (self.c & (self.a | self.b)))
        return m
