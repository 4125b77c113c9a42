// Give every table and static picture its downloads, and start the explorers where the page has room for them.

const POINT = 4 / 3, LEAST_SCALE = 0.78;

document.querySelectorAll(".wide").forEach(equip);

document.querySelectorAll("figure > svg").forEach((svg) => {
  const caption = svg.parentElement.querySelector("figcaption"), title = caption.textContent.trim();
  // Text of 9 points stays legible: a picture that would be made too small scrolls in its place, also by the keyboard.
  svg.style.minWidth = `${Math.round(svg.viewBox.baseVal.width * POINT * LEAST_SCALE)}px`;
  if (svg.parentElement.scrollWidth > svg.parentElement.clientWidth) svg.parentElement.tabIndex = 0;
  caption.append(pictureButtons(svg.parentElement.id.replace(/^figure_/, ""), title, () => svg));
});

const EXPLORERS = { pareto, profiles, distributions, modules, learning };
document.querySelectorAll("[data-explorer]").forEach((root) => whenNear(root, () => EXPLORERS[root.dataset.explorer](root)));
