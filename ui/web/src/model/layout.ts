/**
 * A layered layout of the service graph, from entry points to leaves. Deterministic: the same graph gives the same picture.
 *
 * The idea (Sugiyama): break circles by a depth-first walk, give each node the layer one past its farthest caller, thread long edges through
 * waypoints in the layers between, order each layer by the mean place of its neighbours (barycentre sweeps), then pull nodes
 * towards their neighbours while they keep their distance. Cost: a few passes over nodes and edges, no search.
 * Source: Sugiyama, Tagawa, Toda 1981, "Methods for visual understanding of hierarchical system structures".
 */

export interface Link {
  readonly source: string;
  readonly target: string;
}

/** `along` runs from entry to leaf, `across` within a layer; units are pixels at zoom 1. */
export interface Place {
  readonly along: number;
  readonly across: number;
}

export interface Layout {
  readonly places: ReadonlyMap<string, Place>;
  /** Waypoints between the two ends, by `linkKey`. Absent for edges between neighbouring layers. */
  readonly waypoints: ReadonlyMap<string, readonly Place[]>;
  readonly length: number;
  readonly breadth: number;
}

export interface Spacing {
  readonly layer: number;
  readonly row: number;
}

const SWEEPS = 12;
const PULLS = 10;
/** Past this many links, long ones are drawn straight: waypoints would cost more than they clear up. */
const WAYPOINT_LINKS_MAX = 600;
/** Past this many rows, a layer wraps into several columns. */
const ROWS_MAX = 40;

export function linkKey(link: Link): string {
  return `${link.source}\u0000${link.target}`;
}

interface Cell {
  readonly id: string;
  readonly real: boolean;
  layer: number;
  order: number;
  y: number;
  readonly before: Cell[];
  readonly after: Cell[];
}

/** Places for `ids` (any order) and `links` between them; links to unknown ids and to oneself are left out. */
export function layout(ids: readonly string[], links: readonly Link[], spacing: Spacing): Layout {
  const sorted = ids.toSorted();
  const known = new Set(sorted);
  const clean = links
    .filter((link) => link.source !== link.target && known.has(link.source) && known.has(link.target))
    .toSorted((a, b) => (linkKey(a) < linkKey(b) ? -1 : 1));
  const layers = assignLayers(sorted, clean);
  const cells = new Map<string, Cell>(sorted.map((id) => [id, cell(id, true, layers.get(id) ?? 0)]));
  const threads = thread(cells, clean);
  const rows = byLayer([...cells.values(), ...[...threads.values()].flat()]);
  order(rows);
  pull(rows, spacing.row);
  return place(rows, cells, threads, spacing);
}

function cell(id: string, real: boolean, layer: number): Cell {
  return { id, real, layer, order: 0, y: 0, before: [], after: [] };
}

/** Longest path from the roots, with the edges that close a circle left out. Iterative: a chain of thousands must not overflow the stack. */
function assignLayers(ids: readonly string[], links: readonly Link[]): Map<string, number> {
  const out = new Map<string, string[]>(ids.map((id) => [id, []]));
  const called = new Set<string>();
  for (const link of links) {
    out.get(link.source)?.push(link.target);
    called.add(link.target);
  }
  const state = new Map<string, "open" | "done">();
  const finished: string[] = [];
  const forward = new Map<string, string[]>();
  const visit = (root: string): void => {
    const stack: { id: string; next: number }[] = [{ id: root, next: 0 }];
    state.set(root, "open");
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const target = out.get(top.id)?.[top.next++];
      if (target === undefined) {
        state.set(top.id, "done");
        finished.push(top.id);
        stack.pop();
      } else if (state.get(target) !== "open") {
        const list = forward.get(top.id);
        if (list) list.push(target);
        else forward.set(top.id, [target]);
        if (!state.has(target)) {
          state.set(target, "open");
          stack.push({ id: target, next: 0 });
        }
      }
    }
  };
  for (const id of ids) if (!called.has(id) && !state.has(id)) visit(id);
  for (const id of ids) if (!state.has(id)) visit(id);
  const layer = new Map<string, number>(ids.map((id) => [id, 0]));
  for (const id of finished.toReversed()) {
    const from = layer.get(id) ?? 0;
    for (const target of forward.get(id) ?? []) layer.set(target, Math.max(layer.get(target) ?? 0, from + 1));
  }
  return layer;
}

/** Joins the cells along each link, with a waypoint in every layer that the link crosses. */
function thread(cells: ReadonlyMap<string, Cell>, links: readonly Link[]): Map<string, Cell[]> {
  const threads = new Map<string, Cell[]>();
  const waypoints = links.length <= WAYPOINT_LINKS_MAX;
  for (const link of links) {
    const [a, b] = [cells.get(link.source), cells.get(link.target)];
    if (!a || !b) continue;
    const [from, to] = a.layer <= b.layer ? [a, b] : [b, a];
    const between: Cell[] = [];
    let last = from;
    for (let layer = from.layer + 1; waypoints && layer < to.layer; layer++) {
      const point = cell(`${linkKey(link)}\u0000${layer}`, false, layer);
      join(last, point);
      between.push(point);
      last = point;
    }
    if (from.layer !== to.layer) join(last, to);
    if (between.length > 0) threads.set(linkKey(link), from === a ? between : between.toReversed());
  }
  return threads;
}

