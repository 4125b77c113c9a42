"""Shipping of a finished run: integer weights, decoders, configuration, and the card.

The decoder is in half precision; compact decoders of the run go with it as they are, in integers.
"""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path

from models import __version__, shipped
from models.arrays import IntArray
from models.calq_io import read_calq
from models.compact_decoder import CompactDecoder
from models.config import CONFIG_FILE, Config
from models.errors import InputError
from models.files import atomic_directory
from training.data.dataset import Dataset, charges_digest, held_out_rows
from training.fit.run import Run
from training.networks.decoder import known_encoder, save_decoder
from training.physics.emd import Progress
from training.physics.evaluation import evaluate_run
from training.results.card import Card, CompactCard, Sample, SampleName, Training
from training.results.distillation import Distillation

MAX_DECODER_BYTES = 6_000_000
_PACKAGES = ("tensorflow", "tf-keras", "numpy", "POT")  # what the last digits of a training depend on


def ship(run: Run, published: Path | None = None, sparse: Path | None = None, progress: Progress | None = None) -> Card:
    """Write the shipped set of a finished run under the name of its configuration, and return its card.

    `published`, `sparse`: measured modules, on which the set is evaluated; without them the card has the held-out rows
    of the training alone. Raises InputError if the training saw any file, if the decoder is too large, or if a compact
    decoder in the folder is of other weights, or not in its distillation.json.
    """
    config = run.config
    if config.training.network:
        raise InputError(f"{run.folder}: network {config.training.network}, expected an encoder of the chip's shape")
    trained_on = _trainings(run)
    samples: dict[SampleName, IntArray] = {}
    if published:
        modules = read_calq(published)
        samples |= {"held_out": held_out_rows(modules).calq, "published": modules.calq}
    if sparse:
        samples["sparse"] = read_calq(sparse).calq
    samples["generated"] = run.test.calq
    with atomic_directory(shipped.FOLDER / config.name) as folder:
        made = Run(folder, new=True)
        run.weights.save(made.weights_file)
        encoder = known_encoder(run.decoder)
        if encoder:
            encoder.set_codes(run.weights)  # before rounding, half precision could move it to another code
        save_decoder(run.decoder, config.training.decoder, made.decoder_file, half=True,
                     encoder=run.weights.digest())
        content = made.decoder_file.read_bytes()
        if len(content) > MAX_DECODER_BYTES:
            raise InputError(f"{run.decoder_file}: {len(content):,} bytes in half precision, expected at most "
                             f"{MAX_DECODER_BYTES:,}")
        config.save(folder / CONFIG_FILE)
        # With the files as shipped, so that whoever has them finds the same.
        def measured(decoder: Path) -> tuple[Sample, ...]:
            found = {name: evaluate_run(config, made.weights_file, decoder, calq, progress=progress)
                     for name, calq in samples.items()}
            return tuple(Sample(name=name, digest=charges_digest(samples[name]),
                                **metrics.model_dump(exclude={"config", "weights"})) for name, metrics in found.items())

        compact = []
        for path, decoder in _compact_decoders(run).items():
            decoder.save(folder / path.name)
            compact.append(_compact_card(run, path, decoder, measured(folder / path.name)))
        card = Card(
            name=config.name, n_elinks=config.encoder.n_elinks, latent_bits=config.encoder.latent_bits,
            arithmetic=config.encoder.arithmetic, spec=config.encoder.digest(), weights=run.weights.digest(),
            decoder=hashlib.sha256(content).hexdigest()[:16], decoder_bytes=len(content),
            decoder_parameters=made.decoder.count_params(), trained_on=trained_on,
            samples=measured(made.decoder_file), compact=tuple(compact),
            fingerprint=run.summary.fingerprint, command=f"econ-t weights make {config.name}",
            versions={"econ-t": __version__, "python": platform.python_version()}
            | {package: version(package) for package in _PACKAGES})
        card.save(made.card_file)
    return card


def is_up_to_date(run: Run, published: Path | None = None, sparse: Path | None = None) -> bool:
    """Whether the shipped set of this name is that of the run, with all samples that these files give."""
    folder = shipped.FOLDER / run.config.name
    wanted = {"generated"} | ({"held_out", "published"} if published else set()) | ({"sparse"} if sparse else set())
    if not (folder / shipped.CARD_FILE).exists():
        return False
    card = Run(folder).card
    compact = {path.stem: decoder.digest() for path, decoder in _compact_decoders(run).items()}
    return (card.weights, card.fingerprint) == (run.weights.digest(), run.summary.fingerprint) and wanted <= {
        sample.name for sample in card.samples} and compact == {one.name: one.digest for one in card.compact}


def _compact_decoders(run: Run) -> dict[Path, CompactDecoder]:
    """Finished compact decoders in the folder of a run, smallest first."""
    found = {path: CompactDecoder.load(path) for path in run.folder.glob("compact_*.npz") if CompactDecoder.is_in(path)}
    return dict(sorted(found.items(), key=lambda item: item[1].spec.macs))


def _compact_card(run: Run, path: Path, decoder: CompactDecoder, samples: tuple[Sample, ...]) -> CompactCard:
    known = Distillation.find(run.distillation_file)
    point = known.point(decoder.digest()) if known else None
    if point is None:
        raise InputError(f"{path}: not in {run.distillation_file}, expected a decoder that 'econ-t distill' finished")
    return CompactCard(name=path.stem, digest=decoder.digest(), macs=point.macs, weight_bits=point.weight_bits,
                       val_emd=point.val_emd, samples=samples)


def _trainings(run: Run) -> tuple[Training, ...]:
    """All trainings in a row that led to a run; raises InputError if one is not there or saw a file."""
    if run.is_shipped:
        return run.card.trained_on
    whole, last = run.chain
    stages = whole.config.stages()
    found: tuple[Training, ...] = ()
    for number, (config, start, _) in enumerate(stages[:last], 1):
        before = _trainings(Run(start)) if start else found
        found = *before, _training(config, whole if number == len(stages) else whole.stage(number), whole.folder.name)
    return found


def _training(config: Config, run: Run, name: str) -> Training:
    if config.data.files:
        raise InputError(f"{run.folder}: trained on {config.data.files[0]}, expected generated modules alone")
    dataset, summary, training = Dataset.from_config(config), run.summary, config.training
    if dataset.digest != summary.data_digest:
        raise InputError(f"{run.folder}: trained on other modules ({summary.data_digest}) than those of its "
                         f"configuration ({dataset.digest}); train again")
    loss = training.loss
    if training.final_fraction and training.final_loss != loss:
        loss = training.final_loss if training.final_fraction == 1 else (
            f"{loss}, the last {training.final_fraction:.0%} {training.final_loss}")
    n_steps = summary.epochs * max(training.passes * summary.n_train // training.batch_size, 1)
    return Training(
        run=name, modules=dataset.source, data_digest=summary.data_digest, n_train=summary.n_train,
        n_validation=summary.n_validation, epochs=summary.epochs, n_steps=n_steps, loss=loss,
        learning_rate=training.learning_rate, seed=training.seed, val_emd=summary.val_emd)
