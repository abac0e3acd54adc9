// One page that shows a deployment and its figures, and keeps itself up to date.

import { drawBanner, drawHistory, drawLeader, drawNodes, drawSlots, drawSources, drawTiers } from "./deployment.js";
import { KINDS, SPANS, drawEnrichment, drawFound, drawMinutes, drawTop } from "./figures.js";
import { el, moment, replace, shown, text } from "./draw.js";

const HISTORY_MS = 5000;
const FIGURES_MS = 15000;
const MINUTES_MS = 5000;
const RETRY_MS = 2000;
const SPARK_ROWS = 10;

const state = {
  status: null, seenAt: 0, leaseLength: 0, history: [], historyAt: 0, lastMap: null,
  kind: "pages", span: "30m", sparks: new Map(),
};

async function ask(path, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  const response = await fetch(query ? `${path}?${query}` : path, { headers: { Accept: "application/json" } });
  const body = await response.json();
  if (!response.ok) throw new Error(body.detail ?? body.title ?? `HTTP ${response.status}`);
  return body;
}

// Status: told by the server as it happens; asked for while that does not work.

function take(status) {
  state.status = status;
  state.seenAt = performance.now();
  // The longest that was seen left is what a lease lasts, nearly: renewals come at a quarter.
  state.leaseLength = Math.max(state.leaseLength, status.leader?.leaseRemainingMs ?? 0);
  drawBanner(status, 0);
  tick();
  drawSlots(status);
  drawNodes(status);
  drawTiers(status);
  drawSources(status);
  const changed = `${status.leader?.term} ${status.shardMap.version}`;
  if (changed !== state.lastMap) {
    state.lastMap = changed;
    refreshHistory();
  } else if (state.history.length) {
    drawHistory(state.history, status);
  }
}

function listen() {
  const source = new EventSource("/api/v1/live");
  source.addEventListener("status", (event) => take(JSON.parse(event.data)));
  source.onerror = () => {
    // It connects again by itself unless the server refused it: then ask, and try later.
    if (source.readyState !== EventSource.CLOSED) return;
    askStatus();
    setTimeout(listen, RETRY_MS * 5);
  };
}

async function askStatus() {
  try {
    take(await ask("/status"));
  } catch {
    // The banner says how old the last answer is.
  }
}

function tick() {
  const age = state.status ? performance.now() - state.seenAt : 0;
  drawBanner(state.status, age);
  if (state.status) drawLeader(state.status, state.leaseLength, age);
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

async function refreshTop() {
  const { kind, span } = state;
  try {
    const answer = await ask("/api/v1/top", { what: kind, last: span, number: SPARK_ROWS, compare: "previous" });
    // Somebody may have chosen something else meanwhile.
    if (kind !== state.kind || span !== state.span) return;
    drawTop(answer, kind, state.sparks);
    await refreshSparks(answer, kind);
    if (kind === state.kind && span === state.span) drawTop(answer, kind, state.sparks);
  } catch (error) {
    text("top-covers", shown(error.message));
  }
}

async function refreshSparks(answer, kind) {
  const to = moment(answer.to), from = to - 3 * 3600000;
  await Promise.all(answer.rows.slice(0, SPARK_ROWS).map(async (row) => {
    const what = kind === "pages" ? { page: row.id } : kind === "sections"
      ? { section: row.name, website: row.website } : { website: row.name };
    try {
      const series = await ask("/api/v1/series", { ...what, metric: "PG", from, to });
      state.sparks.set(row.id, (series.points ?? series).map((point) => Number(point.value ?? 0)));
    } catch {
      state.sparks.delete(row.id);
    }
  }));
  if (state.sparks.size > 200) state.sparks = new Map([...state.sparks].slice(-100));
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

function choices(id, values, key) {
  const draw = () => replace(id, ...values.map((value) => {
    const button = el("button", { type: "button", "aria-pressed": String(state[key] === value) }, value);
    button.addEventListener("click", () => {
      state[key] = value;
      draw();
      refreshTop();
    });
    return button;
  }));
  draw();
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
    const answer = await ask("/api/v1/search", { words, number: 8 });
    if (mine === searched) drawFound(answer, words);
  } catch (error) {
    if (mine === searched) text("found-note", shown(error.message));
  }
}

function remember(key, value) {
  try { localStorage.setItem(key, value); } catch { /* a private window has none */ }
}

function recall(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}

function theme(name) {
  document.documentElement.classList.remove("light", "dark");
  if (name) document.documentElement.classList.add(name);
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target instanceof HTMLInputElement) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "/") {
    event.preventDefault();
    document.getElementById("words").focus();
  } else if (event.key === "w") {
    document.documentElement.classList.toggle("wall");
  } else if (event.key === "t") {
    const isDark = document.documentElement.classList.contains("dark")
      || (!document.documentElement.classList.contains("light") && matchMedia("(prefers-color-scheme: dark)").matches);
    theme(isDark ? "light" : "dark");
    remember("theme", isDark ? "light" : "dark");
  }
}

theme(recall("theme"));
document.documentElement.classList.toggle("wall", new URLSearchParams(location.search).has("wall"));
choices("kinds", KINDS, "kind");
choices("spans", SPANS, "span");
document.addEventListener("keydown", keys);
let pause = null;
document.getElementById("words").addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(search, 250);
});
document.getElementById("search-form").addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
askStatus();
listen();
setInterval(tick, 250);
every(HISTORY_MS, refreshHistory);
every(FIGURES_MS, refreshTop);
every(MINUTES_MS, refreshMinutes);
every(FIGURES_MS, refreshEnrichment);
