import { describe, expect, it } from "vitest";
import { readGraph } from "./graph";
import { readIncident } from "./incidents";
import { anyValue } from "./traces";

describe("what comes over the wire", () => {
  it("is read as the API writes it", () => {
    const incident = readIncident({
      id: "i",
      state: "open",
      started_unix_nano: "1790000000000000001",
      resolved_unix_nano: null,
      cause: { kind: "slow", confidence: 0.5 },
      suspects: [{ entity: { kind: "edge", name: "a -> b" }, score: 0.5, evidence: [{ text: "t", trace_ids: ["x"] }] }],
      affected: [{ service: "a", impact: 0.2 }],
      entry_points: ["a"],
    });
    expect(incident.started).toBe(1790000000000000001n);
    expect(incident.suspects[0]?.evidence[0]?.traceIds).toEqual(["x"]);
  });

  it("never breaks the page, whatever it is", () => {
    for (const odd of [null, 3, "x", [], {}, { nodes: [null, 4], edges: "no" }]) {
      expect(() => readGraph(odd)).not.toThrow();
      expect(() => readIncident(odd)).not.toThrow();
    }
    expect(readGraph({ nodes: [{ health: "new" }] }).nodes[0]?.health).toBe("unknown");
  });

  it("writes every kind of attribute value as text", () => {
    const nested = {
      kvlistValue: {
        values: [{ key: "k", value: { arrayValue: { values: [{ intValue: "1" }, { boolValue: true }] } } }],
      },
    };
    expect(anyValue(nested)).toBe("{k: [1, true]}");
    expect(anyValue({ stringValue: "" })).toBe("");
  });
});
