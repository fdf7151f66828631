/**
 * Keeps the picture still. A layout is made for every node and link seen so far, not only for the ones in the last answer: when a
 * service dies its edges go, and a picture that rearranges itself in that very moment helps nobody.
 */

import type { Graph } from "./graph";
import type { Layout, Link, Spacing } from "./layout";
import { layout, linkKey } from "./layout";

/** Past this many, what is gone is forgotten and the picture starts anew. */
const NODES_MAX = 6000;
const LINKS_MAX = 20_000;

export class Keeper {
  readonly #ids = new Set<string>();
  readonly #links = new Map<string, Link>();
  readonly #made = new Map<string, Layout>();

  /** The layout for this graph; the same object as before when nothing new appeared. */
  layout(graph: Graph, spacing: Spacing): Layout {
    if (this.#ids.size > NODES_MAX || this.#links.size > LINKS_MAX) this.#forget();
    for (const node of graph.nodes) {
      if (!this.#ids.has(node.id)) {
        this.#ids.add(node.id);
        this.#made.clear();
      }
    }
    for (const { source, target } of graph.edges) {
      const key = linkKey({ source, target });
      if (!this.#links.has(key)) {
        this.#links.set(key, { source, target });
        this.#made.clear();
      }
    }
    const shape = `${spacing.layer}x${spacing.row}`;
    const known = this.#made.get(shape);
    if (known) return known;
    const made = layout([...this.#ids], [...this.#links.values()], spacing);
    this.#made.set(shape, made);
    return made;
  }

  #forget(): void {
    this.#ids.clear();
    this.#links.clear();
    this.#made.clear();
  }
}
