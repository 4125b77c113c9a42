// Explorers of the comparison: metric vs. bits, profiles and distributions.

const PHYSICS = DATA.physics;

function metricChoices() {
  return [...Object.entries(PHYSICS.metrics).map(([name, metric]) => [name, metric.title]),
          ["resolution", "energy resolution"]];
}

/** Mean of a metric as the reader compares it: its title, whether low is better, and value and error of a scheme. */
function quality(name) {
  if (name === "resolution") {
    return { title: "energy resolution", low: true, of: (one) => [one.metrics.energy_response.sigma, null] };
  }
  const metric = PHYSICS.metrics[name], unit = metric.unit ? ` [${metric.unit}]` : "";
  const mean = (one) => [one.metrics[name].mean, one.metrics[name].error];
  if (metric.best === "low") return { title: `mean ${metric.title}${unit}`, low: true, of: mean };
  if (metric.best === "high") return { title: `mean ${metric.title}${unit}`, low: false, of: mean };
  const ideal = metric.best === "one" ? 1 : 0;
  const distance = ([value, error]) => [value === null ? null : Math.abs(value - ideal), error];
  return { title: `distance of the mean ${metric.title} from ${ideal}`, low: true, of: (one) => distance(mean(one)) };
}

const schemesOf = (links) => PHYSICS.schemes.filter((one) => one.n_elinks === links);
const byEmd = (a, b) => a.metrics.emd.mean - b.metrics.emd.mean;
const linksText = (n) => `${n} link${n === 1 ? "" : "s"}`;
const linkChoices = () => PHYSICS.options.n_elinks.map((n) => [String(n), String(n)]);
const number = (value, digits = 4) => (value === null || value === undefined ? "-" : Number(value.toPrecision(digits)).toString());
const plusMinus = (value, error) => number(value) + (error ? ` ± ${number(error, 2)}` : "");

/** Trained encoders and the best scheme of each other algorithm but RPT, which would set every scale. */
function contenders(schemes) {
  const seen = new Set();
  return schemes.filter((one) => {
    const taken = one.algorithm === "AE" || (one.algorithm !== "RPT" && !seen.has(one.algorithm));
    seen.add(one.algorithm);
    return taken;
  }).map((one) => one.name);
}

/** Series of a budget that are shown; a choice is kept when the budget changes. */
class Shown {
  constructor() {
    this.chosen = new Map();
  }

  has(name, standard) {
    return this.chosen.get(name) ?? standard.includes(name);
  }
}

/** Domain of an axis for these values with room below and above (parts of their range), and the part of it below a value. */
function spread(values, log, above = 0.06) {
  const scale = log ? Math.log : (value) => value, back = log ? Math.exp : (value) => value;
  const least = Math.min(...values.map(scale)), range = Math.max(...values.map(scale)) - least || 1;
  const low = least - 0.06 * range, high = least + (1 + above) * range;
  return { domain: [back(low), back(high)], part: (value) => (scale(value) - low) / (high - low) };
}

const SIDES = [["left", -7], ["left", 15], ["right", -7], ["right", 15]];

/** Names beside points, by side: as many as lie on no other name, on no point and inside the plot, trained encoders first. */
function labelled(front, rows, place, width) {
  const taken = rows.map(place).map(([x, y]) => [x - 5, x + 5, y - 5, y + 5]);
  const free = ([left, right, top, bottom]) => left > 0 && right < width && top > 50
    && taken.every(([l, r, t, b]) => right < l || left > r || bottom < t || top > b);
  const found = SIDES.map(([align, dy]) => [[], align, dy]);
  for (const one of [...front].sort((a, b) => (b.series === "AE") - (a.series === "AE"))) {
    const [x, y] = place(one), long = 6.5 * one.name.length;
    const boxes = SIDES.map(([align, dy]) => (align === "left" ? [x + 6, x + 7 + long] : [x - 7 - long, x - 6]).concat(y + dy - 10, y + dy + 2));
    const side = boxes.findIndex(free);
    if (side < 0) continue;
    found[side][0].push(one);
    taken.push(boxes[side]);
  }
  return found.filter(([values]) => values.length);
}

