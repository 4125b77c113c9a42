"""Commands about encoders that the chip does not have: `hybrid` codes, and `search` for others of its size."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from models.errors import one_line_errors

if TYPE_CHECKING:
    from models.config import Config

ConfigFile = Annotated[Path, typer.Option("--config", help="Configuration file (YAML).")]
Output = Annotated[Path | None, typer.Option("--output", help="Folder; default runs/NAME/COMMAND.")]
Epochs = Annotated[int, typer.Option("--epochs", min=1, help="Of each training.")]
Data = Annotated[list[str] | None, typer.Option("--data", help="CALQ file or folder; may be repeated.")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="Any other value of the configuration: "
                                                                  "section.key=value; may be repeated.")]


def hybrid(config: ConfigFile, output: Output = None, epochs: Epochs = 20, data: Data = None,
           set_: Settings = None) -> None:
    """Send the address of the largest cell in place of latents, at equal bits: train, and compare the exact EMD.

    Writes hybrid.json. Example: python -m training hybrid --config configs/econ_t_2elink.yaml
    """
    with one_line_errors():
        from training.commands.console import log_to_console, show_table

        log_to_console()
        chosen = _chosen(config, epochs, data, set_)
        from training.studies.hybrid import compare

        rows = compare(chosen, output or Path("runs") / chosen.name / "hybrid", logging.getLogger(__name__).info)
        shown = {"code": "code", "n_latents": "latents", "latent_bits": "of bits", "value_bits": "value bits",
                 "bits": "bits in all", "emd_mean": "EMD", "emd_mean_all": "of all"}
        show_table(f"{chosen.name}: codes of equal bits", _titled(rows, shown))


def _titled(rows: list[dict[str, Any]], shown: dict[str, str]) -> list[dict[str, Any]]:
    return [{title: row[name] for name, title in shown.items()} for row in rows]


def _chosen(config: Path, epochs: int, data: list[str] | None, settings: list[str] | None) -> Config:
    from models.config import Config

    chosen = Config.load(config).override(data={"files": data}, training={"epochs": epochs})
    return chosen.with_settings(settings or [])
