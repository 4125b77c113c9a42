// Explorer of single modules: what was sent, what each receiver has of it, and the differences, on the wafer.

const LEAST_PANEL = 168, MOST_PANEL = 230;  // pixels

/** Orders in which modules are gone through: their name, title, and the key by which they are sorted. */
function orders(sample, receptions) {
  const found = [], near = (values) => {
    const middle = [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
    return (index) => Math.abs(values[index] - middle);
  };
  for (const one of receptions) found.push([`worst ${one.scheme}`, `worst of ${one.scheme} first`, (index) => -one.emd[index]]);
  for (const one of receptions) found.push([`typical ${one.scheme}`, `typical of ${one.scheme} first`, near(one.emd)]);
  const encoder = receptions.find((one) => one.algorithm === "AE"), other = receptions.find((one) => one.algorithm !== "AE");
  if (encoder && other) {
    found.push(["gain", `largest gain of ${encoder.scheme} over ${other.scheme} first`, (index) => encoder.emd[index] - other.emd[index]],
               ["loss", `largest loss of ${encoder.scheme} against ${other.scheme} first`, (index) => other.emd[index] - encoder.emd[index]]);
  }
  const titles = coordinateTitles();
  for (const [name, values] of Object.entries(sample.coordinates)) {
    found.push([`least ${name}`, `${titles[name]}, rising`, (index) => values[index]],
               [`most ${name}`, `${titles[name]}, falling`, (index) => -values[index]]);
  }
  found.push(["row", "as in the file", (index) => index]);
  return found;
}

function coordinateTitles() {
  const titles = { occupancy: "occupied cells", module_sum: "module sum [CALQ]", layer: "layer", eta: "|eta|" };
  for (const one of PHYSICS.coordinates) if (!one.slice_of) titles[one.name] = one.title;
  return titles;
}

/** Where a wafer of `size` pixels is drawn. */
function waferProjection(size) {
  const corners = DATA.outlines.flat(), [xs, ys] = [0, 1].map((axis) => corners.map((corner) => corner[axis]));
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const scale = (size - 4) / Math.max(right - left, high - low);
  return { type: "identity", reflectY: true, scale,
           translate: [size / 2 - scale * (left + right) / 2, size / 2 + scale * (low + high) / 2] };
}

/** Small pictures of the wafer side by side, all on one colour scale. */
function waferSpec(width, panels, scale, title, domain, tooltip) {
  const columns = Math.max(2, Math.min(panels.length, Math.floor(width / (LEAST_PANEL + 12))));
  const size = Math.min(MOST_PANEL, Math.floor((width - 4) / columns) - 12);
  const values = panels.flatMap((panel) => panel.values.map((value, cell) => ({
    type: "Feature", geometry: { type: "Polygon", coordinates: [DATA.outlines[cell]] }, panel: panel.title, cell, value,
    ...panel.beside(cell) })));
  return {
    data: { values }, columns, spacing: 8,
    facet: { field: "panel", type: "nominal", sort: panels.map((panel) => panel.title),
             title: null, header: {
      labelExpr: "split(datum.label, '|')", labelLimit: size + 8, labelPadding: 2, labelLineHeight: 14 } },
    spec: {
      width: size, height: size, projection: waferProjection(size),
      params: [{ name: "over", select: { type: "point", on: "pointerover", clear: "pointerout", fields: ["cell"] } }],
      mark: { type: "geoshape", stroke: INK },
      encoding: {
        strokeWidth: { condition: { param: "over", empty: false, value: 2.5 }, value: 0.3 },
        color: { condition: { test: "datum.value === 0", value: "#80808028" }, field: "value", type: "quantitative",
                 title, scale: { type: scale, ...domain }, legend: {
                   gradientLength: Math.min(320, width - 60), titleLimit: width, padding: 16 } },
        tooltip,
      },
    },
  };
}

/** A module as its encoder sees it: the 8x8 image, the latents that were sent, and the image that was received. */
function encoderSpec(width, sent, received, latent, scale, top) {
  const size = Math.max(84, Math.min(200, Math.floor((width - 44) / 3)));
  const axis = (field) => ({ field, type: "ordinal", axis: null });
  const image = (title, charge, legend) => ({
    title, width: size, height: size,
    data: { values: DATA.image.flatMap((line, row) => line.flatMap((cell, column) => (cell < 0 ? []
      : [{ row, column, cell, value: charge[cell] }]))) },
    mark: { type: "rect", stroke: INK, strokeWidth: 0.2 },
    encoding: {
      x: axis("column"), y: axis("row"), tooltip: [{ field: "cell", title: "trigger cell" }, { field: "value", title: "CALQ" }],
      color: { condition: { test: "datum.value === 0", value: "#80808028" }, field: "value", type: "quantitative", title: "charge [CALQ]",
               scale: { type: scale, domain: [0, top], scheme: "cividis" }, legend: legend && { gradientLength: Math.min(200, size) } },
    },
  });
  const most = Math.max(1, ...latent);
  return { hconcat: [image("input", sent, false), {
    title: "latents [code]", width: size, height: size,
    data: { values: latent.map((value, index) => ({ row: Math.floor(index / 4), column: index % 4, index, value })) },
    encoding: { x: axis("column"), y: axis("row"), tooltip: [{ field: "index", title: "latent" }, { field: "value", title: "code" }] },
    layer: [
      { mark: { type: "rect", stroke: INK, strokeWidth: 0.2, fillOpacity: 0.35 }, encoding: {
        color: { field: "value", type: "quantitative", scale: { domain: [0, most], scheme: "cividis" }, legend: null } } },
      { mark: { type: "text", fontSize: 11 }, encoding: { text: { field: "value" } } }],
  }, image("received", received, true)], spacing: 12, resolve: { scale: { color: "independent" } } };
}

function modules(root) {
  const sample = PHYSICS.sample, titles = coordinateTitles();
  const state = { links: DATA.own_links, place: 0, scale: "sqrt", vs: "module_sum", order: "", off: new Set() };
  const charges = new Plot("wafers", "Charges in CALQ; cells without charge stay open. Point at a cell for its values.");
  const changes = new Plot("wafer_differences", "Received minus sent, in CALQ.");
  const encoder = new Plot("encoder", "The same module as the encoder sees it.");
  const cloud = new Plot("modules", "Each point is a module as one algorithm sends it; click one to see it above." + ZOOM_HINT);
  const boxes = element("div"), facts = element("div"), cells = element("details", {}, element("summary", {}, "Values of all cells"));
  const said = element("output", {}), orderPlace = element("span");
  const slider = element("input", { type: "range", id: "module_slider", min: 1, max: sample.rows.length, value: 1,
    oninput: () => { state.place = slider.value - 1; requestAnimationFrame(drawModule); } });
  const step = (by) => () => {
    state.place = (state.place + by + sample.rows.length) % sample.rows.length;
    drawModule();
  };
  let receptions, series, sequence;

  function chooseLinks() {
    receptions = sample.receptions.filter((one) => one.n_elinks === state.links);
    series = looks(receptions.map((one) => one.scheme), (name) => receptions.find((one) => one.scheme === name).algorithm);
    const found = orders(sample, receptions);
    if (!found.some(([name]) => name === state.order)) {
      state.order = (found.find(([name]) => name.startsWith("typical AE")) ?? found.find(([name]) => name.startsWith("typical")))[0];
    }
    orderPlace.replaceChildren(choice("order", found, state.order, (value) => { state.order = value; sort(); }));
    boxes.replaceChildren(switches("algorithms", series, (name) => !state.off.has(name), (name, on) => {
      state.off[on ? "delete" : "add"](name);
      drawAll();
    }));
    sort();
  }

  function sort() {
    const key = orders(sample, receptions).find(([name]) => name === state.order)[2];
    sequence = sample.rows.map((_, index) => index).sort((a, b) => key(a) - key(b) || a - b);
    state.place = 0;
    drawAll();
  }

  function drawAll() {
    drawModule();
    drawCloud();
  }

  function drawModule() {
    const index = sequence[state.place], sent = sample.true[index], on = receptions.filter((one) => !state.off.has(one.scheme));
    slider.value = state.place + 1;
    slider.setAttribute("aria-valuetext", `module ${state.place + 1} of ${sequence.length}, row ${sample.rows[index]}`);
    said.textContent = `module ${state.place + 1} of ${sequence.length}: row ${sample.rows[index]}` + Object.entries(sample.coordinates)
      .map(([name, values]) => `, ${titles[name]} ${number(values[index])}`).join("");
    const top = Math.max(1, ...sent, ...on.flatMap((one) => one.charge[index]));
    const received = on.map((one) => one.charge[index]);
    const beside = (cell) => Object.fromEntries([["sent", sent[cell]], ...received.map((charge, k) => [`r${k}`, charge[cell]])]);
    const tooltip = [{ field: "cell", title: "trigger cell" }, { field: "sent", title: "input" },
                     ...on.map((one, k) => ({ field: `r${k}`, title: one.scheme }))];
    const title = (one) => `${one.scheme}|EMD ${one.emd[index].toFixed(2)}`;
    const scaleText = state.scale === "sqrt" ? ", square-root scale" : "";
    charges.draw(waferSpec(charges.width, [{ title: "input", values: sent, beside },
      ...on.map((one, k) => ({ title: title(one), values: received[k], beside }))],
      state.scale, `charge [CALQ]${scaleText}`, { domain: [0, top], scheme: "cividis" }, tooltip),
    `Charges of row ${sample.rows[index]} on the wafer: input, ${on.map((one) => title(one).replace("|", " with ")).join(", ")}`);
    if (on.length) {
      const difference = (k) => sent.map((value, cell) => Math.round(10 * (received[k][cell] - value)) / 10);
      const largest = Math.max(1, ...on.flatMap((_, k) => difference(k).map(Math.abs)));
      changes.draw(waferSpec(changes.width, on.map((one, k) => {
        const values = difference(k);
        return { title: `${one.scheme}|- input`, values, beside: (cell) => ({ ...beside(cell), change: values[cell] }) };
      }), state.scale, `difference [CALQ]${scaleText}`,
      { domain: [-largest, largest], domainMid: 0, scheme: "redblue", reverse: true }, [...tooltip, { field: "change", title: "difference" }]),
      `Received minus sent charges of row ${sample.rows[index]} on the wafer for ${on.map((one) => one.scheme).join(", ")}`);
    }
    changes.root.hidden = !on.length;
    const trained = on.findIndex((one) => one.latent);
    encoder.root.hidden = trained < 0;
    if (trained >= 0) {
      const name = on[trained].scheme;
      encoder.caption.textContent = `The same module as ${name} sees it.`;
      encoder.draw(encoderSpec(encoder.width || charges.width, sent, received[trained], on[trained].latent[index], state.scale, top),
        `Row ${sample.rows[index]} as ${name} sees it: latents ${on[trained].latent[index].join(", ")}`);
    }
    const exact = (value, digits) => [value.toFixed(digits), value], total = sent.reduce((a, b) => a + b, 0);
    const table = tableOf(["algorithm", "EMD", "charge received", "of the input"], on.map((one, k) => {
      const sum = received[k].reduce((a, b) => a + b, 0);
      return [one.scheme, exact(one.emd[index], 3), exact(sum, 1), exact(total ? sum / total : 0, 3)];
    }), `Algorithms on row ${sample.rows[index]}`);
    facts.replaceChildren(table);
    equip(table);
    const values = tableOf(["cell", "input", ...on.map((one) => one.scheme)], sent.map((value, cell) => [[String(cell), cell],
      exact(value, 0), ...received.map((charge) => exact(charge[cell], 1))]), `Charges of row ${sample.rows[index]} in CALQ`);
    cells.replaceChildren(cells.querySelector("summary"), values);
    equip(values);
    if (cloudView) cloudView.signal("chosen", index).runAsync();
  }

  let cloudView = null;
  async function drawCloud() {
    const on = series.filter((one) => !state.off.has(one.name));
    const values = receptions.filter((one) => !state.off.has(one.scheme)).flatMap((one) => sample.rows.map((row, index) => ({
      series: one.scheme, index, row, x: sample.coordinates[state.vs][index], emd: one.emd[index] })));
    if (cloud.isEmpty(values)) {
      cloudView = null;
      return;
    }
    const positive = values.every((one) => one.x > 0) && state.vs === "module_sum";
    const { color, shape } = seriesEncoding(on);
    const x = { field: "x", type: "quantitative", title: titles[state.vs], scale: scaleOf(positive, { padding: 8 }) };
    const y = { field: "emd", type: "quantitative", title: "EMD [sensor-cell pitch]" };
    const isChosen = "datum.index === chosen";
    cloudView = await cloud.draw({
      data: { values }, width: cloud.width, height: 300, autosize: { type: "fit", contains: "padding" },
      params: [{ name: "chosen", value: sequence[state.place] }],
      layer: [
        { transform: [{ filter: isChosen }], mark: { type: "rule", color: INK, strokeDash: [3, 3] }, encoding: { x } },
        { params: [ZOOM], mark: { type: "point", filled: true, cursor: "pointer" }, encoding: {
          x, y, color, shape, size: { condition: { test: isChosen, value: 160 }, value: 36 },
          opacity: { condition: { test: isChosen, value: 1 }, value: 0.55 },
          tooltip: [{ field: "row" }, { field: "series", title: "algorithm" }, { field: "emd", title: "EMD", format: ".3f" },
                    { field: "x", title: titles[state.vs] }] } },
      ],
    }, `EMD of ${sample.rows.length} modules vs. ${titles[state.vs]} on ${linksText(state.links)} for ${on.map((one) => one.name).join(", ")}`);
    if (cloudView) {
      cloudView.addEventListener("click", (_, item) => {
        if (!item || !item.datum || item.datum.index === undefined) return;
        state.place = sequence.indexOf(item.datum.index);
        drawModule();
      });
    }
  }

  root.append(
    element("div", { class: "controls" },
      choice("links", linkChoices(), String(state.links), (value) => { state.links = Number(value); chooseLinks(); }), orderPlace,
      choice("charge scale", [["sqrt", "square root"], ["linear", "linear"]], state.scale, (value) => { state.scale = value; drawModule(); })),
    element("div", { class: "controls stepper" }, button("previous", "previous module", step(-1)),
      element("label", { for: "module_slider" }, "module"), slider, button("next", "next module", step(1))),
    element("p", { class: "said" }, said), boxes, charges.root, changes.root, encoder.root, facts, cells,
    element("div", { class: "controls" }, choice("modules vs.", Object.keys(sample.coordinates).map((name) => [name, titles[name]]), state.vs,
      (value) => { state.vs = value; drawCloud(); })), cloud.root);
  chooseLinks();
  whenResized(root, drawAll);
}
