import { describe, expect, it } from "vitest";
import type { Span } from "./trace";
import { tree, visible } from "./trace";
import type { DurationNs, Timestamp } from "./time";

/** id, parent, start, duration */
type Drawn = readonly [string, string | null, number, number];

function check(drawn: readonly Drawn[], closed: readonly string[] = []): string[] {
  const spans = drawn.map(
    ([id, parentId, start, duration]) =>
      ({
        id,
        parentId,
        kind: "server",
        service: "s",
        start: BigInt(start) as Timestamp,
        duration: BigInt(duration) as DurationNs,
      }) as Span,
  );
  return visible(tree({ id: "t", spans }).rows, new Set(closed)).map(
    (row) => `${"  ".repeat(row.depth)}${row.span.id} self ${row.selfNs}${row.orphan ? " orphan" : ""}`,
  );
}

describe("tree", () => {
  it("orders children under parents by start", () => {
    const drawn: Drawn[] = [
      ["c", "a", 50, 10],
      ["a", null, 0, 100],
      ["b", "a", 10, 20],
      ["d", "b", 12, 5],
    ];
    expect(check(drawn)).toEqual(["a self 70", "  b self 15", "    d self 5", "  c self 10"]);
    expect(check(drawn, ["b"])).toEqual(["a self 70", "  b self 15", "  c self 10"]);
  });

  it("counts overlapping children once and clips those that outlive the parent", () => {
    expect(
      check([
        ["a", null, 0, 100],
        ["b", "a", 10, 40],
        ["c", "a", 30, 40],
        ["d", "a", 90, 50],
      ])[0],
    ).toBe("a self 30");
  });

  it("says which parents are missing", () => {
    expect(
      check([
        ["a", null, 0, 10],
        ["b", "gone", 2, 3],
      ]),
    ).toEqual(["a self 10", "b self 3 orphan"]);
  });

  it("stands circles and spans of no length", () => {
    expect(
      check([
        ["a", "b", 0, 0],
        ["b", "a", 1, 0],
        ["c", "c", 2, 0],
      ]),
    ).toHaveLength(3);
  });
});
