// Making elements. Text only ever becomes text: nothing here parses markup.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element with attributes and children; strings become text nodes. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) set(element, key, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** The same in SVG. */
export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) set(element, key, value);
  element.append(...children);
  return element;
}

function set(element, key, value) {
  if (value === null || value === undefined || value === false) return;
  element.setAttribute(key, value === true ? "" : String(value));
}

/** A drawing of a width and height in its own units, with a sentence for who cannot see it. */
export function picture(width, height, label, ...children) {
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, ...children);
}

/** The width there is for a drawing, so that its letters keep their size on a phone. */
export function room(id) {
  return Math.max(240, document.getElementById(id).clientWidth || 1024);
}

export function replace(id, ...children) {
  document.getElementById(id).replaceChildren(...children);
}

export function text(id, value) {
  const element = document.getElementById(id);
  if (element.textContent !== value) element.textContent = value;
}

const COLOURS = 10;
const colours = new Map();

/** A node keeps its colour for as long as the page is open, whatever letter the strip gives it. */
export function colour(id) {
  const name = String(id).split("/")[0];
  if (!colours.has(name)) colours.set(name, colours.size % COLOURS);
  return colours.get(name);
}

/** A square of a legend: of a node's colour with its letter, or of a kind of mark. */
export function swatch(kind, letter, ...over) {
  return svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("rect", { x: 1, y: 1, width: 14, height: 14, class: kind }), ...over,
    ...(letter ? [svg("text", { x: 8, y: 12.5, class: `letter l${kind.slice(1)}` }, letter)] : []));
}

/** Patterns that tell apart what colours alone would not; `name` keeps two pictures' apart. */
export function patterns(name) {
  const line = (id, angle, width, every) => svg("pattern",
    { id: `${name}-${id}`, width: every, height: every, patternUnits: "userSpaceOnUse", patternTransform: `rotate(${angle})` },
    svg("rect", { width, height: every, fill: "var(--hatch)" }));
  return svg("defs", {}, line("moving", 45, 2.5, 6), line("late", -45, 2, 7),
    svg("pattern", { id: `${name}-silent`, width: 6, height: 6, patternUnits: "userSpaceOnUse" },
      svg("circle", { cx: 3, cy: 3, r: 1.5, fill: "var(--hatch)" })));
}

/** A table of heads `[title, isNumber]` (in parentheses for screen readers alone) and rows of cells: strings, elements, or `{cell, kind}`. */
export function table(id, heads, rows, empty) {
  const head = el("tr", {}, ...heads.map(([title, isNumber]) =>
    el("th", { scope: "col", class: isNumber ? "number" : null }, title.startsWith("(") ? el("span", { class: "hidden" }, title.slice(1, -1)) : title)));
  const body = rows.map((cells) => el("tr", {}, ...cells.map((cell, index) => {
    const kind = cell?.kind ?? (heads[index][1] ? "number" : "text");
    return el("td", { class: kind }, cell?.cell ?? cell ?? "–");
  })));
  if (!rows.length) {
    body.push(el("tr", {}, el("td", { colspan: heads.length, class: "blank" }, empty)));
  }
  replace(id, el("thead", {}, head), el("tbody", {}, ...body));
}

export function facts(id, pairs) {
  replace(id, ...pairs.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

// Numbers and times

/** Milliseconds of a number, a string of digits or ISO-8601; null of anything else. */
export function moment(value) {
  if (value === null || value === undefined || value === "") return null;
  if (typeof value === "number") return value;
  if (/^\d+$/.test(value)) return Number(value);
  const parsed = Date.parse(value);
  return Number.isNaN(parsed) ? null : parsed;
}

export function count(value) {
  return value === null || value === undefined ? "–" : Number(value).toLocaleString("en-US");
}

export function clock(milliseconds, withSeconds = false) {
  if (milliseconds === null) return "–";
  return new Date(milliseconds).toISOString().slice(11, withSeconds ? 19 : 16);
}

export function span(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return "–";
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}

/** What is printed on a terminal or a page must not steer it: controls become visible. */
export function shown(value) {
  return String(value ?? "").replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.codePointAt(0).toString(16).padStart(4, "0")}`);
}

/** A span that is looked at while it runs: tenths below ten seconds. */
export function ticking(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return "–";
  return milliseconds < 9950 ? `${(Math.max(0, milliseconds) / 1000).toFixed(1)} s` : span(milliseconds);
}

/** `3 nodes`, `1 node`. */
export function several(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** `node-1/2df735b3` as people call it. */
export function nodeName(id) {
  return shown(String(id ?? "").split("/")[0]);
}
