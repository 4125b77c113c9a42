"""Result: where modules lie among the latents of an encoder, and what is known of them beside."""

from __future__ import annotations

from models.result import Result, Rounded


class Group(Result):
    """Modules of a third of the range of a condition: how often each latent has each code."""

    label: str
    n_modules: int
    counts: tuple[tuple[int, ...], ...]
    """By latent, then by bin over the whole range of the format."""


class Condition(Result):
    """Something that is known of each module beside its latents."""

    name: str
    title: str
    """With its unit, for an axis."""
    logarithmic: bool
    values: tuple[Rounded, ...]
    groups: tuple[Group, ...]


class LatentMaps(Result):
    """Codes of modules in two dimensions: by principal components, and by UMAP where it was asked for."""

    data: str
    n_modules: int
    latent_bits: int
    components: tuple[Rounded, ...]
    """Part of the variance of the codes along each principal component, the largest first."""
    pca: tuple[tuple[Rounded, Rounded], ...]
    """Place of each module along the first two, in codes."""
    umap: tuple[tuple[Rounded, Rounded], ...] | None = None
    conditions: tuple[Condition, ...]
    missing: tuple[str, ...]
    """Conditions that the modules do not have."""
