"""Section of the report: where modules lie among the latents, by layer, eta and energy."""

from __future__ import annotations

from training.figures.latent_maps import histograms_by_condition, latent_plane
from training.report.parts import Plot, Section
from training.results.latent_maps import LatentMaps


def latents_section(maps: LatentMaps) -> Section:
    """Planes of the codes, and below them the histograms of each latent by each condition."""
    first, second = (*maps.components, 0.0, 0.0)[:2]
    names = ", ".join(one.title for one in maps.conditions)
    missing = f" Without {' and '.join(maps.missing)}, which these modules do not have." if maps.missing else ""
    plots = [Plot("latents_pca", latent_plane(maps, maps.pca, (f"1st component ({first:.0%})",
                                                               f"2nd component ({second:.0%})")),
                  f"Modules along the two principal components of their codes, coloured by {names}", wide=True)]
    if maps.umap:
        plots.append(Plot("latents_umap", latent_plane(maps, maps.umap, ("UMAP 1", "UMAP 2")),
                          f"Modules by UMAP of their codes, coloured by {names}", wide=True))
    text = (f"Codes sent of {maps.n_modules:,} modules with charge of {maps.data}. Components are in codes, with their "
            f"part of the variance of all; the first {_enough(maps)} have 90% of it. A colour that changes along a "
            f"component is a condition that the latents tell by themselves.{missing}")
    return Section("Latent maps", text, plots=plots, children=[
        Section(f"Latents by {one.title}", "Modules in three groups of about equal size.", plots=[
            Plot(f"latents_by_{one.name}", histograms_by_condition(maps, one),
                 f"How often each code of {len(one.groups[0].counts)} latents is sent, in thirds of {one.title}",
                 wide=True)], unfolded=False) for one in maps.conditions])


def _enough(maps: LatentMaps) -> int:
    """Number of components that have 90% of the variance."""
    total, n = 0.0, 0
    for part in maps.components:
        if total >= 0.9:  # noqa: PLR2004  (as the text says)
            break
        total, n = total + part, n + 1
    return n