function join(before: Cell, after: Cell): void {
  before.after.push(after);
  after.before.push(before);
}

function byLayer(cells: readonly Cell[]): Cell[][] {
  const rows: Cell[][] = [];
  for (const one of cells) {
    while (rows.length <= one.layer) rows.push([]);
    rows[one.layer]?.push(one);
  }
  for (const row of rows) {
    row.sort((a, b) => (a.id < b.id ? -1 : 1));
    number(row);
  }
  return rows;
}

function number(row: readonly Cell[]): void {
  for (const [index, one] of row.entries()) one.order = index;
}

/** Crossing reduction: each layer by the mean order of its neighbours, down then up, keeping the best seen. */
function order(rows: readonly Cell[][]): void {
  let best = crossings(rows);
  let kept = rows.map((row) => [...row]);
  for (let sweep = 0; sweep < SWEEPS && best > 0; sweep++) {
    const down = sweep % 2 === 0;
    for (const row of down ? rows : rows.toReversed()) {
      const want = new Map(row.map((one) => [one, mean(down ? one.before : one.after, one.order, (n) => n.order)]));
      row.sort((a, b) => (want.get(a) ?? 0) - (want.get(b) ?? 0) || a.order - b.order);
      number(row);
    }
    const now = crossings(rows);
    if (now < best) {
      best = now;
      kept = rows.map((row) => [...row]);
    }
  }
  for (const [index, row] of kept.entries()) {
    rows[index]?.splice(0, row.length, ...row);
    number(row);
  }
}

/** Pairs of links that cross between neighbouring layers: inversions, counted with a Fenwick tree. */
function crossings(rows: readonly (readonly Cell[])[]): number {
  let total = 0;
  for (const [index, row] of rows.entries()) {
    const size = rows[index + 1]?.length ?? 0;
    const tree = new Int32Array(size + 1);
    let seen = 0;
    for (const one of row) {
      const ends = one.after.map((to) => to.order).toSorted((a, b) => a - b);
      for (const end of ends) {
        let atMost = 0;
        for (let i = end + 1; i > 0; i -= i & -i) atMost += tree[i] ?? 0;
        total += seen - atMost;
      }
      for (const end of ends) for (let i = end + 1; i <= size; i += i & -i) tree[i] = (tree[i] ?? 0) + 1;
      seen += ends.length;
    }
  }
  return total;
}

function mean(cells: readonly Cell[], otherwise: number, of: (cell: Cell) => number): number {
  return cells.length === 0 ? otherwise : cells.reduce((sum, one) => sum + of(one), 0) / cells.length;
}

/** Moves each cell towards its neighbours, never nearer than a row apart (half a row for waypoints). */
function pull(rows: readonly Cell[][], gap: number): void {
  for (const row of rows) for (const one of row) one.y = (one.order - (row.length - 1) / 2) * gap;
  for (let round = 0; round < PULLS; round++) {
    for (const row of round % 2 === 0 ? rows : rows.toReversed()) {
      const want = row.map((one) => mean([...one.before, ...one.after], one.y, (n) => n.y));
      let last = -Infinity;
      for (const [index, one] of row.entries()) {
        const near = one.real && (row[index - 1]?.real ?? true) ? gap : gap * 0.6;
        one.y = Math.max(want[index] ?? 0, last + near);
        last = one.y;
      }
      const shift = row.reduce((sum, one, index) => sum + (want[index] ?? 0) - one.y, 0) / Math.max(1, row.length);
      for (const one of row) one.y += shift;
    }
  }
}

function place(
  rows: readonly Cell[][],
  cells: ReadonlyMap<string, Cell>,
  threads: ReadonlyMap<string, readonly Cell[]>,
  spacing: Spacing,
): Layout {
  const at = new Map<Cell, Place>();
  let along = 0;
  // A picture with layers that wrap is packed: what is pulled towards a neighbour would stand far outside the columns.
  const packed = rows.some((row) => row.length > ROWS_MAX);
  let [low, high] = [Infinity, -Infinity];
  for (const row of rows) {
    const columns = Math.max(1, Math.ceil(row.length / ROWS_MAX));
    const perColumn = Math.ceil(row.length / columns);
    for (const [index, one] of row.entries()) {
      const across = packed ? ((index % perColumn) - (perColumn - 1) / 2) * spacing.row : one.y;
      const column = Math.floor(index / perColumn);
      at.set(one, { along: along + column * spacing.layer * 0.6, across });
      low = Math.min(low, across);
      high = Math.max(high, across);
    }
    along += spacing.layer * (1 + (columns - 1) * 0.6);
  }
  const move = (one: Cell): Place => {
    const found = at.get(one) ?? { along: 0, across: 0 };
    return { along: found.along, across: found.across - low };
  };
  return {
    places: new Map([...cells].map(([id, one]) => [id, move(one)])),
    waypoints: new Map([...threads].map(([key, points]) => [key, points.map(move)])),
    length: Math.max(0, along - spacing.layer),
    breadth: rows.length > 0 ? high - low : 0,
  };
}
