// What the page makes of two readings: who is silent, what moved, and what to say about it.

import { moment, nodeName, several, shown } from "./draw.js";

/** For how long a move stays marked. */
export const MARKED_MS = 30000;
/** Without news for this long what is shown is old; where the connection is gone, sooner. */
const STALE_MS = 5000;
const LOST_STALE_MS = 2000;

// Moves

const owners = [];
const moves = new Map();
let leader = null;
let leaderChange = null;

/** The node that a character of the strip stands for; null of nobody. */
export function ownerOf(status, sign) {
  return (status.shardMap.owners ?? []).find((owner) => owner.letter === sign.toLowerCase()) ?? null;
}

/** Takes in one more reading. */
export function observe(status, now) {
  const strip = status.shardMap.strip ?? "";
  if (owners.length !== strip.length) {
    owners.length = 0;
    owners.push(...new Array(strip.length).fill(null));
    moves.clear();
  }
  [...strip].forEach((sign, index) => {
    const owner = ownerOf(status, sign);
    if (!owner) return;
    const before = owners[index];
    owners[index] = owner.node;
    if (before && nodeName(before) !== nodeName(owner.node)) moves.set(index, { from: before, to: owner.node, at: now });
  });
  for (const [index, move] of moves) {
    if (now - move.at > MARKED_MS) moves.delete(index);
  }
  const next = status.leader?.node ?? null;
  if (next && leader && next !== leader) leaderChange = { from: leader, at: now };
  leader = next ?? leader;
}

/** The move that a character of the strip has just made. */
export function moveOf(index) {
  return moves.get(index) ?? null;
}

/** The moves of the last seconds, those of one way together: `{ from, to, at, pieces }`. */
export function recentMoves() {
  const ways = new Map();
  for (const move of moves.values()) {
    const key = `${move.from} ${move.to}`;
    const way = ways.get(key) ?? { ...move, pieces: 0 };
    way.pieces += 1;
    way.at = Math.max(way.at, move.at);
    ways.set(key, way);
  }
  return [...ways.values()].sort((left, right) => right.at - left.at);
}

/** The leader before this one, for some time after the change. */
export function recentLeader(now) {
  return leaderChange && now - leaderChange.at < MARKED_MS ? leaderChange : null;
}

// Silence

/** Nodes that should have been heard of by now and are not lost yet. */
export function silentNodes(status) {
  return status.nodes.filter((node) => node.silent && node.state !== "lost");
}

/** Since when the leader is silent, by its heartbeat and by its lease: the later of them. */
export function leaderSilence(status, sinceSeen) {
  const node = status.nodes.find((one) => one.node === status.leader?.node);
  if (!node?.silent) return null;
  const spans = [moment(status.observedAt) - moment(node.heartbeatAt)];
  if (status.leader.leaseMs) spans.push(status.leader.leaseMs - status.leader.leaseRemainingMs);
  return Math.min(...spans) + sinceSeen;
}

// What to say

/** How the deployment is, in one word, why, and what an operator would type now. */
export function judge(status, age, trouble, isConnected) {
  if (!status) {
    if (!trouble) return { kind: "empty", word: "connecting", reason: "", next: null };
    const isNew = trouble.title === "Not Initialised";
    return { kind: "down", word: isNew ? "not initialised" : "no answer", reason: shown(trouble.detail),
      next: isNew ? "coordinator init" : "coordinator check" };
  }
  if (age > STALE_MS || (!isConnected && age > LOST_STALE_MS)) {
    const why = !isConnected ? "this node does not answer"
      : trouble ? `Redis: ${shown(trouble.detail)}` : "Redis does not answer this node";
    return { kind: "stale", word: "no news", reason: why, next: isConnected ? "coordinator check" : "coordinator status" };
  }
  const silent = silentNodes(status);
  if (status.health.state === "healthy" && silent.length) {
    const leads = silent.find((node) => node.node === status.leader?.node);
    return { kind: "degraded", word: "degraded", next: "coordinator nodes", reason: leads
      ? `the leader ${nodeName(leads.node)} is silent: when its lease ends another node leads`
      : `${silent.map((node) => nodeName(node.node)).join(", ")} silent: lost when nothing comes, then others take its shards` };
  }
  const fine = `every shard has an owner, every tier is in time, ${several(status.nodes.length, "node")}`;
  return { kind: status.health.state, word: status.health.state,
    reason: status.health.reasons.map(shown).join("; ") || fine, next: nextCommand(status) };
}

function nextCommand(status) {
  if (status.health.state === "healthy") return null;
  if (!status.leader) return status.nodes.some((node) => node.state === "ready") ? "coordinator nodes" : "coordinator run";
  if (status.partial) return "coordinator check";
  if (status.shardMap.orphaned.length || status.shardMap.moving.length) return "coordinator shards";
  const paused = status.health.reasons.map((reason) => /`(coordinator resume [A-Z0-9]+)`/.exec(reason)).find(Boolean);
  if (paused) return paused[1];
  return status.nodes.some((node) => node.state === "lost") ? "coordinator history" : "coordinator tiers";
}
