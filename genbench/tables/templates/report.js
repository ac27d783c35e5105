"use strict";
// What moves on the page. Without scripts it still reads: every row, every column, stamps as titles.
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const only = (selector, root = document) => root.querySelector(selector);
function make(tag, properties = {}, ...inside) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside);
  return element;
}
// A heading's words, without the letter that leads to its notes; and that letter, which the notes begin with.
function words(head) {
  const copy = head.cloneNode(true);
  only("sup", copy)?.remove();
  return copy.textContent;
}
const letter = (element) => only("sup", element)?.textContent;
const memory = {
  key: (id) => `genbench ${document.title} ${id}`,
  get(id) { try { return JSON.parse(sessionStorage.getItem(this.key(id))); } catch { return null; } },
  set(id, value) { try { sessionStorage.setItem(this.key(id), JSON.stringify(value)); } catch { /* not remembered */ } },
};

// A heading's button sorts the recipes, best first, a second time the other way; what is absent stays last.
function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = make("button", { type: "button" }, ...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const first = head.dataset.better === "high" ? "descending" : "ascending";
      const second = first === "ascending" ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === first ? second : first;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const key = (row) => row.cells[column].dataset.sort;
      const compare = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        const less = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return order === "ascending" ? less : -less;
      };
      const body = only("tbody.recipes", table);
      body.append(...[...body.rows].sort(compare));
    });
  });
}

// Text and families leave rows out, with their pictures, curves and stamps; anchors stay, they are the scale.
function filterable(tools, table) {
  const section = table.closest("section");
  const chips = all(".families button", tools);
  const show = () => {
    const words = tools.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const families = chips.filter((chip) => chip.getAttribute("aria-pressed") === "true").map((chip) => chip.value);
    const gone = new Set();
    const rows = all("tbody.recipes tr", table);
    for (const row of rows) {
      const text = [...row.cells].filter((cell) => !cell.classList.contains("n")).map((cell) => cell.textContent).join(" ").toLowerCase();
      const fits = words.every((word) => text.includes(word)) && (!families.length || families.includes(row.dataset.family));
      if (!fits) gone.add(row.dataset.row);
    }
    all("[data-row]", section).forEach((element) => { element.hidden = gone.has(element.dataset.row); });
    only("output", tools).textContent = gone.size ? `${rows.length - gone.size} of ${rows.length} recipes` : `${rows.length} recipe${rows.length === 1 ? "" : "s"}`;
  };
  tools.addEventListener("input", (event) => { if (event.target.name === "text") show(); });
  tools.addEventListener("submit", (event) => event.preventDefault());
  chips.forEach((chip) => chip.addEventListener("click", () => {
    chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
    show();
  }));
  show();
}

// A box a column. What was chosen is remembered until the tab is closed; before, the columns that the page was written
// for are shown, as many as there is room for, those of least weight going first. Notes go and come with their columns.
function choosable(tools, table) {
  const heads = [...table.tHead.rows[0].cells];
  const names = heads.map(words);
  const kept = memory.get(table.id);
  const hidden = new Set(Array.isArray(kept) ? kept : names.filter((name, i) => "hidden" in heads[i].dataset));
  const menu = only(".columns", tools);
  const notes = all(".notes li", table.closest("section")).filter(letter);
  const show = () => {
    for (const row of table.rows) [...row.cells].forEach((cell, i) => { cell.hidden = hidden.has(names[i]); });
    const explained = new Set(heads.filter((head) => !head.hidden).map(letter));
    notes.forEach((note) => { note.hidden = !explained.has(letter(note)); });
    only("summary", menu).textContent = `Columns, ${names.length - names.filter((name) => hidden.has(name)).length} of ${names.length}`;
    boxes.forEach((box) => { box.checked = !hidden.has(box.value); });
  };
  const boxes = names.slice(1).map((name) => make("input", { type: "checkbox", value: name }));
  const every = make("button", { type: "button" }, "All");
  every.addEventListener("click", () => { hidden.clear(); memory.set(table.id, []); show(); });
  only("fieldset", menu).append(...boxes.map((box) => make("label", {}, box, ` ${box.value}`)), every);
  menu.addEventListener("change", (event) => {
    if (event.target.checked) hidden.delete(event.target.value);
    else hidden.add(event.target.value);
    memory.set(table.id, [...hidden]);
    show();
  });
  document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.open) { menu.open = false; only("summary", menu).focus(); }
  });
  const weights = [...new Set(heads.map((head) => Number(head.dataset.drop)))].sort((a, b) => b - a).filter(Boolean);
  show();
  for (const weight of Array.isArray(kept) ? [] : weights) {
    if (table.offsetWidth <= table.parentNode.clientWidth) break;
    names.forEach((name, i) => { if (Number(heads[i].dataset.drop) >= weight) hidden.add(name); });
    show();
  }
}