function pareto(root) {
  const state = { metric: "emd", scale: "log", off: new Set() };
  const plot = new Plot("pareto", "Each point is a scheme on a number of links. The line joins those that no other one beats in both."
    + ZOOM_HINT);
  const algorithms = [...new Set(PHYSICS.schemes.map((one) => one.algorithm))];
  const series = algorithms.map((name) => ({ name, colour: DATA.colours[name], dash: [1, 0], shape: DATA.shapes[name] }));

  function draw() {
    const about = quality(state.metric), seen = new Set();
    const rows = PHYSICS.schemes.filter((one) => !state.off.has(one.algorithm)).flatMap((one) => {
      const [value, error] = about.of(one), place = `${one.bits} ${value}`;
      if (value === null || seen.has(place)) return [];
      seen.add(place);
      return [{ series: one.algorithm, name: one.name, links: one.n_elinks, bits: one.bits, value, low: value - (error ?? 0),
                high: value + (error ?? 0), shown: plusMinus(value, error), setting: one.detail }];
    });
    if (plot.isEmpty(rows)) return;
    const front = [];
    for (const one of [...rows].sort((a, b) => a.bits - b.bits || (a.value - b.value) * (about.low ? 1 : -1))) {
      const last = front.at(-1);
      if (!last || (about.low ? one.value < last.value : one.value > last.value)) front.push(one);
    }
    const log = state.scale === "log" && rows.every((one) => one.low > 0);
    const across = spread(rows.map((one) => one.bits), false);
    const up = spread(rows.flatMap((one) => [one.low, one.high]), log, 0.2);
    const y = { field: "value", type: "quantitative", title: about.title, scale: scaleOf(log, { domain: up.domain, nice: false }) };
    const x = { field: "bits", type: "quantitative", title: "bits per BX, without filling",
                scale: scaleOf(false, { domain: across.domain, nice: false }) };
    const inside = [plot.width - 60, plot.width < 600 ? 240 : 285];
    const place = (one) => [across.part(one.bits) * inside[0], (1 - up.part(one.value)) * inside[1]];
    const labels = labelled(front, rows, place, inside[0]).map(([values, align, dy]) => ({ data: { values },
      mark: { type: "text", align, dx: align === "right" ? -7 : 7, dy, fontSize: 11, baseline: "alphabetic" },
      encoding: { x, y, text: { field: "name" } } }));
    plot.draw({
      width: plot.width, height: 380, autosize: { type: "fit", contains: "padding" }, layer: [
        { data: { values: PHYSICS.options.n_elinks.map((n) => ({ bits: 32 * n, text: linksText(n) })) },
          mark: { type: "rule", strokeDash: [2, 3], color: INK, opacity: 0.5 }, encoding: { x } },
        { data: { values: PHYSICS.options.n_elinks.map((n) => ({ bits: 32 * n, text: linksText(n) })) },
          mark: { type: "text", angle: 270, align: "right", dy: -6, fontSize: 11 },
          encoding: { x, y: { value: 2 }, text: { field: "text" } } },
        { data: { values: front }, mark: { type: "line", interpolate: "step-after", color: INK, opacity: 0.6, strokeWidth: 1 },
          encoding: { x, y } },
        { data: { values: rows }, mark: { type: "rule" },
          encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color: seriesEncoding(series).color } },
        { data: { values: rows }, params: [ZOOM], mark: { type: "point", filled: true, size: 80, opacity: 1 },
          encoding: { x, y, color: seriesEncoding(series).color, shape: seriesEncoding(series).shape, tooltip: [
            { field: "name", title: "scheme" }, { field: "links", title: "links" }, { field: "shown", title: about.title },
            { field: "bits", title: "bits per BX", format: ".1f" }, { field: "setting", title: "setting" }] } },
        ...labels,
      ],
    }, `${about.title} vs. bits per BX; on the line: ${front.map((one) => `${one.name} ${one.shown}`).join(", ")}`);
  }

  root.append(
    element("div", { class: "controls" },
      choice("metric", metricChoices(), state.metric, (value) => { state.metric = value; draw(); }),
      choice("scale", [["log", "logarithmic, where it can be"], ["linear", "linear"]], state.scale, (value) => { state.scale = value; draw(); })),
    switches("algorithms", series, () => true, (name, on) => { state.off[on ? "delete" : "add"](name); draw(); }),
    plot.root);
  draw();
  whenResized(root, draw);
}

