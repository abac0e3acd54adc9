// The deployment: who leads, who owns what, how far the tiers are, what happened.

import { clock, count, el, facts, moment, nodeName, picture, replace, room, shown, span, svg, table, text }
  from "./draw.js";

const SLOTS = 16384;
const LATE_MS = 60000;
const COLOURS = 10;

/** A node keeps its colour for as long as the page is open, whatever letter the strip gives it. */
const colours = new Map();
function colour(name) {
  if (!colours.has(name)) colours.set(name, colours.size % COLOURS);
  return colours.get(name);
}

// Banner

export function drawBanner(status, age) {
  const state = status ? status.health.state : "empty";
  const isStale = status && age > 5000;
  document.body.classList.remove("healthy", "degraded", "down", "stale", "empty");
  document.body.classList.add(isStale ? "stale" : state);
  text("state", !status ? "connecting" : isStale ? "no news" : state);
  text("reasons", !status ? "" : isStale
    ? `This node has not answered for ${span(age)}; what is shown is from ${clock(moment(status.observedAt), true)}.`
    : status.health.reasons.map(shown).join("; ") || "every shard has an owner, every tier is in time");
  const next = !status ? null : isStale ? "coordinator status" : nextCommand(status);
  // Only when it is another one: a screen reader would say it again.
  if (document.getElementById("next").textContent !== (next ? `Next: ${next}` : "")) {
    replace("next", ...(next ? ["Next: ", el("code", {}, next)] : []));
  }
  text("freshness", status ? `as of ${clock(moment(status.observedAt), true)}${status.partial ? ", in part" : ""}` : "");
  document.title = status ? `${isStale ? "no news" : state} – coordinator` : "coordinator";
}

/** What an operator would type now. */
function nextCommand(status) {
  if (status.health.state === "healthy") return null;
  if (!status.leader) return "coordinator nodes";
  if (status.partial) return "coordinator check";
  if (status.shardMap.orphaned.length || status.shardMap.moving.length) return "coordinator shards";
  const paused = status.health.reasons.map((reason) => /`(coordinator resume [A-Z0-9]+)`/.exec(reason)).find(Boolean);
  if (paused) return paused[1];
  return status.nodes.some((node) => node.state === "lost") ? "coordinator history" : "coordinator tiers";
}

// Leader

export function drawLeader(status, leaseLength, sinceSeen) {
  const leader = status.leader;
  const meter = document.getElementById("lease");
  text("leader", leader ? nodeName(leader.node) : "nobody leads");
  document.getElementById("leader").classList.toggle("bad", !leader);
  const left = leader ? Math.max(0, leader.leaseRemainingMs - sinceSeen) : 0;
  const share = leaseLength ? Math.min(1, left / leaseLength) : 0;
  meter.firstElementChild.style.width = `${Math.round(share * 100)}%`;
  meter.classList.toggle("low", share < 0.25);
  meter.setAttribute("aria-valuemax", String(leaseLength));
  meter.setAttribute("aria-valuenow", String(Math.round(left)));
  facts("leader-facts", leader ? [
    ["lease left", `${(left / 1000).toFixed(1)} s`],
    ["leads since", `${clock(moment(leader.since), true)}, ${span(moment(status.observedAt) - moment(leader.since))}`],
    ["term", el("code", {}, shown(leader.term))],
    ["refused steps", `${count(status.fencedWrites)} of superseded owners`],
  ] : [["counting", "goes on: shards stay with their owners"], ["refused steps", count(status.fencedWrites)]]);
}

// Hash slots