// One stop of the tab key a table; within it the arrows move between headings and figures.
function walkable(table) {
  table.setAttribute("role", "grid");
  const stop = (cell) => only("button, a", cell) ?? cell;
  const every = all("th, td", table).map(stop);
  every.forEach((element) => { element.tabIndex = -1; });
  every[0].tabIndex = 0;
  // What is filtered away cannot be the stop: the first cell that is seen takes its place.
  new MutationObserver(() => {
    const now = every.find((element) => element.tabIndex === 0);
    if (now?.offsetWidth) return;
    every.forEach((element) => { element.tabIndex = -1; });
    (every.find((element) => element.offsetWidth) ?? every[0]).tabIndex = 0;
  }).observe(table, { subtree: true, attributes: true, attributeFilter: ["hidden", "class"] });
  table.addEventListener("focusin", (event) => {
    const cell = event.target.closest("th, td");
    if (!cell) return;
    every.forEach((element) => { element.tabIndex = -1; });
    stop(cell).tabIndex = 0;
  });
  table.addEventListener("keydown", (event) => {
    const cell = event.target.closest("th, td");
    if (!cell || event.ctrlKey || event.altKey || event.metaKey) return;
    const rows = [...table.rows].filter((row) => !row.hidden);
    const cells = (row) => [...row.cells].filter((other) => !other.hidden && other.offsetWidth);
    const y = rows.indexOf(cell.parentNode), line = cells(cell.parentNode), x = line.indexOf(cell);
    const to = {
      ArrowLeft: () => line[x - 1], ArrowRight: () => line[x + 1], Home: () => line[0], End: () => line.at(-1),
      ArrowUp: () => rows[y - 1] && cells(rows[y - 1])[x], ArrowDown: () => rows[y + 1] && cells(rows[y + 1])[x],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    const next = to();
    if (next) stop(next).focus();
  });
}

// A figure's stamp, where one points at the figure or moves to it; Escape puts it away.
function stamped(tip) {
  let shown = null, later = 0;
  const hide = () => {
    clearTimeout(later);
    if (shown) (only("a", shown) ?? shown).removeAttribute("aria-describedby");
    shown = null;
    tip.hidden = true;
  };
  const show = (cell) => {
    hide();
    const table = cell.closest("table");
    const head = words(table.tHead.rows[0].cells[cell.cellIndex]).replace(/\s[↓↑]$/, "");
    const recipe = cell.parentNode.cells[0].textContent;
    const title = cell.cellIndex ? `${recipe}: ${head}` : recipe;
    tip.replaceChildren(make("b", {}, title), ...cell.dataset.tip.split("\n").map((line) => make("div", {}, line)));
    tip.hidden = false;
    shown = cell;
    (only("a", cell) ?? cell).setAttribute("aria-describedby", "tip");
    const at = cell.getBoundingClientRect(), size = tip.getBoundingClientRect(), edge = document.documentElement.clientWidth;
    tip.style.left = `${Math.max(8, Math.min(at.left, edge - size.width - 8))}px`;
    const below = at.bottom + 4;
    tip.style.top = `${below + size.height > innerHeight ? Math.max(8, at.top - size.height - 4) : below}px`;
  };
  const about = (target) => target instanceof Element ? target.closest("[data-tip]") : null;
  all("table.bench [title]").forEach((cell) => { cell.dataset.tip = cell.title; cell.removeAttribute("title"); });
  document.addEventListener("mouseover", (event) => {
    if (tip.contains(event.target)) return clearTimeout(later);
    const cell = about(event.target);
    if (cell === shown) return clearTimeout(later);
    clearTimeout(later);
    later = setTimeout(() => cell ? show(cell) : hide(), cell ? 90 : 220);
  });
  document.addEventListener("focusin", (event) => { const cell = about(event.target); cell ? show(cell) : hide(); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  document.addEventListener("scroll", () => { if (shown && !shown.contains(document.activeElement)) hide(); }, true);
}

// A click on a picture shows it large; the arrows go through those beside it, Escape closes.
function enlargeable(dialog) {
  let group = [], at = 0;
  const show = (index) => {
    at = (index + group.length) % group.length;
    const figure = group[at].closest("figure"), picture = only("img", figure), caption = only("figcaption", figure);
    const [large, said] = [only("img", dialog), only("p", dialog)];
    large.src = picture.src;
    large.alt = picture.alt;
    only("h2", dialog).textContent = picture.alt;
    only("#zoom-place", dialog).textContent = `${at + 1} of ${group.length}`;
    said.textContent = all("span", caption).map((span) => span.textContent).join(" · ");
  };
  for (const picture of all(".grids img")) {
    const button = make("button", { type: "button", className: "zoom" });
    button.setAttribute("aria-label", `Enlarge: ${picture.alt}`);
    picture.replaceWith(button);
    button.append(picture);
    button.addEventListener("click", () => {
      group = all("figure:not([hidden]) .zoom", button.closest(".grids"));
      show(group.indexOf(button));
      dialog.showModal();
    });
  }
  dialog.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (event.target === dialog || button?.value === "close") dialog.close();
    else if (button) show(at + Number(button.value));
  });
  dialog.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by) { event.preventDefault(); show(at + by); }
  });
  dialog.addEventListener("close", () => group[at]?.focus());
}

// A link to how a row was made opens it.
function opened() {
  const target = document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) target.open = true;
}

for (const tools of all("form.tools")) {
  const table = document.getElementById(tools.dataset.table);
  choosable(tools, table);
  sortable(table);
  filterable(tools, table);
  walkable(table);
  tools.hidden = false;
}
stamped(document.getElementById("tip"));
enlargeable(document.getElementById("zoom"));
all(".moving").forEach((hint) => { hint.hidden = false; });
addEventListener("hashchange", opened);
opened();
