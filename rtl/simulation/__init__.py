"""Simulation by Verilator, stimuli, bit flips and switching activity."""
