import { describe, expect, it } from "vitest";
import { formatList, formatPercent, formatRate } from "./format";
import type { Incident } from "./incident";
import { causeKind, entityLabel, firstShaken, sentence } from "./incident";
import { durationProblem, fromParams, toParams } from "./search";
import { duration, formatAge, formatDuration, formatOffset, timestamp } from "./time";

describe("words", () => {
  it("writes durations with three figures at most", () => {
    const cases = ["999", "1500", "2000000", "12345678", "1500000000", "240000000000"];
    expect(cases.map((ns) => formatDuration(duration(ns)))).toEqual([
      "999 ns",
      "1.5 µs",
      "2 ms",
      "12.3 ms",
      "1.5 s",
      "4 min",
    ]);
    expect(formatDuration(duration("100000000000000"))).toBe("27 h 46 min");
    expect(duration("not a number")).toBe(0n);
  });

  it("writes ages, shares, rates and lists", () => {
    expect([12_000, 192_000, 600_000, 7_500_000].map(formatAge)).toEqual(["12 s", "3 min 12 s", "10 min", "2 h 5 min"]);
    expect([0, 0.0004, 0.012, 0.97].map(formatPercent)).toEqual(["0 %", "< 0.1 %", "1.2 %", "97 %"]);
    expect([0, 0.02, 3.14, 340, 12_345].map(formatRate)).toEqual(["0/s", "< 0.1/s", "3.1/s", "340/s", "12.3k/s"]);
    expect(formatList(["a", "b", "c"], 2)).toBe("a, b and 1 more");
    expect(formatList(["a", "b"], 2)).toBe("a and b");
  });

  it("says an incident in one sentence", () => {
    const of = (kind: string, open: boolean): string => {
      const said = sentence({
        open,
        cause: { kind: causeKind(kind), confidence: 1 },
        suspects: [{ entity: { kind: "service", name: "payment", service: null }, score: 1, evidence: [] }],
      } as unknown as Incident);
      return `${said.culprit} ${said.predicate}`;
    };
    expect(of("unavailable", true)).toBe("payment is down");
    expect(of("slow", false)).toBe("payment was slow");
    expect(of("of another version", true)).toBe("payment misbehaves");
    expect(entityLabel({ kind: "instance", name: "pay-7d9", service: "payment" })).toBe("pay-7d9 of payment");
  });

  it("tells how long after the first one each was shaken", () => {
    const at = (seconds: number) => timestamp(`${1_790_000_000 + seconds}000000000`);
    const affected = [at(7), null, at(2)].map((firstShaken) => ({ service: "a", impact: 1, firstShaken }));
    const first = firstShaken({ affected } as unknown as Incident);
    expect(first).toBe(at(2));
    expect([at(2), at(7), at(302)].map((one) => formatOffset(one, at(2)))).toEqual(["+0 s", "+5 s", "+5 min"]);
    expect(firstShaken({ affected: [] } as unknown as Incident)).toBeNull();
  });

  it("keeps a search in the URL and checks durations", () => {
    const query = {
      service: "a",
      operation: "GET /",
      status: "error",
      minDuration: "250ms",
      order: "longest",
    } as const;
    expect(fromParams(toParams(query))).toEqual(query);
    expect(durationProblem("2s")).toBeNull();
    expect(durationProblem("fast")).not.toBeNull();
  });
});