/** An explorer of one budget: choices above, series on and off, and a plot of those that are on. */
function budgetExplorer(root, name, caption, choices, draw) {
  const state = { links: String(DATA.own_links) }, shown = new Shown(), plot = new Plot(name, caption);
  const boxes = element("div");
  const again = () => {
    const schemes = schemesOf(Number(state.links)).sort(byEmd), standard = contenders(schemes);
    const series = looks(schemes.map((one) => one.name), (name) => schemes.find((one) => one.name === name).algorithm);
    const isOn = (name) => shown.has(name, standard);
    const redraw = () => {
      const on = series.filter((one) => isOn(one.name));
      draw(plot, state, on, on.map((look) => schemes.find((one) => one.name === look.name)));
    };
    boxes.replaceChildren(switches("schemes, smallest EMD first", series, isOn, (name, on) => {
      shown.chosen.set(name, on);
      redraw();
    }));
    redraw();
  };
  root.append(element("div", { class: "controls" },
    choice("links", linkChoices(), state.links, (value) => { state.links = value; again(); }),
    ...choices.map(([key, label, options]) => {
      state[key] = options[0][0];
      return choice(label, options, state[key], (value) => { state[key] = value; again(); });
    })), boxes, plot.root);
  again();
  whenResized(root, again);
}

const SLICES = "slices";

function profiles(root) {
  const whole = PHYSICS.coordinates.filter((one) => !one.slice_of), sliced = PHYSICS.coordinates.filter((one) => one.slice_of);
  const coordinates = whole.map((one) => [one.name, one.title]);
  if (sliced.length) coordinates.push([SLICES, `${sliced[0].title}, in slices of the module sum`]);
  budgetExplorer(root, "profiles", "Mean and bootstrap error in bins of about equally many modules." + ZOOM_HINT,
    [["metric", "metric", metricChoices().filter(([name]) => name !== "resolution")], ["coordinate", "vs.", coordinates]],
    (plot, state, series, schemes) => {
      const parts = state.coordinate === SLICES ? sliced : whole.filter((one) => one.name === state.coordinate);
      const metric = PHYSICS.metrics[state.metric], columns = plot.width > 700 ? parts.length : 1;
      const wide = parts[0].name === "module_sum" && parts[0].edges[0] > 0;
      const middle = (low, high) => (wide ? Math.sqrt(low * high) : (low + high) / 2);
      const rows = parts.flatMap((part) => schemes.flatMap((one) => {
        const { mean, error } = one.profiles[part.name][state.metric];
        return part.labels.flatMap((label, bin) => (mean[bin] === null ? [] : [{
          series: one.name, x: middle(part.edges[bin], part.edges[bin + 1]), value: mean[bin], low: mean[bin] - (error[bin] ?? 0),
          high: mean[bin] + (error[bin] ?? 0), shown: plusMinus(mean[bin], error[bin]), label, n: part.n[bin],
          part: part.slice_of ? `sum ${number(part.slice_of.low)} to ${number(part.slice_of.high)} CALQ` : "" }]));
      }));
      if (plot.isEmpty(rows)) return;
      const x = { field: "x", type: "quantitative", title: parts[0].title, scale: scaleOf(wide, { nice: false, padding: 12 }) };
      const y = { field: "value", type: "quantitative", title: `mean ${metric.title}${metric.unit ? ` [${metric.unit}]` : ""}`, scale: scaleOf(false) };
      const { color, shape, strokeDash } = seriesEncoding(series);
      const layer = [
        { mark: { type: "line", strokeWidth: 2 }, encoding: { x, y, color, strokeDash } },
        { mark: { type: "rule" }, encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color } },
        { params: [ZOOM], mark: { type: "point", filled: true, size: 60, opacity: 1 }, encoding: { x, y, color, shape, tooltip: [
          { field: "series", title: "scheme" }, { field: "label", title: parts[0].title }, { field: "shown", title: metric.title },
          { field: "n", title: "modules" }] } },
      ];
      const single = { height: 340, layer };
      plot.draw({ data: { values: rows }, ...(parts.length === 1
        ? { width: plot.width, autosize: { type: "fit", contains: "padding" }, ...single }
        : { facet: { field: "part", type: "nominal", title: null, sort: null }, columns,
            spec: { width: Math.max(180, (plot.width - 70) / columns - 22), height: 260, layer } }) },
      `${metric.title} vs. ${parts[0].title} on ${linksText(Number(state.links))} for ${series.map((one) => one.name).join(", ")}`);
    });
}

