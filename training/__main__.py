"""Data, training, physics performance, studies and the report of a run."""

from __future__ import annotations

from models.command_line import lazy_app

COMMANDS = {
    "train": ("training.commands.train:app", "Train encoder and decoder."),
    "evaluate": ("training.commands.evaluate:evaluate", "Physics performance (EMD) of weights."),
    "compare": ("training.commands.compare:compare", "Compare AE with TS, BC, STC and RPT on the same modules."),
    "trigger": ("training.commands.trigger:app", "Compare systems by what the trigger does with them."),
    "show": ("training.commands.show:show", "One module through the algorithms; the latents of many."),
    "report": ("training.commands.report:report", "Write the HTML page of a run."),
    "data": ("training.commands.data:app", "Generate, convert, split, skim, shuffle and double module charges."),
    "seu": ("training.commands.seu:seu", "Single-event upsets: flip every bit."),
    "pareto": ("training.commands.pareto:pareto", "Area vs. EMD over bit widths."),
    "limits": ("training.commands.limits:limits", "What limits the EMD: bits, latents, decoder or modules."),
    "hybrid": ("training.commands.hybrid:hybrid", "Replace latents by the address of the largest cell."),
    "search": ("training.commands.search:search", "Search for an encoder of the same size with a lower EMD."),
    "emd-loss": ("training.commands.emd_loss:app", "Train losses that approximate the exact EMD."),
    "networks": ("training.commands.networks:networks", "List the networks that train --models knows."),
    "weights": ("training.commands.weights:app", "Shipped sets: list, card, make."),
    "flops": ("training.commands.flops:flops", "Count the operations of one inference."),
    "size": ("training.commands.size:size", "How big, how fast: gates, look-up tables, latency; the decoders."),
    "distill": ("training.commands.distill:distill", "Train compact decoders in integers for an FPGA."),
    "audit": ("training.commands.audit:audit", "What an encoder from elsewhere sends, and what the chip makes of it."),
    "export": ("training.commands.export:export", "Write encoder and decoder as TensorFlow and ONNX files."),
}
app = lazy_app(__doc__, COMMANDS)

if __name__ == "__main__":
    app()
