// What lies on an axis of time: the windows of the tiers, leaders and maps.

import { clock, colour, el, moment, nodeName, patterns, picture, replace, room, shown, span, svg, swatch } from "./draw.js";

/** Windows that are late by more than this are said so; the server says of which tier. */
const LATE_MS = 60000;
const WINDOWS = 10;

// Tiers

export function drawTiers(status) {
  const width = room("tiers"), row = 30;
  replace("tiers", picture(width, status.tiers.length * row + 2,
    `the last ${WINDOWS} windows of each tier: ${status.tiers.map(sentence).join("; ")}`,
    patterns("tiers"), ...status.tiers.flatMap((tier, index) => drawTier(status, tier, index, width, row))));
  const legend = [["sealed", "sealed"], ["running", "under way"], ["due", "due"], ["late", "late"], ["open", "still open"],
    ["gap", "gap: before the start"]];
  replace("tiers-legend", ...legend.map(([kind, words]) => el("li", {}, swatch(kind, null,
    ...(kind === "late" ? [svg("rect", { x: 1, y: 1, width: 14, height: 14, fill: "url(#tiers-late)", opacity: 0.5 })] : [])), words)),
  el("li", {}, svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("line", { x1: 8, x2: 8, y1: 0, y2: 16, class: "now" })), "now"));
}

function sentence(tier) {
  return `${shown(tier.tier)} to ${clock(moment(tier.sealedTo), true)}${tier.late ? ", late" : ""}`;
}

function drawTier(status, tier, index, width, row) {
  // Each tier on an axis of its own: the last of its windows, up to now.
  const now = moment(status.observedAt), isBase = index === 0;
  const isNarrow = width < 560, left = isNarrow ? 92 : 110, right = isNarrow ? 84 : 200;
  const length = tier.lengthMs, from = now - WINDOWS * length;
  const x = (time) => left + Math.max(0, Math.min(1, (time - from) / (now - from))) * (width - left - right);
  const y = index * row + 4, height = row - 10;
  const drawing = [svg("text", { x: 0, y: y + height - 4 }, shown(tier.tier))];
  for (let start = Math.floor(from / length) * length; start < now; start += length) {
    const end = start + length, begin = x(start), size = Math.max(0, x(Math.min(end, now)) - begin - 1);
    if (size <= 0) continue;
    const kind = kindOf(status, tier, isBase, start, end, now);
    // An outline lies half outside of its box.
    const inset = kind === "due" || kind === "open" ? 1 : 0;
    const box = { x: begin + inset, y: y + inset, width: Math.max(0.5, size - 2 * inset), height: height - 2 * inset };
    drawing.push(svg("g", {}, svg("title", {}, `${clock(start, isBase)}–${clock(end, isBase)} ${kind}`), svg("rect", { ...box, class: kind }),
      ...(kind === "late" ? [svg("rect", { ...box, fill: "url(#tiers-late)", opacity: 0.5 })] : [])));
  }
  const sealedTo = moment(tier.sealedTo);
  drawing.push(svg("line", { x1: x(now), x2: x(now), y1: y - 2, y2: y + height + 2, class: "now" }));
  const words = isNarrow ? span(tier.lagMs) : `${sealedTo === null ? "–" : clock(sealedTo, isBase)} · ${span(tier.lagMs)} ago`;
  drawing.push(svg("text", { x: width - right + 10, y: y + height - 4, class: tier.late ? "alert" : "quiet" },
    sealedTo === null ? "nothing yet" : `${words}${tier.late ? (isNarrow ? " late" : " · late") : ""}`));
  return drawing;
}

/** What a window is: sealed in all shards, in some, waited for, not over yet, or from before all began. */
function kindOf(status, tier, isBase, start, end, now) {
  const sealedTo = moment(tier.sealedTo) ?? 0, aheadTo = moment(tier.aheadTo) ?? 0;
  const first = Math.floor((moment(status.startAt) ?? 0) / tier.lengthMs) * tier.lengthMs;
  if (end <= first) return "gap";
  if (end <= sealedTo) return "sealed";
  if (end > now) return isBase && sealedTo > start ? "running" : "open";
  if (tier.late && now - end > LATE_MS) return "late";
  return end <= aheadTo || tier.runs?.open || (isBase && sealedTo > start) ? "running" : "due";
}