function distributions(root) {
  const metrics = metricChoices().filter(([name]) => name !== "resolution");
  budgetExplorer(root, "distributions", "The outermost bins include everything beyond them." + ZOOM_HINT, [["metric", "metric", metrics]],
    (plot, state, series, schemes) => {
      const metric = PHYSICS.metrics[state.metric], edges = metric.edges;
      const rows = schemes.flatMap((one) => {
        const found = one.metrics[state.metric];
        return edges.map((edge, bin) => {
          const last = bin === edges.length - 1, count = found.counts[last ? bin - 1 : bin];
          return { series: one.name, x: edge, value: found.n ? count / found.n : 0, count, bin: last ? null
            : `${number(edge, 3)} to ${number(edges[bin + 1], 3)}`, mean: plusMinus(found.mean, found.error),
            sigma: number(found.sigma), median: number(found.median) };
        });
      });
      if (plot.isEmpty(rows)) return;
      const x = { field: "x", type: "quantitative", title: metric.title + (metric.unit ? ` [${metric.unit}]` : ""), scale: { zero: false, nice: false } };
      const y = { field: "value", type: "quantitative", title: "fraction of modules" };
      const { color, strokeDash } = seriesEncoding(series);
      plot.draw({ data: { values: rows }, width: plot.width, height: 320, autosize: { type: "fit", contains: "padding" }, layer: [
        { mark: { type: "line", interpolate: "step-after", strokeWidth: 2 }, encoding: { x, y, color, strokeDash } },
        { params: [ZOOM], transform: [{ filter: "datum.bin !== null" }], mark: { type: "point", filled: true, size: 140, opacity: 0 },
          encoding: { x, y, tooltip: [{ field: "series", title: "scheme" }, { field: "bin", title: metric.title },
            { field: "count", title: "modules" }, { field: "mean", title: "mean" }, { field: "sigma", title: "sigma" },
            { field: "median", title: "median" }] } },
      ] }, `distribution of ${metric.title} on ${linksText(Number(state.links))}: ${schemes.map((one) =>
        `${one.name} mean ${plusMinus(one.metrics[state.metric].mean, one.metrics[state.metric].error)}`).join(", ")}`);
    });
}

