// The hash slots by owner, and what is happening to them.

import { clock, colour, count, el, moment, nodeName, patterns, picture, replace, room, several, shown, span, svg, swatch }
  from "./draw.js";
import { moveOf, ownerOf, recentMoves, silentNodes } from "./watch.js";

const SLOTS = 16384;
const TOP = 4, BOTTOM = 84, HEIGHT = 108;
/** The part of a piece that shows whose it was. */
const FORMER = 24;

export function drawSlots(status) {
  const map = status.shardMap;
  const strip = map.strip ?? "";
  const silent = new Set(silentNodes(status).map((node) => node.node));
  const width = room("slots"), each = width / Math.max(1, strip.length);
  const shards = map.shards / Math.max(1, strip.length);
  const pieces = cut(status, strip, silent).map((piece) => draw(piece, each, shards, strip.length));
  const ticks = (width < 500 ? [0, 8192, 16383] : [0, 4096, 8192, 12288, 16383]).map((slot) =>
    svg("text", { x: slot / 16383 * width, y: HEIGHT - 6, class: "quiet",
      "text-anchor": slot === 0 ? "start" : slot === 16383 ? "end" : "middle" }, String(slot)));
  const owned = `${map.owned} of ${map.shards} shards owned`;
  const moves = recentMoves().map((move) => ({ ...move, shards: Math.round(move.pieces * shards) }));
  const said = moves.map((move) => `${several(move.shards, "shard")} moved from ${nodeName(move.from)} to ${nodeName(move.to)}`);
  replace("slots", picture(width, HEIGHT, ["hash slots 0 to 16383", owned, ...said].join("; "), patterns("slots"), ...pieces, ...ticks));
  drawLegend(status, strip, silent, moves, owned);
}

/** Neighbours of one kind are one piece: a letter needs room. */
function cut(status, strip, silent) {
  const pieces = [];
  [...strip].forEach((sign, index) => {
    const owner = ownerOf(status, sign);
    const from = owner ? moveOf(index)?.from ?? null : null;
    const last = pieces.at(-1);
    if (last && last.sign === sign && last.from === from) {
      last.end = index + 1;
      return;
    }
    pieces.push({ sign, owner, from, first: index, end: index + 1, isMoving: owner !== null && sign !== owner.letter,
      isSilent: owner !== null && silent.has(owner.node), former: (status.shardMap.owners ?? []).find((one) => nodeName(one.node) === nodeName(from))?.letter ?? "" });
  });
  return pieces;
}

function draw(piece, each, shards, pieces) {
  const { sign, owner, from, first, end } = piece;
  const kind = sign === "!" ? "nobody" : owner ? `o${colour(owner.node)}` : "unknown";
  const x = first * each, size = (end - first) * each;
  const box = { x, y: TOP, width: size, height: BOTTOM - TOP };
  const group = svg("g", {}, svg("title", {}, title(piece, shards, pieces)), svg("rect", { ...box, class: `${kind} edge` }));
  const over = piece.isMoving ? "moving" : piece.isSilent ? "silent" : sign === "!" ? "late" : null;
  if (over) group.append(svg("rect", { ...box, fill: `url(#slots-${over})`, opacity: 0.5, class: over }));
  const middle = x + size / 2;
  let y = (TOP + BOTTOM) / 2 + 4;
  if (from) {
    y += FORMER / 2;
    group.append(svg("rect", { x, y: TOP, width: size, height: FORMER, class: `o${colour(from)} former` }));
    if (size >= 12 && piece.former) group.append(svg("text", { x: middle, y: TOP + 16, class: `letter l${colour(from)}` }, piece.former));
    if (size >= 12) group.append(svg("path", { d: `M${middle - 5} ${TOP + FORMER}h10l-5 7z`, class: "arrow" }));
  }
  if (size >= 9) {
    const plate = Math.min(18, size - 2);
    // On a pattern a letter needs ground of its own.
    if (over && sign !== "!") group.append(svg("rect", { x: middle - plate / 2, y: y - 14, width: plate, height: 19, class: kind, rx: 3 }));
    group.append(svg("text", { x: middle, y, class: sign === "!" ? "alarm" : owner ? `letter l${colour(owner.node)}` : "letter plain" }, sign));
  }
  return group;
}

function title({ sign, owner, from, first, end, isMoving, isSilent }, shards, pieces) {
  const one = Math.round(first * shards), last = Math.round(end * shards) - 1;
  const what = sign === "!" ? "owned by nobody" : owner
    ? `${isMoving ? "moving to" : "owned by"} ${shown(owner.node)}${isSilent ? ", which is silent" : ""}` : "not answered";
  const slots = SLOTS / pieces;
  return `shards ${one}–${last}, slots ${first * slots}–${end * slots - 1}: ${what}${from ? `, until just now ${shown(from)}'s` : ""}`;
}

function drawLegend(status, strip, silent, moves, owned) {
  const map = status.shardMap;
  const legend = (map.owners ?? []).map((owner) => {
    const state = status.nodes.find((node) => node.node === owner.node)?.state;
    const isBad = silent.has(owner.node) || state === "lost";
    return el("li", { class: isBad ? "bad" : null }, swatch(`o${colour(owner.node)}`, owner.letter),
      `${nodeName(owner.node)} ${owner.shards}${silent.has(owner.node) ? ", silent (dotted)" : state === "lost" ? ", lost" : ""}`);
  });
  for (const move of moves) {
    legend.push(el("li", { class: "moved" },
      `▼ ${several(move.shards, "shard")} from ${nodeName(move.from)} to ${nodeName(move.to)}, ${span(performance.now() - move.at)} ago`));
  }
  if (map.moving.length) legend.push(el("li", { class: "warn" }, `hatched, capital: ${count(map.moving.length)} moving there`));
  if (map.orphaned.length) legend.push(el("li", { class: "bad" }, `! ${count(map.orphaned.length)} without an owner`));
  if (strip.includes("?")) legend.push(el("li", { class: "bad" }, "? did not answer"));
  if (!map.version) legend.push(el("li", { class: "blank" }, "there is no shard map yet: the first leader makes it"));
  replace("owners", ...legend, el("li", { class: "blank" },
    map.version ? `${owned}; map of ${clock(moment(map.publishedAt), true)}` : owned));
}