export function drawSlots(status) {
  const map = status.shardMap;
  const strip = map.strip ?? "";
  const owners = new Map((map.owners ?? []).map((owner) => [owner.letter, owner]));
  const width = room("slots"), height = 104, top = 4, bottom = 80;
  const drawing = [svg("defs", {}, svg("pattern",
    { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { width: 2.5, height: 6, fill: "var(--hatch)" })))];
  const each = width / Math.max(1, strip.length);
  // Neighbours of one kind are one piece: a letter needs room.
  for (let first = 0; first < strip.length;) {
    let end = first + 1;
    while (end < strip.length && strip[end] === strip[first]) end += 1;
    const sign = strip[first];
    const owner = owners.get(sign.toLowerCase());
    const isMoving = owner && sign !== sign.toLowerCase();
    const kind = sign === "!" ? "nobody" : owner ? `o${colour(owner.node.split("/")[0])}` : "silent";
    const x = first * each, size = (end - first) * each;
    const what = sign === "!" ? "owned by nobody" : owner
      ? `${isMoving ? "moving to" : "owned by"} ${shown(owner.node)}` : "not answered";
    const box = { x, y: top, width: size, height: bottom - top };
    const piece = svg("g", {},
      svg("title", {}, `shards ${first}–${end - 1}, slots ${first * SLOTS / strip.length}–${end * SLOTS / strip.length - 1}: ${what}`),
      svg("rect", { ...box, class: `${kind} edge` }));
    if (isMoving) piece.append(svg("rect", { ...box, fill: "url(#hatch)", opacity: 0.55 }));
    if (size >= 9) {
      piece.append(svg("text", { x: x + size / 2, y: (top + bottom) / 2 + 4,
        class: sign === "!" ? "alarm" : "letter" }, sign));
    }
    drawing.push(piece);
    first = end;
  }
  for (const slot of width < 500 ? [0, 8192, 16383] : [0, 4096, 8192, 12288, 16383]) {
    const x = slot / 16383 * width;
    drawing.push(svg("text", { x, y: height - 4, class: "quiet",
      "text-anchor": slot === 0 ? "start" : slot === 16383 ? "end" : "middle" }, String(slot)));
  }
  const owned = `${map.owned} of ${map.shards} shards owned`;
  replace("slots", picture(width, height, `hash slots 0 to 16383: ${owned}`, ...drawing));
  const legend = (map.owners ?? []).map((owner) => el("li", {}, swatch(`o${colour(owner.node.split("/")[0])}`, owner.letter),
    `${nodeName(owner.node)} ${owner.shards}`));
  if (map.moving.length) legend.push(el("li", { class: "warn" }, `hatched, capital: ${map.moving.length} moving there`));
  if (map.orphaned.length) legend.push(el("li", { class: "bad" }, `! ${map.orphaned.length} without an owner`));
  if (strip.includes("?")) legend.push(el("li", { class: "bad" }, "? did not answer"));
  if (!strip) legend.push(el("li", { class: "blank" }, "there is no shard map yet"));
  replace("owners", ...legend, el("li", { class: "blank" }, `${owned}; map of ${clock(moment(map.publishedAt), true)}`));
}

function swatch(kind, letter) {
  return svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("rect", { width: 16, height: 16, class: kind }),
    svg("text", { x: 8, y: 12, class: "letter" }, letter));
}

// Nodes

export function drawNodes(status) {
  const now = moment(status.observedAt);
  const kinds = { ready: "good", draining: "warn", lost: "bad" };
  table("nodes", [["node"], ["state"], ["shards", true], ["heard of", true], ["version"]],
    status.nodes.map((node) => [
      el("span", { title: shown(node.node) }, nodeName(node.node),
        el("span", { class: "sub" }, `${node.role === "leader" ? "leads, " : ""}on ${shown(node.host)}`)),
      el("span", { class: kinds[node.state] ?? null }, node.state), count(node.shards),
      `${span(now - moment(node.heartbeatAt))} ago`, shown(node.version)]),
    "no node is listed: start one with coordinator run");
}

// Tiers

export function drawTiers(status) {
  const now = moment(status.observedAt);
  const width = room("tiers"), isNarrow = width < 560;
  const left = isNarrow ? 92 : 110, right = isNarrow ? 76 : 170, row = 30;
  const tiers = status.tiers;
  const drawing = [];
  tiers.forEach((tier, index) => {
    // Each tier on an axis of its own: the last ten of its windows, up to now.
    const length = tier.lengthMs, from = now - 10 * length;
    const x = (time) => left + Math.max(0, Math.min(1, (time - from) / (now - from))) * (width - left - right);
    const y = index * row + 4, height = row - 10;
    const sealedTo = moment(tier.sealedTo);
    const isBase = index === 0;
    const isLate = sealedTo === null || (!isBase && now - sealedTo > length + LATE_MS * 2) || (isBase && now - sealedTo > LATE_MS);
    const what = `${tier.tier} sealed to ${sealedTo === null ? "–" : clock(sealedTo, true)}, ${span(tier.lagMs)} ago`;
    drawing.push(svg("text", { x: 0, y: y + height - 4 }, shown(tier.tier)));
    for (let start = Math.floor(from / length) * length; start < now; start += length) {
      const end = start + length, begin = x(start), size = Math.max(0, x(Math.min(end, now)) - begin - 1);
      if (size <= 0) continue;
      const kind = sealedTo !== null && end <= sealedTo ? "sealed" : end > now ? (isBase && sealedTo > start ? "running" : "open")
        : isLate ? "late" : "running";
      drawing.push(svg("g", {}, svg("title", {}, `${clock(start)}–${clock(end)} ${kind}`),
        svg("rect", { x: begin, y, width: size, height, class: kind })));
    }
    drawing.push(svg("line", { x1: x(now), x2: x(now), y1: y - 2, y2: y + height + 2, class: "now" }));
    drawing.push(svg("text", { x: width - right + 10, y: y + height - 4, class: isLate ? "" : "quiet" },
      isNarrow ? `${span(tier.lagMs)}${isLate ? " late" : ""}`
      : `${sealedTo === null ? "–" : clock(sealedTo, isBase)} · ${span(tier.lagMs)}${isLate ? " · late" : ""}`),
    svg("title", {}, what));
  });
  replace("tiers", picture(width, tiers.length * row, "the last ten windows of each tier", ...drawing));
  const legend = [["sealed", "sealed"], ["running", "due, under way"], ["late", "late"], ["open", "still open"]];
  replace("tiers-legend", ...legend.map(([kind, words]) => el("li", {},
    svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" },
      svg("rect", { x: 1, y: 1, width: 14, height: 14, class: kind })), words)),
  el("li", { class: "blank" }, "dashed line: now"));
}

