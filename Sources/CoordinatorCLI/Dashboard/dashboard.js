// One page that shows a deployment and its figures, and keeps itself up to date.

import { drawBanner, drawLeader, drawNodes, drawSources } from "./deployment.js";
import { drawEnrichment, drawFound, drawMinutes, drawTop } from "./figures.js";
import { el, moment, replace, shown, text } from "./draw.js";
import { drawHistory, drawTiers } from "./time.js";
import { drawSlots } from "./slots.js";
import { judge, observe, silentNodes } from "./watch.js";

const TICK_MS = 250;
const HISTORY_MS = 5000;
const FIGURES_MS = 15000;
const MINUTES_MS = 5000;
/** How soon a lost connection is tried again. */
const LISTEN_MS = 1000;
/** What is listed, and how many of each. */
const LISTS = { pages: 10, sections: 6, websites: 4 };
/** A sparkline of fewer points tells little: then it is of the finest windows, so many of them. */
const FEWEST_POINTS = 24, FINE_POINTS = 36;

const state = {
  status: null, seenAt: 0, leaseLength: 0, trouble: null, isConnected: true, history: [], changed: null,
  span: null, spans: "", lines: new Map(),
};

async function ask(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  const response = await fetch(query ? `${path}?${query}` : path, { headers: { Accept: "application/json" } });
  const body = await response.json();
  if (!response.ok) throw new Error(body.detail ?? body.title ?? `HTTP ${response.status}`);
  return body;
}

// Status: told by the server as it happens.

function take(status) {
  const now = performance.now(), isFirst = state.status === null;
  Object.assign(state, { status, seenAt: now, trouble: null, isConnected: true });
  // Where a node does not tell: renewals come at a quarter, so the longest seen left is nearly all.
  state.leaseLength = status.leader?.leaseMs ?? Math.max(state.leaseLength, status.leader?.leaseRemainingMs ?? 0);
  observe(status, now);
  if (isFirst) {
    refreshEnrichment();
    refreshMinutes();
  }
  offerSpans(status.tiers);
  tick();
  drawSlots(status);
  drawNodes(status, 0);
  drawTiers(status);
  drawSources(status);
  const changed = `${status.leader?.term} ${status.shardMap.version} ${status.nodes.map((node) => node.node)}`;
  if (changed !== state.changed) {
    state.changed = changed;
    refreshHistory();
  } else {
    drawHistory(state.history, status);
  }
}

function listen() {
  const source = new EventSource("/api/v1/live");
  source.addEventListener("open", () => { state.isConnected = true; });
  source.addEventListener("status", (event) => take(JSON.parse(event.data)));
  source.addEventListener("trouble", (event) => {
    state.trouble = JSON.parse(event.data);
    tick();
  });
  source.onerror = () => {
    // Its own pause before it connects again is longer than somebody who watches a restart likes.
    source.close();
    state.isConnected = false;
    tick();
    setTimeout(listen, LISTEN_MS);
  };
}

function tick() {
  const age = state.status ? performance.now() - state.seenAt : 0;
  drawBanner(state.status, judge(state.status, age, state.trouble, state.isConnected), age);
  if (!state.status) return;
  drawLeader(state.status, state.leaseLength, age);
  if (silentNodes(state.status).length) drawNodes(state.status, age);
}

async function refreshHistory() {
  try {
    state.history = await ask("/api/v1/history", { number: 300 });
    if (state.status) drawHistory(state.history, state.status);
  } catch {
    // The next one is soon.
  }
}

// Figures

async function refreshLists() {
  const { span } = state;
  if (!span) return;
  await Promise.all(Object.entries(LISTS).map(async ([kind, number]) => {
    try {
      const answer = await ask("/api/v1/top", { what: kind, last: span.words, number, compare: "previous" });
      // Somebody may have chosen another time meanwhile.
      if (span !== state.span) return;
      drawTop(kind, answer, linesOf(kind, answer));
      await refreshLines(kind, answer);
      if (span === state.span) drawTop(kind, answer, linesOf(kind, answer));
    } catch (error) {
      if (kind === "pages") text("top-covers", shown(error.message));
    }
  }));
}

/** From when to when sparklines beside an answer are, and in windows of which length. */
function axis(answer) {
  const to = moment(answer.to), [, finest] = state.status.tiers;
  const tier = state.status.tiers.find((one) => one.keepMs === state.span.milliseconds) ?? finest;
  const points = Math.floor(state.span.milliseconds / tier.lengthMs);
  return points < FEWEST_POINTS ? { tier: finest, from: to - FINE_POINTS * finest.lengthMs, to }
    : { tier, from: to - points * tier.lengthMs, to };
}

function key(kind, row, { tier, from, to }) {
  return `${kind} ${row.id} ${tier.tier} ${from} ${to}`;
}

function linesOf(kind, answer) {
  return new Map(answer.rows.map((row) => [row.id, state.lines.get(key(kind, row, axis(answer)))]));
}