/** Loss and EMD by epoch of every run of the page. */
function learning(root) {
  const names = Object.keys(DATA.histories), off = new Set(), single = names.length === 1;
  const kinds = single ? ["training", "validation"] : names;
  const series = kinds.map((name, index) => ({ name, colour: single ? DATA.encoder_colours[index] : encoderColour(name), dash: [1, 0], shape: "circle" }));
  const plots = [["learning_curves_loss", "loss", "Loss by epoch; the ring is the epoch that was kept." + ZOOM_HINT],
                 ["learning_curves_emd", "mean EMD [sensor-cell pitch]", "EMD of the validation modules by epoch." + ZOOM_HINT]]
    .map(([name, title, caption]) => ({ title, plot: new Plot(name, caption) }));
  const hasEmd = names.some((name) => DATA.histories[name].val_emd.length);

  function rowsOf(isLoss) {
    return names.flatMap((name) => {
      const history = DATA.histories[name], deciding = history.val_emd.length ? history.val_emd : history.val_loss;
      const kept = deciding.indexOf(Math.min(...deciding));
      const loss = (index) => (!history.final_from || !isLoss ? "" : history.losses[index + 1 < history.final_from ? 0 : 1]);
      const curve = (label, values) => values.map((value, index) => ({ series: label, run: name, epoch: index + 1, value,
        loss: loss(index), kept: index === kept && label !== "training" }));
      if (!isLoss) return curve(single ? "validation" : name, history.val_emd);
      return single ? [...curve("training", history.loss), ...curve("validation", history.val_loss)] : curve(name, history.val_loss);
    }).filter((one) => !off.has(one.series));
  }

  function draw() {
    for (const [index, { title, plot }] of plots.entries()) {
      if (index && !hasEmd) continue;
      const rows = rowsOf(index === 0);
      if (plot.isEmpty(rows)) continue;
      const on = series.filter((one) => !off.has(one.name) && rows.some((row) => row.series === one.name));
      const { color } = seriesEncoding(on), log = index === 0 && rows.every((one) => one.value > 0);
      const x = { field: "epoch", type: "quantitative", title: "epoch", axis: {
        tickCount: Math.min(12, Math.max(...rows.map((one) => one.epoch)) - 1), labelExpr: "datum.value % 1 ? '' : datum.label" }, scale: scaleOf(false, { nice: false }) };
      const y = { field: "value", type: "quantitative", title, scale: scaleOf(log) };
      const tooltip = [{ field: "run" }, { field: "series" }, { field: "epoch" }, { field: "value", title, format: ".5~g" }];
      // Where the loss changes, so does its scale.
      const changes = names.map((name) => DATA.histories[name]).filter((one) => one.final_from)
        .map((one) => ({ epoch: one.final_from - 0.5, text: one.losses.join(", then ") }))
        .filter((one, place, all) => all.findIndex((other) => other.epoch === one.epoch && other.text === one.text) === place);
      const jump = { data: { values: changes }, encoding: { x } };
      const jumps = changes.length === 0 ? [] : [
        { ...jump, mark: { type: "rule", strokeDash: [4, 4], color: INK, opacity: 0.7 } },
        { ...jump, mark: { type: "text", align: "right", dx: -4, dy: 8, fontSize: 11 },
          encoding: { x, y: { value: 0 }, text: { field: "text" } } }];
      plot.draw({ data: { values: rows }, width: plot.width, height: 260, autosize: { type: "fit", contains: "padding" }, layer: [
        { mark: { type: "line", strokeWidth: 2 }, encoding: { x, y, color, detail: { field: "loss" } } },
        { params: [ZOOM], mark: { type: "point", filled: true, size: 30, opacity: 1 }, encoding: { x, y, color, tooltip } },
        { transform: [{ filter: "datum.kept" }], mark: { type: "point", size: 180, strokeWidth: 2, opacity: 1, color: INK }, encoding: { x, y, tooltip } },
        ...jumps,
      ] }, `${title} by epoch, ${rows.length} values${changes.map((one) => `; ${one.text} from epoch ${one.epoch + 0.5} on`).join("")}`);
    }
  }

  root.append(switches("series", series, () => true, (name, on) => { off[on ? "delete" : "add"](name); draw(); }),
    ...plots.slice(0, hasEmd ? 2 : 1).map((one) => one.plot.root));
  draw();
  whenResized(root, draw);
}
