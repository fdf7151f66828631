/** The figures of what the pointer is on. */

import type { ReactElement } from "react";
import { formatPercent, formatRate } from "../../model/format";
import type { Latency } from "../../model/graph";
import type { DurationNs } from "../../model/time";
import { formatDuration } from "../../model/time";
import type { Hit } from "../../widgets/scene";
import { HealthSign } from "../../widgets/signs";

interface Props {
  readonly hit: Hit;
  readonly nameOf: (id: string) => string;
}

export function Tooltip({ hit, nameOf }: Props): ReactElement {
  const of = hit.what === "node" ? hit.node : hit.edge;
  const title = hit.what === "node" ? hit.node.name : `${nameOf(hit.edge.source)} → ${nameOf(hit.edge.target)}`;
  return (
    <>
      <strong>{title}</strong>
      <HealthSign health={of.health} />
      <Figures rate={of.rate} errorRatio={of.errorRatio} latency={of.latency} />
    </>
  );
}

interface FiguresProps {
  readonly rate: number;
  readonly errorRatio: number;
  readonly latency: Latency;
}

export function Figures({ rate, errorRatio, latency }: FiguresProps): ReactElement {
  return (
    <dl className="figures small-figures">
      <Figure name="Rate" value={formatRate(rate)} />
      <Figure name="Errors" value={formatPercent(errorRatio)} />
      <Figure name="p50" value={late(latency.p50)} />
      <Figure name="p95" value={late(latency.p95)} />
      <Figure name="p99" value={late(latency.p99)} />
    </dl>
  );
}

/** Nothing answered in the window: there is no latency to tell. */
function late(ns: DurationNs): string {
  return ns === 0n ? "–" : formatDuration(ns);
}

function Figure({ name, value }: { readonly name: string; readonly value: string }): ReactElement {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
