// The figures: what is viewed now, most, and where.

import { clock, count, el, facts, moment, picture, replace, room, shown, svg, table, text } from "./draw.js";

export const KINDS = ["pages", "sections", "websites"];
export const SPANS = ["30m", "1h", "24h", "7d"];

/** Bars of the last minutes; the one that has just begun is hollow. */
export function drawMinutes(minutes) {
  const width = room("minutes"), height = 150, bottom = 130;
  const most = Math.max(1, ...minutes.map((minute) => Number(minute.pageviews)));
  const each = width / Math.max(1, minutes.length);
  const drawing = minutes.map((minute, index) => {
    const value = Number(minute.pageviews), size = value / most * (bottom - 14);
    const isCurrent = index === minutes.length - 1;
    return svg("g", {}, svg("title", {}, `${clock(moment(minute.at))}: ${count(value)}`),
      svg("rect", { x: index * each + 1, y: bottom - size, width: Math.max(1, each - 2), height: size,
        class: isCurrent ? "bar current" : "bar" }));
  });
  drawing.push(svg("line", { x1: 0, x2: width, y1: bottom, y2: bottom, class: "axis" }),
    svg("text", { x: 0, y: 10, class: "quiet" }, count(most)));
  if (minutes.length) {
    drawing.push(svg("text", { x: 0, y: height - 4, class: "quiet" }, clock(moment(minutes[0].at))),
      svg("text", { x: width, y: height - 4, class: "quiet", "text-anchor": "end" }, clock(moment(minutes.at(-1).at))));
  }
  const whole = minutes.length > 1 ? Number(minutes.at(-2).pageviews) : null;
  text("minutes-now", whole === null ? "–" : count(whole));
  replace("minutes", minutes.length
    ? picture(width, height, `pageviews a minute, the last ${minutes.length} minutes`, ...drawing)
    : el("p", { class: "blank" }, "nothing has been counted in the last half hour"));
}

function change(row) {
  if (row.previousPageviews === null || row.previousPageviews === undefined) return "–";
  if (!Number(row.previousPageviews)) return el("span", { class: "good" }, "new");
  const share = Math.round(Number(row.pageviewsChange) / Number(row.previousPageviews) * 100);
  return el("span", { class: share > 0 ? "good" : share < 0 ? "warn" : null }, `${share > 0 ? "▲ +" : share < 0 ? "▼ −" : "± "}${Math.abs(share)} %`);
}

function sparkline(points) {
  if (!points || points.length < 2) return "";
  const width = 120, height = 24, most = Math.max(1, ...points);
  const path = points.map((value, index) =>
    `${index ? "L" : "M"}${(index / (points.length - 1) * width).toFixed(1)} ${(height - 2 - value / most * (height - 4)).toFixed(1)}`).join("");
  return picture(width, height, `from ${count(points[0])} to ${count(points.at(-1))}`, svg("path", { d: path, class: "line" }));
}

export function drawTop(answer, kind, sparks) {
  const isPages = kind === "pages";
  table("top", [["", true], [isPages ? "page" : kind.slice(0, -1)], ["pageviews", true], ["devices", true], ["change", true], [""]],
    answer.rows.map((row) => [
      count(row.rank),
      el("span", {}, shown(row.title || row.name || row.url), el("span", { class: "sub" }, row.title ? shown(row.url) : shown(isPages ? row.website ?? "" : kind === "sections" ? row.website ?? "" : ""))),
      count(row.pageviews), `${count(row.devices)}`, change(row), { cell: sparkline(sparks.get(row.id)), kind: "spark" }]),
    "nothing was viewed in this time");
  const error = answer.deviceError ? `; devices ±${(Number(answer.deviceError) * 100).toFixed(1)} %` : "";
  text("top-covers", `${clock(moment(answer.from))} – ${clock(moment(answer.to))}${answer.final ? ", final" : ", not final"}${answer.partial ? ", in part" : ""}${error}`);
}

export function drawFound(answer, words) {
  replace("found", ...answer.rows.map((row) => el("li", {},
    shown(row.title || row.name || row.url), el("span", { class: "sub" }, [row.url, row.website, row.section].filter(Boolean).map(shown).join(" · ")))));
  text("found-note", answer.rows.length ? "" : `nothing is called ${shown(words)}`);
}

export function drawEnrichment(answer, trouble) {
  if (!answer) return facts("enrichment", [["state", shown(trouble)]]);
  const isOff = !answer.nodes.length;
  facts("enrichment", [
    ["state", isOff ? "off: no node has an article API" : `on at ${count(answer.nodes.length)} nodes`],
    ["waiting", `${count(answer.queued)} new, ${count(answer.due)} due again`],
    ["given up", el("span", { class: answer.dead ? "warn" : null }, count(answer.dead))],
    ["last reason", shown(answer.lastReason ?? "none")],
  ]);
}