/** Asks for the lines that are not there yet: they change only when another window has ended. */
async function refreshLines(kind, answer) {
  const along = axis(answer), { tier, from, to } = along;
  await Promise.all(answer.rows.map(async (row) => {
    const name = key(kind, row, along);
    if (state.lines.has(name)) return;
    const what = kind === "pages" ? { page: row.id } : kind === "sections"
      ? { section: row.name, website: row.website } : { website: row.name };
    try {
      const series = await ask("/api/v1/series", { ...what, metric: "PG", tier: tier.tier, from, to });
      const values = new Map(series.points.map((point) => [Number(point.window), Number(point.value)]));
      const line = [];
      for (let start = Math.ceil(from / tier.lengthMs) * tier.lengthMs; start + tier.lengthMs <= to; start += tier.lengthMs) {
        line.push(values.get(start) ?? 0);
      }
      state.lines.set(name, line);
    } catch {
      // A row without its line; it is asked for with the next answer.
    }
  }));
  if (state.lines.size > 400) state.lines = new Map([...state.lines].slice(-200));
}

async function refreshMinutes() {
  try {
    drawMinutes((await ask("/api/v1/now")).bars);
  } catch {
    text("minutes-now", "–");
  }
}

async function refreshEnrichment() {
  try {
    drawEnrichment(await ask("/api/v1/enrichment"));
  } catch (error) {
    drawEnrichment(null, error.message);
  }
}

function every(milliseconds, body) {
  const run = async () => {
    if (!document.hidden) await body();
    setTimeout(run, milliseconds);
  };
  run();
}

// Controls

const UNITS = [[86400000, "d", 2], [3600000, "h", 1], [60000, "m", 1], [1000, "s", 1]];

/** The times that the deployment's tiers are kept for, as `top --last` takes them. */
function offerSpans(tiers) {
  const spans = tiers.filter((tier) => tier.keepMs > 0).map(({ keepMs }) => {
    const [unit, letter] = UNITS.find(([size, , least]) => keepMs % size === 0 && keepMs >= size * least) ?? [1, "ms"];
    return { milliseconds: keepMs, words: `${keepMs / unit}${letter}` };
  });
  const words = spans.map((span) => span.words).join(" ");
  if (words === state.spans) return;
  state.spans = words;
  [state.span] = spans;
  const buttons = spans.map((span) => {
    const button = el("button", { type: "button", "aria-pressed": String(span === state.span) }, span.words);
    button.addEventListener("click", () => {
      state.span = span;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      refreshLists();
    });
    return button;
  });
  replace("spans", ...buttons);
  refreshLists();
}

let searched = 0;
async function search() {
  const words = document.getElementById("words").value.trim();
  searched += 1;
  const mine = searched;
  if (!words) {
    replace("found");
    return text("found-note", "");
  }
  try {
    const answer = await ask("/api/v1/search", { words, number: 6 });
    if (mine === searched) drawFound(answer, words);
  } catch (error) {
    if (mine !== searched) return;
    replace("found");
    text("found-note", shown(error.message));
  }
}

function remember(name, value) {
  try { localStorage.setItem(name, value); } catch { /* a private window has none */ }
}

function recall(name) {
  try { return localStorage.getItem(name); } catch { return null; }
}

function theme(name) {
  document.documentElement.classList.remove("light", "dark");
  if (name === "light" || name === "dark") document.documentElement.classList.add(name);
}

/** Drawings have the width of their place: they are made again when that is another. */
function redraw() {
  if (state.status) take(state.status);
  refreshMinutes();
}

function wall(isOn) {
  document.documentElement.classList.toggle("wall", isOn);
  redraw();
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target instanceof HTMLInputElement) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const { classList } = document.documentElement;
  if (event.key === "/") {
    event.preventDefault();
    if (classList.contains("wall")) wall(false);
    document.getElementById("words").focus();
  } else if (event.key === "w") {
    wall(!classList.contains("wall"));
  } else if (event.key === "t") {
    const isDark = classList.contains("dark") || (!classList.contains("light") && matchMedia("(prefers-color-scheme: dark)").matches);
    theme(isDark ? "light" : "dark");
    remember("theme", isDark ? "light" : "dark");
  }
}

theme(recall("theme"));
if (new URLSearchParams(location.search).has("wall")) document.documentElement.classList.add("wall");
document.addEventListener("keydown", keys);
let pause = null, sized = null;
document.getElementById("words").addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(search, 250);
});
document.getElementById("search-form").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(pause);
  search();
});
window.addEventListener("resize", () => {
  clearTimeout(sized);
  sized = setTimeout(redraw, 150);
});
listen();
setInterval(tick, TICK_MS);
every(HISTORY_MS, refreshHistory);
every(FIGURES_MS, refreshLists);
every(MINUTES_MS, refreshMinutes);
every(FIGURES_MS, refreshEnrichment);
