/** Why the culprit is the culprit, each reason with a trace that shows it; who suffers from it; who else was considered. */

import type { ReactElement } from "react";
import { formatCount, formatPercent } from "../../model/format";
import type { Evidence, Incident, Suspect } from "../../model/incident";
import { culpritNames, entityKindLabel, entityLabel, firstShaken } from "../../model/incident";
import { formatOffset } from "../../model/time";

const SHAKEN_SHOWN = 8;
const EVIDENCE_SHOWN = 5;

export function Why({ incident }: { readonly incident: Incident }): ReactElement {
  const [first, ...others] = incident.suspects;
  return (
    <section className="panel" aria-label="Why">
      <h2>Why</h2>
      {first && first.share !== null && (
        <p>
          Explains up to <strong>{formatPercent(first.share)}</strong> of the damage
        </p>
      )}
      {first && first.evidence.length > 0 ? (
        <EvidenceList evidence={first.evidence} name={first.entity.name} />
      ) : (
        <p className="muted">No evidence was given.</p>
      )}
      {first && <Compare incident={incident} name={first.entity.name} />}
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

/** A trace that suffers beside one that went well. */
function Compare({ incident, name }: { readonly incident: Incident; readonly name: string }): ReactElement | null {
  const { bad, good } = incident.exemplars;
  if (!bad && !good) return null;
  const link = (id: string, words: string): ReactElement => (
    <a href={`/trace/${id}?culprit=${encodeURIComponent(name)}`} className="proof">
      {words}
    </a>
  );
  return (
    <p className="compare" data-testid="compare">
      {bad && good ? "Compare " : "See "}
      {bad && link(bad, "a request that suffers")}
      {bad && good && " with "}
      {good && link(good, "one that went well")}
    </p>
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
        {suspect.share !== null && `, explains up to ${formatPercent(suspect.share)} of the damage`}
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
  const first = firstShaken(incident);
  const row = (one: (typeof list)[number]): ReactElement => (
    <tr key={one.service}>
      <th scope="row">
        {one.service}
        {entries.has(one.service) && <span className="tag">users notice</span>}
      </th>
      <td>{formatPercent(one.impact)}</td>
      {first !== null && <td>{one.firstShaken === null ? "" : formatOffset(one.firstShaken, first)}</td>}
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
            {first !== null && <th scope="col">Began</th>}
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
