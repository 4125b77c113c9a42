// Plots by Vega-Lite, and the controls around them.

const INK = "currentColor";
const CONFIG = {
  background: null, font: "system-ui, sans-serif", aria: false,
  axis: { labelColor: INK, titleColor: INK, domainColor: INK, tickColor: INK, gridColor: "#80808040", labelFontSize: 12,
          labelOverlap: "greedy", labelSeparation: 6, titleFontSize: 12, titleFontWeight: "normal" },
  legend: { labelColor: INK, titleColor: INK, labelFontSize: 12, titleFontSize: 12, orient: "bottom", labelLimit: 260,
            symbolSize: 90, titleFontWeight: "normal", symbolStrokeWidth: 2 },
  header: { labelColor: INK, titleColor: INK, labelFontSize: 12, titleFontSize: 12 },
  title: { color: INK, fontSize: 12 }, text: { color: INK, fontSize: 12 }, view: { stroke: null },
};
/** Drag moves the axes, the wheel with Shift zooms, a double click shows everything again; a finger scrolls the page. */
const ZOOM = { name: "zoom", bind: "scales", select: {
  type: "interval", zoom: "wheel![event.shiftKey]",
  translate: "[pointerdown[event.pointerType === 'mouse'], window:pointerup] > window:pointermove!" } };
const ZOOM_HINT = " Drag to move, Shift and wheel to zoom, double click to reset.";

/** Colour of a trained encoder, by the name of its scheme or of its run. */
function encoderColour(name) {
  const schemes = DATA.physics ? DATA.physics.schemes.filter((one) => one.algorithm === "AE").map((one) => one.name) : [];
  const names = [...new Set([...schemes, ...Object.keys(DATA.histories).map((run) => `AE ${run}`)])];
  const index = Math.max(names.indexOf(name), names.indexOf(`AE ${name}`), 0);
  return DATA.encoder_colours[index % DATA.encoder_colours.length];
}

/** Colour, shape and dashes of each series. */
function looks(names, algorithmOf) {
  const count = {};
  return names.map((name) => {
    const algorithm = algorithmOf(name), number = count[algorithm] = (count[algorithm] ?? -1) + 1;
    const encoder = algorithm === "AE", dashes = [[1, 0], [6, 3], [2, 2], [8, 2, 2, 2]];
    return { name, colour: encoder ? encoderColour(name) : DATA.colours[algorithm], dash: dashes[encoder ? 0 : number % 4],
             shape: DATA.shapes[algorithm] };
  });
}

function seriesEncoding(series) {
  const domain = series.map((one) => one.name);
  const scale = (range) => ({ field: "series", type: "nominal", title: null, scale: { domain, range } });
  return { color: scale(series.map((one) => one.colour)), strokeDash: scale(series.map((one) => one.dash)),
           shape: scale(series.map((one) => one.shape)) };
}

/** An axis that is logarithmic, or linear from the least value on. */
const scaleOf = (log, more = {}) => ({ type: log ? "log" : "linear", padding: 8, ...(log ? {} : { zero: false }), ...more });

/** A figure whose picture is drawn again by `draw(specification, description)`. */
class Plot {
  constructor(name, caption) {
    this.view = element("div", { class: "view", role: "img" });
    this.caption = element("span", {}, caption);
    this.root = element("figure", { id: `figure_${name}`, class: "across" }, this.view,
      element("figcaption", {}, this.caption, pictureButtons(name, caption, () => this.view.querySelector("svg"))));
  }

  get width() {
    return this.root.clientWidth;
  }

  /** Whether there is nothing to draw, which the figure then says. */
  isEmpty(rows) {
    if (!rows.length) {
      this.number = (this.number ?? 0) + 1;
      this.view.setAttribute("aria-label", "no values");
      this.view.replaceChildren("No values: switch a series on, or choose another metric.");
    }
    return !rows.length;
  }

  async draw(spec, description) {
    this.view.setAttribute("aria-label", description);
    const config = { ...CONFIG, legend: { ...CONFIG.legend, columns: this.width < 600 ? 1 : 4 } };
    const options = { actions: false, renderer: "svg", config, tooltip: { disableDefaultStyle: true } };
    const holder = element("div", { "aria-hidden": "true" }), number = this.number = (this.number ?? 0) + 1;
    const result = await window.vegaEmbed(holder, spec, options);
    if (number !== this.number) return result.finalize();  // a later call has overtaken this one
    if (this.last) this.last.finalize();
    this.last = result;
    this.view.replaceChildren(holder);
    return result.view;
  }
}

let lastId = 0;

function choice(label, options, chosen, onChange) {
  const id = `control_${++lastId}`;
  const made = element("select", { id, onchange: () => onChange(made.value) },
    ...options.map(([value, text]) => element("option", { value, selected: value === chosen }, text)));
  return element("span", { class: "control" }, element("label", { for: id }, label), made);
}

/** Boxes that switch series on and off. */
function switches(label, series, isOn, onChange) {
  const box = (one) => {
    const mark = element("span", { class: "swatch", style: `background: ${one.colour}` });
    return element("label", {}, element("input", {
      type: "checkbox", value: one.name, checked: isOn(one.name), onchange: (event) => onChange(one.name, event.target.checked),
    }), mark, one.name);
  };
  return element("fieldset", { class: "switches" }, element("legend", {}, label), ...series.map(box));
}

/** Start an explorer when it is about to be seen, or before the page is printed. */
function whenNear(root, start) {
  let started = false;
  const once = () => {
    if (!started) start();
    started = true;
  };
  const observer = new IntersectionObserver((entries) => {
    if (entries.some((one) => one.isIntersecting)) {
      observer.disconnect();
      once();
    }
  }, { rootMargin: "600px" });
  observer.observe(root);
  window.addEventListener("beforeprint", once);
}

/** Call `again` when the width of an element has changed. */
function whenResized(root, again) {
  let width = root.clientWidth, timer;
  new ResizeObserver(() => {
    if (Math.abs(root.clientWidth - width) < 8) return;
    width = root.clientWidth;
    clearTimeout(timer);
    timer = setTimeout(again, 150);
  }).observe(root);
}
