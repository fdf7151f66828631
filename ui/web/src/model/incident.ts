/** An incident as the page understands it, and the one sentence that says it. */

import type { Timestamp } from "./time";

export type CauseKind =
  | "unavailable"
  | "errors"
  | "slow"
  | "cache_breakdown"
  | "traffic_surge"
  | "infrastructure"
  | "network"
  | "bad_deploy"
  | "unknown";

export interface Entity {
  readonly kind: string;
  readonly name: string;
  readonly service: string | null;
}

export interface Evidence {
  readonly kind: string;
  readonly text: string;
  readonly value: number;
  readonly baseline: number;
  readonly traceIds: readonly string[];
}

export interface Suspect {
  readonly entity: Entity;
  readonly score: number;
  /** Part of the damage at the entry points that it can account for; null where that is not known. */
  readonly share: number | null;
  readonly evidence: readonly Evidence[];
}

export interface Affected {
  readonly service: string;
  readonly impact: number;
  /** Start of the first window in which it was shaken. */
  readonly firstShaken: Timestamp | null;
}

/** How far an incident spreads. */
export interface BlastRadius {
  readonly services: number;
  readonly entryPoints: number;
  /** Share of all requests that suffer. */
  readonly requests: number;
}

/** What somebody wrote about an incident. */
export interface Note {
  readonly at: Timestamp;
  readonly author: string | null;
  readonly text: string;
}

/** An earlier incident like this one. */
export interface Similar {
  readonly id: string;
  readonly started: Timestamp;
  readonly cause: CauseKind;
  readonly culprit: Entity | null;
  readonly notes: readonly Note[];
}

export interface Incident {
  readonly id: string;
  readonly open: boolean;
  readonly started: Timestamp;
  readonly detected: Timestamp;
  readonly resolved: Timestamp | null;
  readonly cause: { readonly kind: CauseKind; readonly confidence: number };
  readonly suspects: readonly Suspect[];
  readonly affected: readonly Affected[];
  readonly entryPoints: readonly string[];
  /** From where it is felt most down to the culprit; empty where that is not known. */
  readonly chain: readonly Entity[];
  /** A trace that suffers and one that went well, to compare. */
  readonly exemplars: { readonly bad: string | null; readonly good: string | null };
  readonly blastRadius: BlastRadius | null;
  readonly notes: readonly Note[];
  readonly similar: readonly Similar[];
}

const PREDICATE: Record<CauseKind, string> = {
  unavailable: "is down",
  errors: "is failing",
  slow: "is slow",
  cache_breakdown: "no longer absorbs the load",
  traffic_surge: "is flooded with requests",
  infrastructure: "is broken, its siblings are healthy",
  network: "is cut off by the network",
  bad_deploy: "broke with its new version",
  unknown: "misbehaves",
};

const PREDICATE_PAST: Record<CauseKind, string> = {
  unavailable: "was down",
  errors: "was failing",
  slow: "was slow",
  cache_breakdown: "did not absorb the load",
  traffic_surge: "was flooded with requests",
  infrastructure: "was broken",
  network: "was cut off by the network",
  bad_deploy: "broke with its new version",
  unknown: "misbehaved",
};

const EXPLANATION: Record<CauseKind, string> = {
  unavailable: "no answer: crashed, refusing or hung",
  errors: "it answers, with errors that begin in it",
  slow: "it answers late of its own accord",
  cache_breakdown: "a cache stopped absorbing, and the store behind it drowns",
  traffic_surge: "more requests arrive than the system holds",
  infrastructure: "one instance or node, its siblings are healthy",
  network: "the way between is slow or loses calls",
  bad_deploy: "it began with a new version",
  unknown: "the evidence does not say what is wrong",
};

/** A name for the entity that reads well in a sentence. */
export function entityLabel(entity: Entity): string {
  if (entity.service && entity.service !== entity.name && entity.kind !== "edge") {
    return `${entity.name} of ${entity.service}`;
  }
  return entity.kind === "edge" ? entity.name.replace("->", "→") : entity.name;
}

export function entityKindLabel(kind: string): string {
  return kind === "edge" ? "connection" : kind === "external" ? "external service" : kind;
}

export interface Sentence {
  readonly culprit: string;
  readonly predicate: string;
}

/** Who, and what is the matter with it: "payment" + "is down". */
export function sentence(incident: Incident): Sentence {
  const culprit = incident.suspects[0]?.entity;
  const predicates = incident.open ? PREDICATE : PREDICATE_PAST;
  const predicate = predicates[incident.cause.kind];
  return culprit
    ? { culprit: entityLabel(culprit), predicate }
    : { culprit: "Something", predicate: incident.open ? "is wrong" : "was wrong" };
}

/** What a culprit did in an incident that is over. */
export function happened(kind: CauseKind): string {
  return PREDICATE_PAST[kind];
}

export function explain(kind: CauseKind): string {
  return EXPLANATION[kind];
}

export function causeKind(text: unknown): CauseKind {
  return typeof text === "string" && text in PREDICATE ? (text as CauseKind) : "unknown";
}

/** "very likely" is what a tired person reads; the figure stands beside it. */
export function confidenceWord(confidence: number): string {
  if (confidence >= 0.85) return "almost certain";
  if (confidence >= 0.6) return "likely";
  if (confidence >= 0.35) return "plausible";
  return "a guess";
}

/** The open incident that matters most: the one that shakes most, then the oldest. Deterministic. */
export function byUrgency(a: Incident, b: Incident): number {
  const impact = (incident: Incident): number => incident.affected.reduce((sum, one) => sum + one.impact, 0);
  const order = impact(b) - impact(a);
  if (order !== 0) return order;
  if (a.started !== b.started) return a.started < b.started ? -1 : 1;
  return a.id < b.id ? -1 : 1;
}

/** The services that name the culprit on the graph: the entity itself, its service, or both ends of an edge. */
export function culpritNames(incident: Incident | null): ReadonlySet<string> {
  const entity = incident?.suspects[0]?.entity;
  if (!entity) return new Set();
  if (entity.kind === "edge") return new Set(entity.name.split("->").map((part) => part.trim()));
  if (entity.kind === "node") return new Set([entity.name]);
  const own = ["service", "database", "cache", "queue", "external"].includes(entity.kind);
  return new Set([own ? entity.name : (entity.service ?? entity.name)]);
}

/** When the first of the affected services was shaken; null where no time is known. */
export function firstShaken(incident: Incident): Timestamp | null {
  const times = incident.affected.flatMap((one) => (one.firstShaken === null ? [] : [one.firstShaken]));
  return times.reduce<Timestamp | null>((first, one) => (first === null || one < first ? one : first), null);
}
