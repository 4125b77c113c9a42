"""Cards of shipped sets in Markdown: one as a page, all as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models.trigger_cells import CALQ_PER_MIPT
from models.wording import counted
from training.results.card import TITLES, TOLERANCE, Card, Sample

SET_TITLES = ("set", "links", "bits per latent", "decoder's weights", *TITLES.values())
COMPACT_TITLES = ("set", "compact decoder", "multiply-accumulates", "bits of a weight", *TITLES.values())


def cards_table(cards: Sequence[Card]) -> str:
    """A table of these sets: mean EMD, with its standard error, of the modules with a cell above 35 CALQ."""
    return _table(SET_TITLES, [[f"`{name}`", *rest] for name, *rest in cards_rows(cards)])


def cards_rows(cards: Sequence[Card]) -> list[list[str]]:
    """Rows of the table, below `SET_TITLES`."""
    return [[card.name, str(card.n_elinks), str(card.latent_bits), f"{card.decoder_parameters:,}",
             *(_mean(card.sample(name)) for name in TITLES)] for card in cards]


def compact_table(cards: Sequence[Card]) -> str:
    """A table of the compact decoders of these sets, with the same means as in the table of the sets."""
    return _table(COMPACT_TITLES, [[f"`{card.name}`", *row] for card in cards for row in _compact_rows(card)])


def _compact_rows(card: Card) -> list[list[str]]:
    return [[f"`{one.name}`", f"{one.macs:,}", str(one.weight_bits),
             *(_mean(card.sample(name, one.name)) for name in TITLES)] for one in card.compact]


@dataclass(frozen=True)
class Section:
    """A part of a card: a title, a text, and maybe a table below it."""

    title: str
    text: str
    titles: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def card_sections(card: Card) -> list[Section]:
    """What the card says, the set itself first."""
    stages = [[str(number), stage.run, stage.modules, f"{stage.n_train:,}", stage.loss, f"{stage.learning_rate:g}",
               f"{stage.epochs} ({stage.n_steps:,} steps)", str(stage.seed), f"{stage.val_emd:.3f}"]
              for number, stage in enumerate(card.trained_on, 1)]
    samples = [[TITLES[one.name], f"{one.n_modules:,}", f"{one.n_selected:,}", _mean(one), _value(one.emd_median),
                _value(one.emd_q68), _value(one.emd_mean_all), one.digest] for one in card.samples]
    packages = ", ".join(f"{name} {number}" for name, number in card.versions.items())
    compact = [Section("Compact decoders", "Mean EMD as above; the files are beside the decoder.", COMPACT_TITLES[1:],
                       _compact_rows(card))] if card.compact else []
    return [
        Section(card.name,
                f"Encoder for {counted(card.n_elinks, 'link')} in {card.arithmetic} arithmetic, "
                f"{counted(card.latent_bits, 'bit')} per latent. Decoder: {card.decoder_parameters:,} weights, "
                f"{card.decoder_bytes:,} bytes."),
        Section("Trained on", "",
                ("stage", "run", "modules", "rows", "loss", "rate", "epochs", "seed", "validation EMD"), stages),
        Section("EMD of modules that were not trained on",
                f"Sensor-cell pitches; mean, median and 68% quantile are over the modules with a cell above "
                f"{CALQ_PER_MIPT} CALQ.",
                ("modules", "number", "selected", "mean", "median", "68%", "mean of all", "digest"), samples),
        *compact,
        Section("Made and checked",
                f"`{card.command}` makes it, `econ-t evaluate --weights {card.name} --input FILE --check-card` checks "
                f"the mean EMD within {TOLERANCE:g}.\n\n"
                f"Weights {card.weights}, decoder {card.decoder}, training {card.fingerprint}, encoder {card.spec}; "
                f"{packages}."),
    ]


def card_page(card: Card) -> str:
    """The card as a page of Markdown."""
    parts = []
    for number, one in enumerate(card_sections(card)):
        parts += [f"{'##' if number else '#'} {one.title}", one.text]
        if one.rows:
            parts.append(_table(one.titles, one.rows))
    return "\n\n".join(filter(None, parts)) + "\n"


def _table(titles: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    head = list(titles)
    lines = [f"| {' | '.join(row)} |" for row in [head, *rows]]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def _mean(sample: Sample | None) -> str:
    if sample is None or sample.emd_mean is None:
        return "-"
    return f"{sample.emd_mean:.3f}" + (f" ± {sample.emd_error:.3f}" if sample.emd_error is not None else "")


def _value(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
