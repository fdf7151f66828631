/** What the canvas draws: nodes and edges with their places, and how the page's view maps onto them. */

import type { Edge, Graph, Mark, Node } from "../model/graph";
import type { Layout, Place } from "../model/layout";
import { linkKey } from "../model/layout";

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface DrawnNode extends Point {
  readonly node: Node;
  readonly mark: Mark;
}

export interface DrawnEdge {
  readonly edge: Edge;
  readonly points: readonly Point[];
  /** Both ends are named by the incident: the failure travels here. */
  readonly hot: boolean;
}

export interface Scene {
  readonly nodes: readonly DrawnNode[];
  readonly edges: readonly DrawnEdge[];
  readonly byId: ReadonlyMap<string, DrawnNode>;
  readonly width: number;
  readonly height: number;
  readonly vertical: boolean;
}

/** Screen = world * scale + offset, in CSS pixels. */
export interface View {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

export const RADIUS = 19;
export const SCALE_MIN = 0.03;
export const SCALE_MAX = 3;
const MARGIN = { side: 62, top: 56, bottom: 54 };

/** How far layers may be drawn apart to use a wide box. */
const STRETCH_MAX = 1.9;
/** Below this scale nothing can be read: then what the incident names fills the box, and the rest is a drag away. */
const READABLE = 0.3;

/** How much to draw the layers apart so that a picture of this layout has the proportions of its box. */
export function stretch(layout: Layout, width: number, height: number): number {
  if (layout.length === 0 || height === 0) return 1;
  const wanted = (width / height) * (layout.breadth + MARGIN.top + MARGIN.bottom) - MARGIN.side * 2;
  return Math.min(STRETCH_MAX, Math.max(1, wanted / layout.length));
}

export function scene(
  graph: Graph,
  layout: Layout,
  marks: ReadonlyMap<string, Mark>,
  vertical: boolean,
  apart = 1,
): Scene {
  const point = (place: Place): Point =>
    vertical ? { x: place.across, y: place.along } : { x: place.along * apart, y: place.across };
  const nodes = graph.nodes.map((node) => ({
    node,
    mark: marks.get(node.id) ?? ("none" as const),
    ...point(layout.places.get(node.id) ?? { along: 0, across: 0 }),
  }));
  const byId = new Map(nodes.map((one) => [one.node.id, one]));
  const edges: DrawnEdge[] = [];
  for (const edge of graph.edges) {
    const [from, to] = [byId.get(edge.source), byId.get(edge.target)];
    if (!from || !to || from === to) continue;
    const between = (layout.waypoints.get(linkKey(edge)) ?? []).map(point);
    const hot = from.mark !== "none" && to.mark !== "none" && (edge.errorRatio > 0.01 || edge.health !== "ok");
    edges.push({ edge, points: [from, ...between, to], hot });
  }
  const [width, height] = vertical ? [layout.breadth, layout.length] : [layout.length * apart, layout.breadth];
  return { nodes, edges, byId, width, height, vertical };
}

/** The view that shows everything, no larger than life; of a picture too large to read, the part that the incident names. */
export function fit(of: Scene, width: number, height: number): View {
  const all = frame({ x: 0, y: 0 }, { x: of.width, y: of.height }, width, height);
  const named = of.nodes.filter((one) => one.mark !== "none");
  if (all.scale >= READABLE || named.length === 0) return all;
  const low = { x: Math.min(...named.map((one) => one.x)), y: Math.min(...named.map((one) => one.y)) };
  const high = { x: Math.max(...named.map((one) => one.x)), y: Math.max(...named.map((one) => one.y)) };
  const room = MARGIN.side * 2;
  return frame({ x: low.x - room, y: low.y - room }, { x: high.x + room, y: high.y + room }, width, height);
}

function frame(low: Point, high: Point, width: number, height: number): View {
  const [w, h] = [high.x - low.x, high.y - low.y];
  const scale = Math.max(
    SCALE_MIN,
    Math.min(1.35, width / (w + MARGIN.side * 2), height / (h + MARGIN.top + MARGIN.bottom)),
  );
  const tall = (h + MARGIN.top + MARGIN.bottom) * scale;
  return {
    scale,
    x: (width - w * scale) / 2 - low.x * scale,
    y: (height - tall) / 2 + (MARGIN.top - low.y) * scale,
  };
}

/** Zooms by `factor` and keeps the point under the pointer where it is. */
export function zoom(view: View, factor: number, at: Point): View {
  const scale = Math.min(SCALE_MAX, Math.max(SCALE_MIN, view.scale * factor));
  const ratio = scale / view.scale;
  return { scale, x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio };
}

export type Hit = { readonly what: "node"; readonly node: Node } | { readonly what: "edge"; readonly edge: Edge };

/** What is under a point of the screen: nodes before edges. */
export function hit(of: Scene, view: View, at: Point): Hit | null {
  const world = { x: (at.x - view.x) / view.scale, y: (at.y - view.y) / view.scale };
  const reach = Math.max(RADIUS + 5, 12 / view.scale);
  let best: Hit | null = null;
  let nearest = reach;
  for (const one of of.nodes) {
    const away = Math.hypot(one.x - world.x, one.y - world.y);
    if (away < nearest) [best, nearest] = [{ what: "node", node: one.node }, away];
  }
  if (best) return best;
  nearest = Math.max(6, 7 / view.scale);
  for (const one of of.edges) {
    for (let i = 1; i < one.points.length; i++) {
      const [a, b] = [one.points[i - 1], one.points[i]];
      const away = a && b ? distance(world, a, b) : Infinity;
      if (away < nearest) [best, nearest] = [{ what: "edge", edge: one.edge }, away];
    }
  }
  return best;
}

function distance(p: Point, a: Point, b: Point): number {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const along = ((p.x - a.x) * dx + (p.y - a.y) * dy) / (dx * dx + dy * dy || 1);
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(p.x - a.x - t * dx, p.y - a.y - t * dy);
}
