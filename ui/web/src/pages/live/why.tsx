/** Why the culprit is the culprit, each reason with a trace that shows it; who suffers from it; who else was considered. */

import type { ReactElement } from "react";
import { formatCount, formatPercent } from "../../model/format";
import type { Evidence, Incident, Suspect } from "../../model/incident";
import { culpritNames, entityKindLabel, entityLabel } from "../../model/incident";

const SHAKEN_SHOWN = 8;
const EVIDENCE_SHOWN = 5;

export function Why({ incident }: { readonly incident: Incident }): ReactElement {
  const [first, ...others] = incident.suspects;
  return (
    <section className="panel" aria-label="Why">
      <h2>Why</h2>
      {first && first.evidence.length > 0 ? (
        <EvidenceList evidence={first.evidence} name={first.entity.name} />
      ) : (
        <p className="muted">No evidence was given.</p>
      )}
      {others.length > 0 && (
        <details>
          <summary>{formatCount(others.length, "other suspect")}, less likely</summary>
          <ul className="suspects">
            {others.map((one) => (
              <Other key={`${one.entity.kind} ${one.entity.name}`} suspect={one} />
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

function EvidenceList({
  evidence,
  name,
}: {
  readonly evidence: readonly Evidence[];
  readonly name: string;
}): ReactElement {
  return (
    <ul className="evidence">
      {evidence.slice(0, EVIDENCE_SHOWN).map((one, index) => (
        <li key={`${one.kind} ${index}`}>
          {one.text}
          {one.traceIds[0] && (
            <>
              {" "}
              <a href={`/trace/${one.traceIds[0]}?culprit=${encodeURIComponent(name)}`} className="proof">
                see a trace
              </a>
            </>
          )}
        </li>
      ))}
    </ul>
  );
}

function Other({ suspect }: { readonly suspect: Suspect }): ReactElement {
  return (
    <li>
      <strong>{entityLabel(suspect.entity)}</strong>{" "}
      <span className="muted">
        {entityKindLabel(suspect.entity.kind)}, {formatPercent(suspect.score)}
      </span>
      {suspect.evidence[0] && <EvidenceList evidence={suspect.evidence.slice(0, 2)} name={suspect.entity.name} />}
    </li>
  );
}

export function Shaken({ incident }: { readonly incident: Incident }): ReactElement | null {
  const culprits = culpritNames(incident);
  const list = incident.affected
    .filter((one) => !culprits.has(one.service))
    .toSorted((a, b) => b.impact - a.impact || (a.service < b.service ? -1 : 1));
  if (list.length === 0) return null;
  const entries = new Set(incident.entryPoints.map((point) => point.split(" ")[0]));
  const row = (one: (typeof list)[number]): ReactElement => (
    <tr key={one.service}>
      <th scope="row">
        {one.service}
        {entries.has(one.service) && <span className="tag">users notice</span>}
      </th>
      <td>{formatPercent(one.impact)}</td>
    </tr>
  );
  return (
    <section className="panel" aria-label="Who is shaken">
      <h2>Shaken by it: {formatCount(list.length, "service")}</h2>
      <p className="muted small">They fail because of the root cause. Do not start here.</p>
      <table className="shaken">
        <thead>
          <tr>
            <th scope="col">Service</th>
            <th scope="col">Requests hurt</th>
          </tr>
        </thead>
        <tbody>{list.slice(0, SHAKEN_SHOWN).map(row)}</tbody>
      </table>
      {list.length > SHAKEN_SHOWN && (
        <details>
          <summary>{list.length - SHAKEN_SHOWN} more</summary>
          <table className="shaken">
            <tbody>{list.slice(SHAKEN_SHOWN).map(row)}</tbody>
          </table>
        </details>
      )}
    </section>
  );
}
