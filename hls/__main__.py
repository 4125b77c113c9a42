"""The encoder as C++: conversion, simulation, synthesis, resources."""

from __future__ import annotations

from models.command_line import lazy_app

COMMANDS = {
    "convert": ("hls.commands.convert:convert", "Write the C++ project of an encoder."),
    "convert-decoder": ("hls.commands.convert_decoder:convert_decoder", "Write the C++ project of a compact decoder."),
    "csim": ("hls.commands.csim:csim", "Run charges through the compiled C++."),
    "synth": ("hls.commands.synth:synth", "Run the vendor tools on a project."),
    "report": ("hls.commands.report:report", "Show resources and latency, and the tool behind each value."),
}
app = lazy_app(__doc__, COMMANDS)

if __name__ == "__main__":
    app()
