// The deployment: how it is, who leads, which nodes there are, what came in.

import { clock, count, el, facts, moment, nodeName, picture, replace, room, several, shown, span, svg, table, text,
  ticking } from "./draw.js";
import { leaderSilence, recentLeader } from "./watch.js";

// Banner

export function drawBanner(status, verdict, age) {
  document.body.classList.remove("healthy", "degraded", "down", "stale", "empty");
  document.body.classList.add(verdict.kind);
  text("state", verdict.word);
  text("reasons", verdict.reason);
  // Only when it is another one: a screen reader would say it again.
  const next = verdict.next ? `Next: ${verdict.next}` : "";
  if (document.getElementById("next").textContent !== next) {
    replace("next", ...(next ? ["Next: ", el("code", {}, verdict.next)] : []));
  }
  const at = status ? clock(moment(status.observedAt), true) : "";
  text("freshness", !status ? "" : verdict.kind === "stale" ? `as of ${at}, ${span(age)} ago`
    : `as of ${at}${status.partial ? ", in part" : ""}`);
  document.title = status || verdict.kind !== "empty" ? `${verdict.word} – coordinator` : "coordinator";
}

// Leader

export function drawLeader(status, leaseLength, sinceSeen) {
  const leader = status.leader;
  const meter = document.getElementById("lease");
  const silence = leaderSilence(status, sinceSeen);
  text("leader", leader ? nodeName(leader.node) : "nobody leads");
  document.getElementById("leader").classList.toggle("bad", !leader);
  const left = leader ? Math.max(0, leader.leaseRemainingMs - sinceSeen) : 0;
  const share = leaseLength ? Math.min(1, left / leaseLength) : 0;
  meter.firstElementChild.style.width = `${Math.round(share * 100)}%`;
  meter.classList.toggle("low", silence !== null || share < 0.25);
  meter.setAttribute("aria-valuemax", String(leaseLength));
  meter.setAttribute("aria-valuenow", String(Math.round(left)));
  meter.setAttribute("aria-valuetext", leader ? ticking(left) : "nobody has it");
  text("leader-note", note(status, silence, left));
  document.getElementById("leader-note").classList.toggle("bad", !leader || silence !== null);
  facts("leader-facts", leader ? [
    ["lease left", `${ticking(left)}${leaseLength ? ` of ${ticking(leaseLength)}` : ""}`],
    ["leads since", `${clock(moment(leader.since), true)}, ${span(moment(status.observedAt) - moment(leader.since))}`],
    ["term", el("code", {}, shown(leader.term))],
    ["refused steps", `${count(status.fencedWrites)} of superseded owners`],
  ] : [["counting", "goes on: shards stay with their owners"], ["refused steps", count(status.fencedWrites)]]);
}

/** What is happening to the lead, if anything is. */
function note(status, silence, left) {
  const able = status.nodes.filter((node) => node.state === "ready" && node.node !== status.leader?.node);
  if (!status.leader) {
    return able.length ? `${several(able.length, "node")} there: one will take the lease`
      : "no node is there: start one with coordinator run";
  }
  if (silence !== null) {
    const then = able.length ? `then ${able.length === 1 ? nodeName(able[0].node) : `one of ${several(able.length, "node")}`} leads`
      : "then nobody leads";
    return left > 0 ? `silent: last heard of ${ticking(silence)} ago; its lease ends in ${ticking(left)}, ${then}`
      : `silent: last heard of ${ticking(silence)} ago; its lease has ended, ${then}`;
  }
  const change = recentLeader(performance.now());
  return change ? `took over from ${nodeName(change.from)} ${span(performance.now() - change.at)} ago` : "";
}

// Nodes

const STATES = { ready: "good", silent: "warn", draining: "warn", lost: "bad" };
/** Shapes beside the colours. */
const MARKS = { ready: "●", silent: "◐", draining: "◌", lost: "▲" };

export function drawNodes(status, sinceSeen) {
  const now = moment(status.observedAt);
  table("nodes", [["node"], ["state"], ["shards", true], ["heard of", true], ["version"]],
    status.nodes.map((node) => {
      const state = node.silent && node.state === "ready" ? "silent" : node.state;
      const age = now - moment(node.heartbeatAt) + (node.silent ? sinceSeen : 0);
      return [
        el("span", { title: shown(node.node) }, nodeName(node.node),
          el("span", { class: "sub" }, `${node.role === "leader" ? "leads, " : ""}on ${shown(node.host)}`)),
        el("span", { class: STATES[state] ?? null }, `${MARKS[state] ?? ""} ${shown(state)}`), count(node.shards),
        el("span", { class: node.silent ? STATES[state] : null }, `${ticking(age)} ago`), shown(node.version)];
    }), "no node is listed: start one with coordinator run");
}

// Sources

export function drawSources(status) {
  table("sources", [["source"], ["behind", true], ["read", true], ["counted", true], ["refused", true]],
    status.sources.map((source) => {
      const refused = Object.values(source.refused).reduce((sum, value) => sum + Number(value), 0);
      return [el("span", { title: shown(source.key) }, shown(source.name ?? source.key), el("span", { class: "sub" }, shown(source.state))),
        count(source.lag), count(source.read), count(source.counted),
        el("span", { class: refused ? "warn" : null }, count(refused))];
    }), "no source is known");
  drawRefused(status.sources);
}

function drawRefused(sources) {
  const reasons = new Map();
  let read = 0;
  for (const source of sources) {
    read += Number(source.read);
    for (const [reason, value] of Object.entries(source.refused)) reasons.set(reason, (reasons.get(reason) ?? 0) + Number(value));
  }
  const rows = [...reasons].filter((row) => row[1] > 0).sort((left, right) => right[1] - left[1]);
  const sum = rows.reduce((all, row) => all + row[1], 0);
  text("refused-note", sum ? `${count(sum)} of ${count(read)} events read, ${(sum / read * 100).toFixed(1)} %` : "nothing was refused");
  if (!rows.length) return replace("refused");
  const width = room("refused"), left = 86, most = rows[0][1], longest = Math.max(20, width - left - 80);
  replace("refused", picture(width, rows.length * 22 + 2, `refused events by reason: ${rows.map(([reason, value]) => `${shown(reason)} ${count(value)}`).join(", ")}`,
    ...rows.flatMap(([reason, value], index) => [
      svg("text", { x: 0, y: index * 22 + 15 }, shown(reason)),
      svg("rect", { x: left, y: index * 22 + 4, width: Math.max(2, value / most * longest), height: 14, class: "bar" }),
      svg("text", { x: left + Math.max(2, value / most * longest) + 6, y: index * 22 + 15, class: "quiet" }, count(value))])));
}
