// A made-up shop: its services, who calls whom, and what its graph and incidents look like in each state.

const EDGES =
  `web gateway|gateway checkout|gateway catalog|gateway cart|gateway account|checkout payment|checkout cart|checkout shipping
checkout orders|payment ledger|payment fraud|payment bank.example.com|ledger mysql-0|orders postgres-orders|orders order-events
catalog search|catalog redis-catalog|catalog mysql-catalog|cart redis-cart|account mysql-0|shipping rates.example.com|order-events mailer
order-events warehouse|recommend catalog|gateway recommend|search elastic`
    .split(/[|\n]/)
    .map((pair) => pair.split(" "));

const KINDS = { redis: "cache", mysql: "database", postgres: "database", elastic: "database", "order-events": "queue" };
const nanos = (ago) => String(BigInt(Date.now() - ago) * 1_000_000n);
const GOOD_TRACE = "5b8efff798038103d269b633813fc60c";
const TRACE = "0af7651916cd43dd8448eb211c80319c";

function kind(name) {
  if (name.includes(".")) return "external";
  return Object.entries(KINDS).find(([start]) => name.startsWith(start))?.[1] ?? "service";
}

export function services() {
  return [...new Set(EDGES.flat())].filter((name) => kind(name) === "service").sort();
}

export function operations() {
  return [
    { name: "POST /checkout", kind: "server" },
    { name: "GET /health", kind: "server" },
  ];
}

const latency = (ms) => ({ p50: String(ms * 1e6), p95: String(ms * 3e6), p99: String(ms * 6e6) });

function graph(edges, broken) {
  const names = [...new Set(edges.flat())];
  const of = (name) => broken[name] ?? { health: "ok", errors: 0, ms: 8 };
  const rate = (name) => 4 + ((name.length * 37) % 90);
  return {
    at_unix_nano: nanos(8000),
    window_ns: "30000000000",
    nodes: names.map((name) => ({
      id: `${kind(name)}:${name}`,
      entity: { kind: kind(name), name },
      health: of(name).health,
      rate: of(name).health === "silent" ? 0 : rate(name),
      error_ratio: of(name).errors,
      latency_ns: latency(of(name).ms),
      instances: kind(name) === "service" ? 3 : 1,
      exemplar_trace_ids: [TRACE],
    })),
    edges: edges.map(([source, target]) => ({
      source: `${kind(source)}:${source}`,
      target: `${kind(target)}:${target}`,
      protocol: kind(target) === "service" ? "http" : kind(target),
      rate: rate(target),
      error_ratio: broken[source] ? of(target).errors : 0,
      latency_ns: latency(of(target).ms),
      health: broken[source] && broken[target] ? "failing" : "ok",
      exemplar_trace_ids: [TRACE],
    })),
  };
}

function evidence(text, value, baseline) {
  return { kind: "measured", text, value, baseline, trace_ids: [TRACE] };
}

function incident(id, causeKind, confidence, suspects, affected, open = true) {
  return {
    id,
    state: open ? "open" : "resolved",
    started_unix_nano: nanos(open ? 192_000 : 5_400_000),
    detected_unix_nano: nanos(open ? 175_000 : 5_380_000),
    resolved_unix_nano: open ? null : nanos(5_100_000),
    cause: { kind: causeKind, confidence },
    suspects: suspects.map(([name, score, list, entityKind]) => ({
      entity: { kind: entityKind ?? kind(name), name },
      score,
      evidence: list,
    })),
    affected: Object.entries(affected).map(([service, impact]) => ({ service, impact })),
    entry_points: ["web"],
  };
}

/** What newer servers tell beside it: the way, two traces, when each was shaken, how far it spreads. */
function explain(one, names, shaken) {
  one.chain = names.map((name) => ({ kind: kind(name), name }));
  one.exemplars = { bad: TRACE, good: GOOD_TRACE };
  one.blast_radius = { services: names.length, entry_points: 1, requests: 0.41 };
  one.suspects[0].share = 0.98;
  one.suspects[1].share = 0.12;
  for (const affected of one.affected) affected.first_shaken_unix_nano = nanos(shaken[affected.service]);
}

const bad = (errors, ms = 40, health = "failing") => ({ health, errors, ms });
const SHAKEN = { web: 0.41, gateway: 0.46, checkout: 0.93 };
const past = incident(
  "past-1",
  "slow",
  0.8,
  [["mysql-catalog", 0.8, [evidence("x", 1, 1)]]],
  { catalog: 0.4, gateway: 0.1 },
  false,
);

