/** When nothing is broken, and when nothing is known yet. */

import type { ReactElement } from "react";
import { formatCount, formatPercent, formatRate } from "../../model/format";
import type { Graph } from "../../model/graph";
import { totals } from "../../model/graph";
import type { Incident } from "../../model/incident";
import { formatAge, toMillis } from "../../model/time";
import { useNow } from "../../state/clock";

export function Calm({ graph, past }: { readonly graph: Graph; readonly past: readonly Incident[] }): ReactElement {
  const sum = totals(graph);
  const now = useNow();
  const last = Math.max(0, ...past.map((one) => (one.resolved ? toMillis(one.resolved) : 0)));
  return (
    <section className="headline calm" aria-label="State" data-testid="calm">
      <h1>
        <span aria-hidden="true">✓ </span>Nothing is broken
      </h1>
      <dl className="figures" aria-live="off">
        <div>
          <dt>Requests</dt>
          <dd>{formatRate(sum.ratePerSecond)}</dd>
        </div>
        <div>
          <dt>With errors</dt>
          <dd>{formatPercent(sum.errorRatio)}</dd>
        </div>
        <div>
          <dt>Watching</dt>
          <dd>{formatCount(sum.services, "service")}</dd>
        </div>
        {last > 0 && (
          <div>
            <dt>Last incident ended</dt>
            <dd>{formatAge(now - last)} ago</dd>
          </div>
        )}
      </dl>
    </section>
  );
}

export function Empty(): ReactElement {
  const host = window.location.hostname || "localhost";
  return (
    <section className="panel empty" data-testid="empty">
      <h1>No spans yet</h1>
      <p>Epicenter is running and waits for OpenTelemetry spans. Point your services at it and start them again:</p>
      <pre>OTEL_EXPORTER_OTLP_ENDPOINT=http://{host}:4317</pre>
      <p>
        That is gRPC. For HTTP use port 4318 and <code>OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf</code>. From an
        OpenTelemetry Collector, add an <code>otlp</code> exporter with the same address. (These are the default ports.)
      </p>
      <p>
        To look around first: <code>epicenter demo</code> sends the spans of a simulated shop and breaks it now and
        then.
      </p>
      <p className="muted">This page shows the services as soon as the first spans arrive.</p>
    </section>
  );
}
