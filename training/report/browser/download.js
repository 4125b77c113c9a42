// Downloads: tables as CSV, pictures as SVG and PNG. Everything is made in the browser; nothing is fetched.

const PIXEL_RATIO = 2;

function save(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

function button(text, label, action) {
  return element("button", { type: "button", class: "small", "aria-label": label, onclick: action }, text);
}

/** Text of a table: numbers as they were measured, not as they are rounded for the eye. */
function csvOf(table) {
  const heads = Array.from(table.tHead.rows[0].cells, (cell) => cell.textContent.trim());
  const rows = Array.from(table.tBodies[0].rows, (row) => Array.from(row.cells));
  const columns = heads.flatMap((title, index) => {
    const withError = rows.some((row) => row[index] && row[index].dataset.error !== undefined);
    const value = [title, (cell) => cell.dataset.value ?? cell.textContent.trim().replace(/^-$/, "")];
    const error = [title + " error", (cell) => cell.dataset.error ?? ""];
    return (withError ? [value, error] : [value]).map(([name, of]) => [name, (row) => (row[index] ? of(row[index]) : "")]);
  });
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return [columns.map(([name]) => name), ...rows.map((row) => columns.map(([, of]) => of(row)))]
    .map((line) => line.map(quoted).join(",") + "\r\n").join("");
}

/** A picture of the page as a file of its own: on white, with black text. */
function svgOf(svg) {
  const box = svg.viewBox.baseVal, size = svg.getBoundingClientRect();
  const width = (box && box.width) || size.width, height = (box && box.height) || size.height;
  const copy = svg.cloneNode(true);
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  copy.style.color = "#1a202c";
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  ground.setAttribute("width", "100%");
  ground.setAttribute("height", "100%");
  ground.setAttribute("fill", "#ffffff");
  copy.prepend(ground);
  return { text: new XMLSerializer().serializeToString(copy), width, height };
}

async function savePng(svg, name) {
  const { text, width, height } = svgOf(svg);
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  await image.decode();
  const canvas = element("canvas", { width: Math.round(width * PIXEL_RATIO), height: Math.round(height * PIXEL_RATIO) });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  canvas.toBlob((blob) => save(`${name}.png`, "image/png", blob), "image/png");
}

function pictureButtons(name, title, find) {
  return element("span", { class: "buttons" },
    button("SVG", `Download as SVG: ${title}`, () => save(`${name}.svg`, "image/svg+xml", svgOf(find()).text)),
    button("PNG", `Download as PNG: ${title}`, () => savePng(find(), name)));
}
