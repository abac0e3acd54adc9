// The figures: what is viewed now, most, and where.

import { clock, count, el, facts, moment, picture, replace, room, several, shown, span, svg, table, text } from "./draw.js";

/** Bars of the last minutes; the one that has just begun is hollow. */
export function drawMinutes(minutes) {
  const width = room("minutes"), height = 150, bottom = 130;
  const most = Math.max(1, ...minutes.map((minute) => Number(minute.pageviews)));
  const each = width / Math.max(1, minutes.length);
  const drawing = minutes.map((minute, index) => {
    const value = Number(minute.pageviews), size = value / most * (bottom - 18);
    const isCurrent = index === minutes.length - 1;
    return svg("g", {}, svg("title", {}, `${clock(moment(minute.at))}: ${count(value)}`),
      svg("rect", { x: index * each + 1, y: bottom - size, width: Math.max(1, each - 2), height: size,
        class: isCurrent ? "bar current" : "bar" }));
  });
  drawing.push(svg("line", { x1: 0, x2: width, y1: bottom, y2: bottom, class: "axis" }),
    svg("line", { x1: 0, x2: width, y1: 18, y2: 18, class: "axis" }), svg("text", { x: 0, y: 13, class: "quiet" }, count(most)));
  if (minutes.length) {
    drawing.push(svg("text", { x: 0, y: height - 4, class: "quiet" }, clock(moment(minutes[0].at))),
      svg("text", { x: width, y: height - 4, class: "quiet", "text-anchor": "end" }, `${clock(moment(minutes.at(-1).at))}, not over`));
  }
  const whole = minutes.length > 1 ? minutes.at(-2) : null;
  text("minutes-now", whole === null ? "–" : count(whole.pageviews));
  text("minutes-note", whole === null ? "" : `in ${clock(moment(whole.at))}, the last whole minute; ${count(minutes.at(-1).pageviews)} since`);
  replace("minutes", minutes.some((minute) => Number(minute.pageviews))
    ? picture(width, height, `pageviews a minute, the last ${minutes.length} minutes: ${minutes.map((minute) => minute.pageviews).join(" ")}`, ...drawing)
    : el("p", { class: "blank" }, "nothing was viewed in the last half hour"));
}

function change(row) {
  if (row.previousPageviews === null || row.previousPageviews === undefined) return "–";
  if (!Number(row.previousPageviews)) return el("span", { class: "good" }, "new");
  const share = Math.round(Number(row.pageviewsChange) / Number(row.previousPageviews) * 100);
  return el("span", { class: share > 0 ? "good" : share < 0 ? "warn" : null }, `${share > 0 ? "▲ +" : share < 0 ? "▼ −" : "± "}${count(Math.abs(share))} %`);
}

/** One line without axes; the end is marked. */
function sparkline(points) {
  if (!points || points.length < 2) return "";
  const width = 120, height = 24, most = Math.max(1, ...points);
  const x = (index) => (index / (points.length - 1) * (width - 4) + 1).toFixed(1);
  const y = (value) => (height - 3 - value / most * (height - 6)).toFixed(1);
  const path = points.map((value, index) => `${index ? "L" : "M"}${x(index)} ${y(value)}`).join("");
  return picture(width, height, `from ${count(points[0])} over at most ${count(most)} to ${count(points.at(-1))}`,
    svg("path", { d: path, class: "line" }), svg("circle", { cx: x(points.length - 1), cy: y(points.at(-1)), r: 2, class: "dot" }));
}

const NAMES = { pages: "page", sections: "section", websites: "website" };

/** A list of what is viewed most; `lines` are the points of the rows' sparklines by id. */
export function drawTop(kind, answer, lines) {
  const isPages = kind === "pages";
  const heads = [["(rank)", true], [NAMES[kind]], ["views", true], ["devices", true], ["change", true], ["(course)", false]];
  table(kind, heads, answer.rows.map((row) => {
    const under = isPages ? (row.title ? row.url : row.website) : kind === "sections" ? row.website : null;
    return [count(row.rank),
      el("span", {}, shown(row.title || row.name || row.url), under ? el("span", { class: "sub" }, shown(under)) : null),
      count(row.pageviews), count(row.devices), change(row), { cell: sparkline(lines.get(row.id)), kind: "spark" }];
  }), "nothing was viewed in this time");
  if (!isPages) return;
  const from = moment(answer.from), to = moment(answer.to), isLong = to - from > 86400000;
  const day = (time) => isLong ? `${new Date(time).toISOString().slice(5, 10)} ` : "";
  const error = answer.deviceError ? `; devices ±${(Number(answer.deviceError) * 100).toFixed(1)} %` : "";
  text("top-covers", `${day(from)}${clock(from)} – ${day(to)}${clock(to)}${answer.final ? ", final" : ", not final"}${answer.partial ? ", in part" : ""}${error}`);
}

export function drawFound(answer, words) {
  replace("found", ...answer.rows.map((row) => el("li", {},
    shown(row.title || row.name || row.url), el("span", { class: "sub" }, [row.url, row.website, row.section].filter(Boolean).map(shown).join(" · ")))));
  const trouble = answer.partial ? "; some masters did not answer" : "";
  text("found-note", `${answer.rows.length ? `${several(answer.rows.length, "page")} of “${shown(words)}”` : `nothing is called “${shown(words)}”`}${trouble}`);
}

export function drawEnrichment(answer, trouble) {
  if (!answer) return facts("enrichment", [["state", shown(trouble)]]);
  const held = answer.nodes.filter((node) => node && !node.asked).length;
  const oldest = answer.oldestQueuedAt ? `, the oldest for ${span(moment(answer.observedAt) - moment(answer.oldestQueuedAt))}` : "";
  facts("enrichment", [
    ["state", !answer.nodes.length ? "off: no node has an article API" : held
      ? el("span", { class: "warn" }, `left alone by ${several(held, "node")}: it does not answer`) : `on, asked by ${several(answer.nodes.length, "node")}`],
    ["backlog", `${count(answer.queued)} new${oldest}`],
    ["later", `${count(answer.due)} due again, ${count(answer.scheduled)} planned`],
    ["titles written", count(answer.results?.found)],
    ["given up", el("span", { class: Number(answer.dead) ? "warn" : null }, count(answer.dead))],
    ["last trouble", answer.lastReason ? `${shown(answer.lastReason)}${answer.lastReasonAt ? `, ${clock(moment(answer.lastReasonAt), true)}` : ""}` : "none"],
  ]);
}
