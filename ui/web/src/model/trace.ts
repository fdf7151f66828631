/** A trace as a tree of rows: order, depth, self time, and what is missing. */

import type { DurationNs, Timestamp } from "./time";
import { after, since } from "./time";

export interface Attribute {
  readonly key: string;
  readonly value: string;
}

export interface SpanEvent {
  readonly at: Timestamp;
  readonly name: string;
  readonly attributes: readonly Attribute[];
}

export interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: readonly Attribute[];
}

export interface Span {
  readonly id: string;
  readonly parentId: string | null;
  readonly name: string;
  readonly kind: string;
  readonly service: string;
  readonly instance: string | null;
  readonly start: Timestamp;
  readonly duration: DurationNs;
  readonly status: { readonly code: string; readonly message: string | null };
  readonly error: boolean;
  readonly protocol: string | null;
  readonly peer: string | null;
  readonly attributes: readonly Attribute[];
  readonly events: readonly SpanEvent[];
  readonly links: readonly SpanLink[];
  readonly resource: readonly Attribute[];
  readonly scope: readonly Attribute[];
}

export interface Trace {
  readonly id: string;
  readonly spans: readonly Span[];
}

export interface Row {
  readonly span: Span;
  readonly depth: number;
  readonly children: number;
  /** Stretches of the span's own time, not covered by any child, in order. */
  readonly self: readonly Stretch[];
  readonly selfNs: DurationNs;
  /** The span names a parent that is not in the trace: it was never received, or not yet. */
  readonly orphan: boolean;
}

export interface Stretch {
  readonly from: Timestamp;
  readonly to: Timestamp;
}

export interface Tree {
  readonly rows: readonly Row[];
  readonly start: Timestamp;
  readonly length: DurationNs;
  readonly orphans: number;
  readonly errors: number;
  readonly services: readonly string[];
}

/** Rows in the order a reader follows: parents before children, children by start. Spans in a circle of parents become roots of their own. */
export function tree(trace: Trace): Tree {
  const spans = trace.spans.toSorted(byStart);
  const known = new Set(spans.map((span) => span.id));
  const children = new Map<string, Span[]>();
  const roots: Span[] = [];
  for (const span of spans) {
    if (span.parentId === null || !known.has(span.parentId) || span.parentId === span.id) roots.push(span);
    else push(children, span.parentId, span);
  }
  const rows: Row[] = [];
  const seen = new Set<Span>();
  const walk = (root: Span): void => {
    const stack: [Span, number][] = [[root, 0]];
    for (let top = stack.pop(); top; top = stack.pop()) {
      const [span, depth] = top;
      if (seen.has(span)) continue;
      seen.add(span);
      const below = children.get(span.id) ?? [];
      rows.push(row(span, depth, below, span.parentId !== null && !known.has(span.parentId)));
      for (const child of below.toReversed()) stack.push([child, depth + 1]);
    }
  };
  for (const root of roots) walk(root);
  for (const span of spans) if (!seen.has(span)) walk(span);
  return { rows, ...extent(spans), ...sums(rows) };
}

/** The rows left when the spans in `closed` hide what is below them. */
export function visible(rows: readonly Row[], closed: ReadonlySet<string>): readonly Row[] {
  if (closed.size === 0) return rows;
  const out: Row[] = [];
  let hiddenBelow = Infinity;
  for (const one of rows) {
    if (one.depth > hiddenBelow) continue;
    hiddenBelow = closed.has(one.span.id) ? one.depth : Infinity;
    out.push(one);
  }
  return out;
}

function row(span: Span, depth: number, below: readonly Span[], orphan: boolean): Row {
  const self = selfTime(span, below);
  const selfNs = self.reduce((sum, one) => sum + (one.to - one.from), 0n) as DurationNs;
  return { span, depth, children: below.length, self, selfNs, orphan };
}

/** The span's time less the union of its children's, clipped to the span: children may overlap, and may outlive it. */
function selfTime(span: Span, below: readonly Span[]): Stretch[] {
  const end = after(span.start, span.duration);
  const out: Stretch[] = [];
  let at = span.start;
  for (const child of below) {
    if (child.kind === "consumer") continue;
    const from = child.start;
    const to = after(child.start, child.duration);
    if (from > at) out.push({ from: at, to: from < end ? from : end });
    if (to > at) at = to;
    if (at >= end) break;
  }
  if (at < end) out.push({ from: at, to: end });
  return out.filter((one) => one.to > one.from);
}

function byStart(a: Span, b: Span): number {
  if (a.start !== b.start) return a.start < b.start ? -1 : 1;
  if (a.duration !== b.duration) return a.duration > b.duration ? -1 : 1;
  return a.id < b.id ? -1 : 1;
}

function push(into: Map<string, Span[]>, key: string, span: Span): void {
  const list = into.get(key);
  if (list) list.push(span);
  else into.set(key, [span]);
}

function extent(spans: readonly Span[]): { start: Timestamp; length: DurationNs } {
  const start = spans[0]?.start ?? (0n as Timestamp);
  let end = start;
  for (const span of spans) {
    const last = after(span.start, span.duration);
    if (last > end) end = last;
  }
  return { start, length: since(end, start) };
}

function sums(rows: readonly Row[]): { orphans: number; errors: number; services: string[] } {
  return {
    orphans: rows.filter((one) => one.orphan).length,
    errors: rows.filter((one) => one.span.error).length,
    services: [...new Set(rows.map((one) => one.span.service))],
  };
}

/** A hue for a service: the same name always gets the same. Red hues are left to errors. */
export function hue(service: string): number {
  let hash = 2166136261;
  for (let i = 0; i < service.length; i++) hash = Math.imul(hash ^ service.charCodeAt(i), 16777619);
  return 35 + ((hash >>> 0) % 290);
}