// History

const SHOWN_KINDS = new Set(["elected", "stepped-down", "expired", "map", "joined", "left", "order"]);

export function drawHistory(entries, status) {
  const now = moment(status.observedAt);
  const events = entries.filter((entry) => SHOWN_KINDS.has(entry.kind)).map((entry) => ({ ...entry, time: moment(entry.at) }));
  const earliest = events.length ? events[0].time : now - 3600000;
  const from = Math.max(now - 3600000, Math.min(earliest, now - 300000));
  const width = room("history"), left = 56, x = (time) => left + Math.max(0, (time - from) / (now - from)) * (width - left);
  const drawing = [];
  // Who led from when to when.
  const terms = [];
  for (const event of events) {
    if (event.kind === "elected") {
      if (terms.length && terms.at(-1).end === null) terms.at(-1).end = event.time;
      terms.push({ node: event.node, begin: event.time, end: null });
    } else if ((event.kind === "stepped-down" || event.kind === "expired") && terms.length && terms.at(-1).end === null) {
      terms.at(-1).end = event.time;
    }
  }
  drawing.push(svg("text", { x: 0, y: 19 }, "leader"), svg("text", { x: 0, y: 49 }, "map"), svg("text", { x: 0, y: 74 }, "nodes"));
  for (const term of terms) {
    const end = term.end ?? now;
    if (end < from) continue;
    const begin = x(term.begin), size = Math.max(2, x(end) - begin);
    drawing.push(svg("g", {}, svg("title", {}, `${shown(term.node)} led from ${clock(term.begin, true)} to ${term.end ? clock(term.end, true) : "now"}`),
      svg("rect", { x: begin, y: 4, width: size, height: 22, class: `o${colour(String(term.node).split("/")[0])} edge` }),
      ...(size > 50 ? [svg("text", { x: begin + size / 2, y: 19, class: "letter" }, nodeName(term.node))] : [])));
  }
  for (const event of events) {
    if (event.time < from) continue;
    const at = x(event.time);
    const title = svg("title", {}, `${clock(event.time, true)} ${event.kind} ${shown(event.node ?? "")}: ${shown(event.reason)}`);
    if (event.kind === "map") {
      drawing.push(svg("g", {}, title, svg("line", { x1: at, x2: at, y1: 36, y2: 54, class: "mark", "stroke-width": 2 })));
    } else if (event.kind === "joined") {
      drawing.push(svg("g", {}, title, svg("path", { d: `M${at} 62l5 9h-10z`, class: "sealed" })));
    } else if (event.kind === "left") {
      drawing.push(svg("g", {}, title, svg("path", { d: `M${at} 73l5 -9h-10z`, class: "late" })));
    }
  }
  const steps = width < 500 ? 2 : 4;
  for (let step = 0; step <= steps; step += 1) {
    const time = from + (now - from) * step / steps;
    drawing.push(svg("text", { x: x(time), y: 92, class: "quiet", "text-anchor": step === 0 ? "start" : step === steps ? "end" : "middle" }, clock(time, true)));
  }
  drawing.push(svg("line", { x1: left, x2: width, y1: 79, y2: 79, class: "axis" }));
  replace("history", picture(width, 96, "leaders, shard maps and nodes of the last hour", ...drawing));
  replace("events", ...events.slice(-30).reverse().map((event) => el("li", {},
    el("time", { datetime: event.at }, clock(event.time, true)), el("span", {}, event.kind),
    el("span", {}, `${nodeName(event.node)} ${shown(event.reason)}`))));
}

// Sources

export function drawSources(status) {
  table("sources", [["source"], ["behind", true], ["read", true], ["counted", true], ["refused", true]],
    status.sources.map((source) => {
      const refused = Object.values(source.refused).reduce((sum, value) => sum + Number(value), 0);
      return [el("span", { title: shown(source.key) }, shown(source.name ?? source.key), el("span", { class: "sub" }, source.state)),
        count(source.lag), count(source.read), count(source.counted),
        el("span", { class: refused ? "warn" : null }, count(refused))];
    }), "no source is known");
  const reasons = {};
  for (const source of status.sources) {
    for (const [reason, value] of Object.entries(source.refused)) reasons[reason] = (reasons[reason] ?? 0) + Number(value);
  }
  const rows = Object.entries(reasons).sort((left, right) => right[1] - left[1]);
  const most = rows.length ? rows[0][1] : 1;
  replace("refused", ...(rows.length ? [picture(400, rows.length * 20 + 4, "refused events by reason",
    ...rows.flatMap(([reason, value], index) => [
      svg("text", { x: 0, y: index * 20 + 15 }, shown(reason)),
      svg("rect", { x: 80, y: index * 20 + 4, width: Math.max(1, value / most * 230), height: 14, class: "bar" }),
      svg("text", { x: 86 + value / most * 230, y: index * 20 + 15, class: "quiet" }, count(value))]))] : []));
}
