"""Run folder: what was trained and how, and the results of other commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from models import shipped
from models.arrays import IntArray
from models.calq_io import CalqTable, column_order, read_calq
from models.config import CONFIG_FILE, Config
from models.errors import InputError, nearest
from models.files import made_folder
from models.npz import read_npz
from models.weights import NETWORK_FILE, WEIGHTS_FILE, EncoderWeights
from models.wording import counted
from training.networks.decoding import load_decoder
from training.physics.emd import Progress
from training.results.card import Card
from training.results.evaluation import Evaluation
from training.results.run import History, RunSummary

SHIPPED_RESULTS = Path("runs") / "shipped"
"""A folder for each shipped set, for what commands make of it: the package itself stays as it is."""
PARETO_FILE = "pareto.json"
"""Name of the result in the folder of a scan; by default, that is a folder of the run."""
_LOCK = ".lock"


class Run:
    """A run folder, or a shipped set; only this class knows the names of its files. Each is read once, on first use.

    `Run("runs/mine")` has `weights`, `test`, `evaluate()`; `Run("econ_t_5elink")` is the shipped set, unless there is a
    folder of this name.

    Examples:
        >>> from training import Run
        >>> run = Run("econ_t_5elink")
        >>> run.config.encoder.latent_bits, run.weights.dense_kernel.shape
        (9, (128, 16))
    """

    def __init__(self, folder: str | Path, config: Config | None = None, *, new: bool = False) -> None:
        """Name a folder, which may be missing: nothing is read. `config` replaces the one in the folder.

        `new`: a folder to train in, never a shipped set.
        """
        if config:
            self.config = config
        self.folder = folder = Path(folder) if new else shipped.find(folder)
        self.is_shipped = shipped.is_shipped(folder)
        # Written by the training.
        self.config_file = folder / CONFIG_FILE
        self.weights_file = folder / WEIGHTS_FILE
        self.network_file = folder / NETWORK_FILE
        self.decoder_file = folder / "decoder.npz"
        self.history_file = folder / "history.json"
        self.test_file = folder / "test.csv"
        self.trained_rows_file = folder / "trained_rows.npz"
        self.start_file = folder / "start.json"
        self.summary_file = folder / "fingerprint.json"
        self.checkpoint_file = folder / "checkpoint.npz"
        self.stages_folder = folder / "stages"
        self.older_files = (folder / "decoder.keras", folder / "encoder.keras")
        self.card_file = folder / shipped.CARD_FILE
        # Written by other commands.
        if self.is_shipped:
            folder = SHIPPED_RESULTS / folder.name
        self.results_folder = folder
        self.metrics_file = folder / "metrics.json"
        self.size_file = folder / "size.json"
        self.bit_comparison_file = folder / "compare.json"
        self.rtl_comparison_file = folder / "compare_rtl.json"
        self.vectors_file = folder / "vectors.json"
        self.comparison_file = folder / "physics.json"
        self.trigger_file = folder / "trigger.json"
        self.report_file = folder / "report.html"
        self.upsets_file = folder / "seu.json"
        self.upsets_folder = folder / "seu"
        self.modules_folder = folder / "csv"
        self.graphs_folder = folder / "graphs"
        self.software_folder = folder / "cmssw"
        self.pareto_folder = folder / "pareto"
        self.pareto_file = self.pareto_folder / PARETO_FILE
        self.hybrid_folder = folder / "hybrid"
        self.search_folder = folder / "search"
        self.brief_folder = folder / "compact"
        self.distillation_file = folder / "distillation.json"
        self.constant_file = folder / "constant" / "constant.json"
        self.constant_weights_file = folder / "constant" / WEIGHTS_FILE

    @classmethod
    def of(cls, config: Config) -> Run:
        """Default run of a configuration: `runs/NAME`."""
        return cls(Path("runs") / config.name)

    @cached_property
    def config(self) -> Config:
        """Configuration of the training, with all options of the command line.

        Raises InputError if there is no such folder.
        """
        if not self.folder.exists():
            known = shipped.names()
            raise InputError(f"{self.folder}: no such folder and no shipped set of this name; expected the folder of a "
                             f"run or one of {', '.join(known) or 'none'}{nearest(self.folder.name, known)}")
        return Config.load(self.config_file)

    @cached_property
    def weights(self) -> EncoderWeights:
        """Trained encoder in integers; raises InputError for a network that is not the chip's."""
        return EncoderWeights.load(self.weights_file, self.config.encoder)

    @cached_property
    def network(self) -> Any:
        """`NetworkEncoder` of a run with `training.network`; raises InputError for the chip's encoder."""
        from training.networks.keras_encoder import load  # noqa: PLC0415  (starts TensorFlow)

        return load(self.network_file, self.config)

    @cached_property
    def decoder(self) -> Any:
        """Trained decoder, a tf_keras model; see `training.networks.decode`.

        Raises InputError if it refines with another encoder than that of the run.
        """
        weights = None if self.config.training.network else self.weights
        return load_decoder(self.decoder_file, self.config.encoder, weights)

    @cached_property
    def test(self) -> CalqTable:
        """Held-out modules; raises InputError for a shipped set."""
        return self.modules()

    def modules(self, files: Sequence[str] | None = None, order: str | None = None) -> CalqTable:
        """Modules of these files, or the held-out ones; raises InputError for those of a shipped set, which has none.

        `order` of the columns: default: that of the configuration.
        """
        if self.is_shipped and not files:
            raise InputError(f"{self.name} comes without modules; name a file with --input")
        return read_calq(files or self.test_file, column_order(order, self.config.data.order))

    @cached_property
    def trained_rows(self) -> npt.NDArray[np.uint64]:
        """Keys of the modules that it was trained and validated on (`row_keys`); none if the folder does not say."""
        if not self.trained_rows_file.exists():
            return np.zeros(0, dtype=np.uint64)
        rows = read_npz(self.trained_rows_file, {"rows"})["rows"]
        if rows.dtype != np.uint64:
            raise InputError(f"{self.trained_rows_file}: rows of type {rows.dtype}, expected uint64")
        return rows

    @cached_property
    def history(self) -> History:
        """Loss and EMD by epoch, and where the loss changed."""
        return History.load(self.history_file).marked(self.config.training)

    @cached_property
    def summary(self) -> RunSummary:
        """Digests of what the run was made from, and its best epoch; written last."""
        return RunSummary.load(self.summary_file)

    @cached_property
    def card(self) -> Card:
        """Card of a shipped set."""
        return Card.load(self.card_file)

    @property
    def name(self) -> str:
        """Name of the folder; that of a shipped set says so."""
        return self.folder.resolve().name + (" (shipped)" if self.is_shipped else "")

    @property
    def fingerprint(self) -> str:
        """Identity as the start of another training."""
        return f"{self.card.weights} {self.card.decoder}" if self.is_shipped else self.summary.fingerprint

    def stage(self, number: int) -> Run:
        """Run of an earlier stage of a chain, counted from 1; the last one is this run itself."""
        return Run(self.stages_folder / str(number))

    @property
    def chain(self) -> tuple[Run, int | None]:
        """The run of which this is an earlier stage, and the number of the stage; else this run itself, and None."""
        above = Run(self.folder.parent.parent, new=True)
        if self.folder.parent == above.stages_folder and self.folder.name.isdigit():
            return above, int(self.folder.name)
        return self, None

    def encoder_file(self, config: Config) -> Path:
        """Path of the encoder trained with a configuration, whether it exists or not."""
        return self.network_file if config.training.network else self.weights_file

    def is_finished(self, config: Config, fingerprint: str) -> bool:
        """Whether the folder holds a finished run with this fingerprint."""
        needed = (self.summary_file, self.encoder_file(config), self.decoder_file, self.history_file, self.config_file,
                  self.test_file)
        return all(path.exists() for path in needed) and self.summary.fingerprint == fingerprint

    def evaluate(
        self, calq: IntArray | None = None, n_processes: int | None = None, progress: Progress | None = None
    ) -> Evaluation:
        """Evaluate on charges (n, 48) in image order; default: on the held-out modules."""
        from training.physics.evaluation import evaluate_run  # noqa: PLC0415  (needs the emulator)

        extra = None
        if calq is None:
            calq, extra = self.test.calq, self.test.extra
        return evaluate_run(self.config, self.encoder_file(self.config), self.decoder_file, calq, n_processes, progress,
                            extra=extra)

    def report(self) -> Path:
        """Write `report.html` from everything in the folder, and return its path."""
        from training.report.page import write_report  # noqa: PLC0415  (needs Matplotlib)

        return write_report(self)

    def compact_file(self, macs: int) -> Path:
        """Path of the compact decoder of this many multiply-accumulates at most: `compact_3k.npz` of 3,000."""
        return self.folder / f"compact_{f'{macs // 1000}k' if macs % 1000 == 0 else macs}.npz"

    def compact_files(self) -> list[Path]:
        """All compact decoders: of `econ-t distill`, of the short training of `make`, and those shipped with a set."""
        return sorted(path for folder in {self.folder, self.results_folder, self.brief_folder}
                      for path in folder.glob("compact_*.npz"))

    def compact_checkpoint_file(self, macs: int) -> Path:
        """Path of the checkpoint of its training."""
        return self.compact_file(macs).with_suffix(".checkpoint.npz")

    def compact_constant_file(self, compact: Path) -> Path:
        """Path of the size of a compact decoder as constant logic, in the folder of its name; beside no shipped set."""
        folder = self.results_folder if compact.parent == self.folder else compact.parent
        return folder / compact.stem / "constant.json"

    def rtl_file(self, technology: str) -> Path:
        """Path of the gate count of the RTL in a technology."""
        return self.results_folder / f"rtl_{technology}.json"

    def rtl_files(self, technology: str) -> list[Path]:
        """All gate counts of the RTL in a technology, including those of folded and redundant designs."""
        return sorted(self.results_folder.glob(f"rtl_{technology}*.json"))

    def placed_files(self) -> list[Path]:
        """All results of place and route of the RTL."""
        return sorted(self.results_folder.glob("placed*.json"))

    def hls_projects(self) -> dict[str, Path]:
        """Existing folders of C++ projects, by backend."""
        return {path.name.removeprefix("hls_"): path for path in sorted(self.results_folder.glob("hls_*"))}

    def __repr__(self) -> str:
        if self.is_shipped:
            encoder = self.config.encoder
            return f"<Run {self.name}: {counted(encoder.n_elinks, 'link')}, {encoder.arithmetic} arithmetic>"
        if not self.summary_file.exists():
            return f"<Run {self.folder}: not trained>"
        try:
            config, summary = self.config, self.summary
        except (InputError, OSError) as error:
            return f"<Run {self.folder}: {error}>"
        return (f"<Run {self.folder}: {config.name}, {counted(config.encoder.n_elinks, 'link')}, "
                f"{counted(summary.epochs, 'epoch')}, validation EMD {summary.val_emd:.3f}>")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Create a folder if necessary and lock it; raises InputError at once if another process has locked it.

    The folder of a shipped set is refused.
    """
    shipped.check_not_shipped(folder)
    with ExitStack() as lock, made_folder(folder, besides=[_LOCK]):  # locked until it is removed
        try:
            lock.enter_context(FileLock(folder / _LOCK, blocking=False).acquire())
        except Timeout:
            raise InputError(f"{folder}: locked by another process; wait for it or choose another --output") from None
        yield
