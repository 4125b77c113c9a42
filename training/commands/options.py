"""Options shared by several commands of the training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunFolder = Annotated[Path, typer.Option("--run", help="Folder of a training run, or the name of a "
                                                        "shipped set.")]
RunConfig = Annotated[Path | None, typer.Option("--config", help="Configuration; default: that of the run.")]
TrainingFiles = Annotated[list[str] | None, typer.Option("--data", help="CALQ file or folder; may be repeated.")]
Epochs = Annotated[int, typer.Option("--epochs", min=1, help="Number of epochs of each training.")]
StudyFolder = Annotated[Path | None, typer.Option("--output", help="Folder of the study; default: runs/NAME/COMMAND.")]
RowsPerFile = Annotated[int | None, typer.Option("--nrows-per-file", min=1,
                                                 help="Number of rows to read of each file; default: all.")]
ModulesToGenerate = Annotated[int | None, typer.Option("--n-modules", min=10,
                                                       help="Number of modules to generate if no file is given.")]
HeldOut = Annotated[bool, typer.Option("--held-out", help="Only the rows that every training on this file with the "
                                                         "default split holds out.")]
EmdProcesses = Annotated[int | None, typer.Option("--n-processes", min=1,
                                                  help="Number of processes for the EMD; default: automatic.")]
