"""Commands that make each part of a report, with the files of the run: a reader pastes what is missing."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from training.results.report import Commands

if TYPE_CHECKING:
    from training.fit.run import Run


def commands(run: Run) -> Commands:
    """Commands for a run; of a shipped set, which has no modules of its own, they read CALQ.csv.

    What only the reader knows is in capitals: VECTORS, folders of published vectors; SYSTEM.yaml, a trigger system
    with these weights (docs/trigger.md).
    """
    named = run.folder.name if run.is_shipped else _quoted(run.folder)
    weights = named if run.is_shipped else _quoted(run.weights_file)
    modules = "CALQ.csv" if run.is_shipped else _quoted(run.test_file)
    config = run.config.name if run.is_shipped or not run.config_file.exists() else _quoted(run.config_file)
    # Those that configs/systems/ae.yaml names.
    in_system_ae = run.is_shipped and run.folder.name == f"econ_t_{run.config.encoder.n_elinks}elink"
    check = f"econ-t check --weights {weights} --input {modules}"

    def to(path: Path) -> str:
        return f"--json {_quoted(path)}"

    return Commands(
        bit_exactness=f"{check} --backend vitis --backend catapult {to(run.bit_comparison_file)}",
        rtl=f"{check} --backend rtl {to(run.rtl_comparison_file)}",
        vectors=f"econ-t chip verify VECTORS {to(run.vectors_file)}",
        metrics=f"econ-t evaluate --weights {weights} --input {modules} {to(run.metrics_file)}",
        physics=f"econ-t compare --run {named} --input {modules} {to(run.comparison_file)}",
        trigger=f"econ-t trigger run --system bc --system {'ae' if in_system_ae else 'SYSTEM.yaml'} "
                f"{to(run.trigger_file)}",
        size=f"econ-t size --run {named} {to(run.size_file)}",
        gates=f"econ-t rtl synth --config {config} --technology gates {to(run.rtl_file('gates'))}",
        look_up_tables=f"econ-t rtl synth --config {config} --technology xc7 {to(run.rtl_file('xc7'))}",
        placed=f"econ-t rtl place --config {config} --fold 16 --build {_quoted(run.results_folder / 'placed')} "
               f"{to(run.results_folder / 'placed_fold16.json')}",
        constant=f"econ-t rtl constant --weights {weights} --output {_quoted(run.constant_file.parent)}",
        pareto=f"econ-t pareto --config {config} --output {_quoted(run.pareto_folder)}")


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
