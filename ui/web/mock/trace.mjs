// Made-up traces: one of a failed checkout with a missing parent, one of 20,000 spans, and search results.

const START = 1_790_000_000_000_000_000n;
const str = (key, value) => ({ key, value: { stringValue: value } });

function span(id, parent, service, name, at, ms, more = {}) {
  return {
    span_id: id.toString(16).padStart(16, "0"),
    parent_span_id: parent === null ? null : parent.toString(16).padStart(16, "0"),
    name,
    kind: "server",
    service,
    start_unix_nano: String(START + BigInt(Math.round(at * 1e6))),
    duration_ns: String(Math.round(ms * 1e6)),
    status: { code: more.error ? "error" : "unset", ...(more.message ? { message: more.message } : {}) },
    error: Boolean(more.error),
    peer: more.peer,
    attributes: [
      str("http.request.method", "POST"),
      { key: "http.response.status_code", value: { intValue: more.error ? "503" : "200" } },
    ],
    events: more.error
      ? [
          {
            time_unix_nano: String(START + BigInt(Math.round((at + ms) * 1e6))),
            name: "exception",
            attributes: [str("exception.message", more.message ?? "failed")],
          },
        ]
      : [],
    links: [],
    resource: { attributes: [str("service.name", service), str("k8s.pod.name", `${service}-7d9f-x2x`)] },
    scope: { name: "io.opentelemetry.http", version: "2.1.0" },
  };
}

const FAILED = [
  span(1, null, "web", "GET /buy", 0, 1010, { error: true }),
  span(2, 1, "gateway", "POST /checkout", 4, 1000, { error: true }),
  span(3, 2, "checkout", "POST /checkout", 9, 990, { error: true, message: "payment did not answer" }),
  span(4, 3, "cart", "GET /cart", 12, 14),
  span(5, 4, "cart", "GET redis-cart", 14, 2, { peer: "redis-cart" }),
  span(6, 3, "checkout", "POST payment", 30, 480, { error: true, message: "connection refused", peer: "payment" }),
  span(7, 3, "checkout", "POST payment (retry)", 512, 480, {
    error: true,
    message: "connection refused",
    peer: "payment",
  }),
  span(8, 99, "shipping", "quote", 40, 60),
];

function deep(count) {
  const out = [span(1, null, "web", "batch", 0, count)];
  for (let i = 2; i <= count; i++)
    out.push(span(i, Math.floor(i / 7) + (i < 7 ? 1 : 0), `service-${i % 12}`, `step ${i}`, i * 0.9, 3 + (i % 40)));
  return out;
}

export function trace(id) {
  if (/^0{32}$/.test(id) || id.length !== 32) return null;
  return { trace_id: id, spans: id.startsWith("b16") ? deep(20_000) : FAILED };
}

export function found(params) {
  const page = Number(params.get("cursor") ?? "0");
  const traces = Array.from({ length: 50 }, (_, i) => ({
    trace_id: (0x0af7651916cdn * 1000n + BigInt(page * 50 + i)).toString(16).padStart(32, "0"),
    root_service: "web",
    root_operation: params.get("operation") ?? "GET /buy",
    start_unix_nano: String(START - BigInt(i) * 1_000_000_000n),
    duration_ns: String(((i * 7919) % 2000) * 1_000_000 + 5_000_000),
    span_count: 8 + i,
    error_count: params.get("status") === "error" || i % 4 === 0 ? 2 : 0,
    services: ["web", "gateway", "checkout", "cart", "payment", "ledger"],
  }));
  return { traces, next_cursor: page < 2 ? String(page + 1) : null, limit: 50 };
}