// History

const SHOWN_KINDS = new Set(["elected", "stepped-down", "expired", "map", "joined", "left", "order"]);
const HOUR_MS = 3600000, SHORTEST_MS = 300000;
const LEFT = 56, NAME_ROOM = 60;

export function drawHistory(entries, status) {
  const now = moment(status.observedAt);
  const events = entries.filter((entry) => SHOWN_KINDS.has(entry.kind)).map((entry) => ({ ...entry, time: moment(entry.at) }));
  const earliest = events.length ? events[0].time : now - HOUR_MS;
  const from = Math.max(now - HOUR_MS, Math.min(earliest, now - SHORTEST_MS));
  const width = room("history");
  const x = (time) => LEFT + Math.max(0, Math.min(1, (time - from) / (now - from))) * (width - LEFT);
  const steps = width < 500 ? 2 : 4, axis = [];
  for (let step = 0; step <= steps; step += 1) {
    const time = from + (now - from) * step / steps;
    axis.push(svg("text", { x: x(time), y: 94, class: "quiet", "text-anchor": step === 0 ? "start" : step === steps ? "end" : "middle" },
      clock(time, true)));
  }
  const names = [["leader", 19], ["map", 49], ["nodes", 74]].map(([name, y]) => svg("text", { x: 0, y }, name));
  replace("history", picture(width, 98, `leaders, shard maps and nodes since ${clock(from)}; the list below has them in words`, ...names,
    ...drawTerms(termsOf(events), from, now, x), ...events.filter((event) => event.time >= from).map((event) => drawEvent(event, x(event.time))),
    svg("line", { x1: LEFT, x2: width, y1: 79, y2: 79, class: "axis" }), ...axis));
  replace("events", ...(events.length ? events.slice(-30).reverse().map((event) => el("li", { class: "event" },
    el("time", { datetime: event.at }, clock(event.time, true)), el("span", {}, shown(event.kind)),
    el("span", {}, `${nodeName(event.node)} ${shown(event.reason)}`))) : [el("li", { class: "blank" }, "nothing has happened yet")]));
}

/** Who led from when to when. */
function termsOf(events) {
  const terms = [];
  for (const event of events) {
    const last = terms.at(-1);
    if (event.kind === "elected") {
      if (last && last.end === null) last.end = event.time;
      terms.push({ node: event.node, begin: event.time, end: null });
    } else if ((event.kind === "stepped-down" || event.kind === "expired") && last && last.end === null) {
      last.end = event.time;
    }
  }
  return terms;
}

function drawTerms(terms, from, now, x) {
  let free = LEFT;
  return terms.filter((term) => (term.end ?? now) >= from).map((term) => {
    const begin = x(term.begin), size = Math.max(2, x(term.end ?? now) - begin);
    const name = nodeName(term.node), isWide = size > NAME_ROOM;
    const group = svg("g", {},
      svg("title", {}, `${shown(term.node)} led from ${clock(term.begin, true)} to ${term.end ? clock(term.end, true) : "now"}`),
      svg("rect", { x: begin, y: 4, width: size, height: 22, class: `o${colour(term.node)} edge` }));
    if (isWide) {
      group.append(svg("text", { x: begin + size / 2, y: 19, class: `letter l${colour(term.node)}` }, name.slice(0, size / 9)));
    } else if (begin - free > NAME_ROOM) {
      group.append(svg("text", { x: begin - 5, y: 19, "text-anchor": "end" }, name.slice(0, 7)));
    }
    free = begin + size;
    return group;
  });
}

function drawEvent(event, at) {
  const title = svg("title", {}, `${clock(event.time, true)} ${shown(event.kind)} ${shown(event.node ?? "")}: ${shown(event.reason)}`);
  if (event.kind === "map") return svg("g", {}, title, svg("line", { x1: at, x2: at, y1: 36, y2: 54, class: "mark", "stroke-width": 2 }));
  if (event.kind === "joined") return svg("g", {}, title, svg("path", { d: `M${at} 62l5 9h-10z`, class: "sealed" }));
  if (event.kind === "left") return svg("g", {}, title, svg("path", { d: `M${at} 73l5 -9h-10z`, class: "late" }));
  return svg("g", {}, title);
}
