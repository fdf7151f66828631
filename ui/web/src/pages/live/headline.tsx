/** The incident in one sentence, the way it travels, and since when. This is what the five seconds are for. */

import type { ReactElement } from "react";
import { Fragment, memo } from "react";
import { formatCount, formatPercent } from "../../model/format";
import type { Graph } from "../../model/graph";
import { chain } from "../../model/graph";
import type { Incident } from "../../model/incident";
import { confidenceWord, entityKindLabel, entityLabel, explain, sentence } from "../../model/incident";
import { formatAge, formatClock, toMillis } from "../../model/time";
import { useNow } from "../../state/clock";

interface Props {
  readonly incident: Incident;
  readonly graph: Graph;
  readonly others: readonly Incident[];
  readonly onChoose: (id: string) => void;
}

export function Headline({ incident, graph, others, onChoose }: Props): ReactElement {
  const said = sentence(incident);
  const culprit = incident.suspects[0]?.entity;
  return (
    <section className="headline" aria-label="Current incident" data-testid="incident">
      <p className="kicker">
        <span aria-hidden="true">✕</span> Root cause{culprit ? `: ${entityKindLabel(culprit.kind)}` : ""}
      </p>
      <h1>
        <span data-testid="culprit">{said.culprit}</span> {said.predicate}
      </h1>
      <p className="explain">
        {explain(incident.cause.kind)} · <strong>{confidenceWord(incident.cause.confidence)}</strong> (
        {formatPercent(incident.cause.confidence)}) · <Since incident={incident} />
      </p>
      <Way incident={incident} graph={graph} />
      <Radius incident={incident} />
      {others.length > 0 && (
        <p className="others">
          Also open:{" "}
          {others.slice(0, 5).map((one) => {
            const other = sentence(one);
            return (
              <button type="button" key={one.id} onClick={() => onChoose(one.id)}>
                {other.culprit} {other.predicate}
              </button>
            );
          })}
          {others.length > 5 && formatCount(others.length - 5, "more incident")}
        </p>
      )}
    </section>
  );
}

/** Ticks each second; hidden from the live region, or a reader would never fall silent. */
const Since = memo(function Since({ incident }: { readonly incident: Incident }): ReactElement {
  const now = useNow();
  return (
    <>
      since {formatClock(incident.started)}
      <span aria-live="off" aria-hidden="true">
        {" "}
        ({formatAge(now - toMillis(incident.started))})
      </span>
    </>
  );
});

function Way({ incident, graph }: { readonly incident: Incident; readonly graph: Graph }): ReactElement | null {
  const told = incident.chain.map((one) => ({ id: `${one.kind} ${one.name}`, name: entityLabel(one) }));
  const way = told.length > 1 ? told : chain(graph, incident);
  if (way.length < 2) {
    if (incident.entryPoints.length === 0) return null;
    return <p className="way">Felt at {incident.entryPoints.slice(0, 6).join(", ")}</p>;
  }
  return (
    <p className="way">
      <span className="visually-hidden">The failure reaches users this way: </span>
      {way.map((node, index) => (
        <Fragment key={node.id}>
          {index > 0 && (
            <span className="way-arrow" aria-hidden="true">
              →
            </span>
          )}
          <span className={index === way.length - 1 ? "way-step way-culprit" : "way-step"}>
            {index === way.length - 1 && <span aria-hidden="true">✕ </span>}
            {node.name}
          </span>
        </Fragment>
      ))}
    </p>
  );
}

/** How far it spreads, in one sentence. */
function Radius({ incident }: { readonly incident: Incident }): ReactElement | null {
  const radius = incident.blastRadius;
  if (!radius) return null;
  const suffers = radius.services === 1 ? "suffers" : "suffer";
  return (
    <p className="radius" data-testid="radius">
      {formatCount(radius.services, "service")} {suffers}
      {radius.entryPoints > 0 &&
        `, felt at ${formatCount(radius.entryPoints, "entry point")}: ${formatPercent(radius.requests)} of all requests`}
    </p>
  );
}
