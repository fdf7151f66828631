import { describe, expect, it } from "vitest";
import type { Graph } from "./graph";
import { Keeper } from "./keeper";
import type { Link } from "./layout";
import { layout, linkKey } from "./layout";

const SPACING = { layer: 100, row: 50 };

/** "a>b b>c" as links, and every name in them. */
function draw(text: string): { ids: string[]; links: Link[] } {
  const links = text.split(" ").map((pair) => {
    const [source = "", target = ""] = pair.split(">");
    return { source, target };
  });
  return { ids: [...new Set(links.flatMap((one) => [one.source, one.target]))], links };
}

function columns(text: string): Record<string, number> {
  const { ids, links } = draw(text);
  const made = layout(ids, links, SPACING);
  return Object.fromEntries([...made.places].map(([id, place]) => [id, place.along / SPACING.layer]));
}

describe("layout", () => {
  it("puts each node past its farthest caller", () => {
    expect(columns("a>b b>c a>c c>d")).toEqual({ a: 0, b: 1, c: 2, d: 3 });
  });

  it("stands circles and calls to oneself", () => {
    expect(columns("a>b b>c c>b c>c")).toEqual({ a: 0, b: 1, c: 2 });
    expect(columns("x>y y>x")).toEqual({ x: 0, y: 1 });
  });

  it("does not depend on the order it is given", () => {
    const { ids, links } = draw("a>b a>c b>d c>d c>e a>e");
    const one = layout(ids, links, SPACING);
    const other = layout(ids.toReversed(), links.toReversed(), SPACING);
    expect([...other.places].toSorted()).toEqual([...one.places].toSorted());
  });

  it("uncrosses what can be uncrossed", () => {
    const { ids, links } = draw("a>z b>y r>a r>b");
    const places = layout(ids, links, SPACING).places;
    const across = (id: string): number => places.get(id)?.across ?? 0;
    expect(Math.sign(across("a") - across("b"))).toBe(Math.sign(across("z") - across("y")));
  });

  it("threads long links through waypoints", () => {
    const { ids, links } = draw("a>b b>c a>c");
    expect(layout(ids, links, SPACING).waypoints.get(linkKey({ source: "a", target: "c" }))).toHaveLength(1);
  });

  it("keeps nodes of a layer apart", () => {
    const { ids, links } = draw(Array.from({ length: 30 }, (_, i) => `r>n${i}`).join(" "));
    const rows = [...layout(ids, links, SPACING).places].filter(([id]) => id !== "r").map(([, place]) => place.across);
    const sorted = rows.toSorted((a, b) => a - b);
    for (let i = 1; i < sorted.length; i++)
      expect((sorted[i] ?? 0) - (sorted[i - 1] ?? 0)).toBeGreaterThanOrEqual(49.9);
  });

  it("lays out thousands of nodes in a moment", () => {
    const links = Array.from({ length: 3000 }, (_, i) => ({ source: `n${Math.floor(i / 3)}`, target: `n${i + 1}` }));
    const ids = Array.from({ length: 3001 }, (_, i) => `n${i}`);
    const before = performance.now();
    expect(layout(ids, links, SPACING).places.size).toBe(3001);
    expect(performance.now() - before).toBeLessThan(3000);
  });
});

describe("keeper", () => {
  it("does not move what stays when something goes", () => {
    const graph = (text: string): Graph => {
      const { ids, links } = draw(text);
      return { nodes: ids.map((id) => ({ id })), edges: links } as unknown as Graph;
    };
    const keeper = new Keeper();
    const before = keeper.layout(graph("a>b b>c a>d"), SPACING);
    expect(keeper.layout(graph("a>b"), SPACING)).toBe(before);
    expect(keeper.layout(graph("a>b b>new"), SPACING)).not.toBe(before);
  });
});