const SIMILAR = [
  {
    id: "inc-0",
    started_unix_nano: nanos(6 * 86_400_000),
    resolved_unix_nano: nanos(6 * 86_400_000 - 1_200_000),
    cause: "unavailable",
    culprit: { kind: "service", name: "payment" },
    likeness: 0.9,
    notes: [
      {
        at_unix_nano: nanos(5 * 86_400_000),
        author: "Ada",
        text: "the disk was full of core dumps; runbook 7 empties it",
      },
    ],
  },
];

const STATES = {
  healthy: { broken: {}, open: [] },
  down: {
    broken: {
      payment: bad(0, 0, "silent"),
      checkout: bad(0.93, 900),
      gateway: bad(0.46, 400),
      web: bad(0.41, 500, "degraded"),
    },
    open: [
      incident(
        "inc-1",
        "unavailable",
        0.92,
        [
          [
            "payment",
            0.86,
            [
              evidence("97 % of the calls to payment got no answer (normally 0 %)", 0.97, 0),
              evidence("payment itself has sent no span for 3 min (normally 38 a second)", 0, 38),
              evidence("The services that payment calls are healthy: ledger 0 % errors, fraud 0 % errors", 0, 0),
            ],
          ],
          ["ledger", 0.06, [evidence("ledger gets 4 calls a second (normally 38)", 4, 38)]],
          ["checkout", 0.04, [evidence("93 % of the requests to checkout fail (normally 0.1 %)", 0.93, 0.001)]],
        ],
        SHAKEN,
      ),
    ],
  },
  slow: {
    broken: {
      "mysql-0": bad(0, 1800, "degraded"),
      ledger: bad(0.1, 1900, "degraded"),
      payment: bad(0.2, 2000),
      checkout: bad(0.3, 2100),
    },
    open: [
      incident(
        "inc-2",
        "slow",
        0.66,
        [["mysql-0", 0.7, [evidence("Queries on mysql-0 take 1.8 s (normally 8 ms)", 1.8, 0.008)]]],
        { ledger: 0.9, payment: 0.8, checkout: 0.6, account: 0.2 },
      ),
    ],
  },
  cache: {
    broken: { "redis-catalog": bad(0, 1, "degraded"), "mysql-catalog": bad(0.2, 900), catalog: bad(0.35, 1100) },
    open: [
      incident(
        "inc-3",
        "cache_breakdown",
        0.74,
        [
          [
            "redis-catalog",
            0.74,
            [
              evidence(
                "Calls to mysql-catalog rose to 610 a second (normally 22) while redis-catalog kept its rate",
                610,
                22,
              ),
            ],
          ],
        ],
        { catalog: 0.8, gateway: 0.3, recommend: 0.7 },
      ),
    ],
  },
};

function large() {
  const edges = [];
  for (let i = 1; i < 2000; i++) {
    edges.push([`service-${Math.floor(i / 4)}`, `service-${i}`]);
    if (i % 3 === 0) edges.push([`service-${Math.floor(i / 5)}`, `service-${i}`]);
  }
  const broken = { "service-900": bad(1, 10), "service-225": bad(0.8, 10), "service-56": bad(0.4, 10) };
  const open = [
    incident("inc-9", "errors", 0.7, [["service-900", 0.7, [evidence("All calls fail", 1, 0)]]], {
      "service-225": 0.8,
      "service-56": 0.4,
    }),
  ];
  return { graph: () => graph(edges, broken), incidents: () => ({ incidents: open }) };
}

/** Adds a note to an incident of a state, as the server does. */
export function note(name, id, text) {
  const found = [...STATES[name].open, past].find((one) => one.id === id);
  found.notes = [...(found.notes ?? []), { at_unix_nano: nanos(0), text }];
  return found;
}

explain(STATES.down.open[0], ["web", "gateway", "checkout", "payment"], {
  checkout: 189_000,
  gateway: 184_000,
  web: 184_000,
});
STATES.down.open[0].similar = SIMILAR;

export function state(name) {
  if (name === "empty") return { graph: () => ({ ...graph([], {}) }), incidents: () => ({ incidents: [] }) };
  if (name === "large") return large();
  const found = STATES[name] ?? STATES.healthy;
  return { graph: () => graph(EDGES, found.broken), incidents: () => ({ incidents: [...found.open, past] }) };
}
