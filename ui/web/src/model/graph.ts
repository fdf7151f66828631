/** The service graph as it is drawn: nodes, edges, and how the incident marks them. */

import type { Incident } from "./incident";
import { culpritNames } from "./incident";
import type { DurationNs, Timestamp } from "./time";

export type Health = "ok" | "degraded" | "failing" | "silent" | "unknown";

export interface Latency {
  readonly p50: DurationNs;
  readonly p95: DurationNs;
  readonly p99: DurationNs;
}

export interface Node {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly service: string | null;
  readonly system: string | null;
  readonly health: Health;
  readonly rate: number;
  readonly errorRatio: number;
  readonly latency: Latency;
  readonly instances: number;
  readonly traceIds: readonly string[];
}

export interface Edge {
  readonly source: string;
  readonly target: string;
  readonly protocol: string | null;
  readonly health: Health;
  readonly rate: number;
  readonly errorRatio: number;
  readonly latency: Latency;
  readonly traceIds: readonly string[];
}

export interface Graph {
  readonly at: Timestamp;
  readonly windowNs: DurationNs;
  readonly nodes: readonly Node[];
  readonly edges: readonly Edge[];
}

/** How a node stands in the incident. */
export type Mark = "culprit" | "shaken" | "none";

export const HEALTH_WORD: Record<Health, string> = {
  ok: "healthy",
  degraded: "degraded",
  failing: "failing",
  silent: "silent",
  unknown: "not known yet",
};

/** A mark for each node that the incident names. Nodes not in the map are not touched. */
export function marks(graph: Graph, incident: Incident | null): ReadonlyMap<string, Mark> {
  const out = new Map<string, Mark>();
  if (!incident) return out;
  const culprits = culpritNames(incident);
  const shaken = new Set(incident.affected.map((one) => one.service));
  for (const node of graph.nodes) {
    if (culprits.has(node.name)) out.set(node.id, "culprit");
    else if (shaken.has(node.name)) out.set(node.id, "shaken");
  }
  return out;
}

/** Nodes that nothing calls. In a graph of circles only: the first node. */
export function entries(graph: Graph): readonly Node[] {
  const called = new Set(graph.edges.filter((edge) => edge.source !== edge.target).map((edge) => edge.target));
  const roots = graph.nodes.filter((node) => !called.has(node.id));
  return roots.length > 0 ? roots : graph.nodes.slice(0, 1);
}

/**
 * The shortest way from an entry point of the incident (else from any entry) to the culprit, preferring shaken nodes; [] when there is none.
 * Cost: one pass over the edges.
 */
export function chain(graph: Graph, incident: Incident): readonly Node[] {
  const marked = marks(graph, incident);
  const byId = new Map(graph.nodes.map((node) => [node.id, node]));
  const callers = new Map<string, string[]>();
  for (const edge of graph.edges) {
    const list = callers.get(edge.target);
    if (list) list.push(edge.source);
    else callers.set(edge.target, [edge.source]);
  }
  const names = new Set(incident.entryPoints);
  const named = graph.nodes.filter((node) => names.has(node.name));
  const goals = new Set((named.length > 0 ? named : entries(graph)).map((node) => node.id));
  const start = graph.nodes.find((node) => marked.get(node.id) === "culprit");
  if (!start) return [];
  const next = new Map<string, string | null>([[start.id, null]]);
  const queue = [start.id];
  for (let head = 0; head < queue.length; head++) {
    const id = queue[head] as string;
    if (goals.has(id)) return walk(id, next, byId);
    const ways = (callers.get(id) ?? []).toSorted((a, b) => rank(marked, a) - rank(marked, b) || (a < b ? -1 : 1));
    for (const caller of ways) {
      if (next.has(caller)) continue;
      next.set(caller, id);
      queue.push(caller);
    }
  }
  return [];
}

function walk(from: string, next: ReadonlyMap<string, string | null>, byId: ReadonlyMap<string, Node>): Node[] {
  const out: Node[] = [];
  for (let id: string | null = from; id !== null; id = next.get(id) ?? null) {
    const node = byId.get(id);
    if (node) out.push(node);
  }
  return out;
}

function rank(marked: ReadonlyMap<string, Mark>, id: string): number {
  return marked.get(id) === "shaken" ? 0 : 1;
}

export interface Totals {
  readonly services: number;
  readonly ratePerSecond: number;
  readonly errorRatio: number;
}

/** What enters the system: rates and errors of the entry nodes, so that a request is counted once. */
export function totals(graph: Graph): Totals {
  const services = graph.nodes.filter((node) => node.kind === "service").length;
  let rate = 0;
  let errors = 0;
  for (const node of entries(graph)) {
    rate += node.rate;
    errors += node.rate * node.errorRatio;
  }
  return { services, ratePerSecond: rate, errorRatio: rate > 0 ? errors / rate : 0 };
}
