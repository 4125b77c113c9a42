// Give every table and static picture its downloads, and start the explorers where the page has room for them.

document.querySelectorAll(".wide").forEach(equip);

document.querySelectorAll("figure > svg").forEach((svg) => {
  const caption = svg.parentElement.querySelector("figcaption"), title = caption.textContent.trim();
  caption.append(pictureButtons(svg.parentElement.id.replace(/^figure_/, ""), title, () => svg));
});

const EXPLORERS = { pareto, profiles, distributions, modules, learning };
document.querySelectorAll("[data-explorer]").forEach((root) => whenNear(root, () => EXPLORERS[root.dataset.explorer](root)));
