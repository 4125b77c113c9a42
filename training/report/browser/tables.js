// Tables: a click on a title sorts the rows; a button below downloads them.

const FEW = 7;  // columns, of which a narrow screen shows all

function sortBy(head) {
  const body = head.closest("table").tBodies[0], ascending = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const key = (row) => {
    const cell = row.cells[head.cellIndex], value = cell.dataset.value ?? cell.textContent;
    return value.trim() === "" || isNaN(value) ? value : Number(value);
  };
  Array.from(body.rows).sort((a, b) => {
    const x = key(a), y = key(b);
    if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
    return (typeof x === "number" ? x - y : x.localeCompare(y)) * (ascending ? 1 : -1);
  }).forEach((row) => body.append(row));
}

document.addEventListener("click", (event) => {
  const head = event.target.closest("th:has(> button)");
  if (head && event.target.closest("button")) sortBy(head);
});

/** Put a download button below a table. */
function equip(wrapper) {
  const table = wrapper.querySelector("table"), place = wrapper.closest("section, details");
  const title = table.caption ? table.caption.textContent : titleOf(place);
  const name = fileName(title) || "table";
  wrapper.after(element("p", { class: "buttons" }, button("CSV", `Download as CSV: ${title}`,
    () => save(`${name}.csv`, "text/csv", csvOf(table)))));
}

function titleOf(place) {
  const head = place && place.querySelector(":scope > h2, :scope > summary");
  return head ? head.textContent.trim() : "table";
}

function fileName(text) {
  return text.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_|_$/g, "");
}

/** A sortable table of texts and numbers; `cells` are [text, value] or a text. */
function tableOf(titles, rows, caption) {
  const cell = (one, tag) => (Array.isArray(one)
    ? element(tag, { class: "n", "data-value": one[1] }, one[0]) : element(tag, {}, one));
  const isNumber = (index) => rows.some((row) => Array.isArray(row[index]));
  return element("div", { class: titles.length <= FEW ? "wide few" : "wide many" }, element("table", {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...titles.map((title, index) => element("th",
      { class: isNumber(index) ? "n" : "", scope: "col" },
      element("button", { type: "button", title: "sort by this column" }, title))))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((one) => cell(one, "td")))))));
}
