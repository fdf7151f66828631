/** What was broken before, what was written about it, and a place to write: the reason is often known only afterwards. */

import type { ReactElement } from "react";
import { useState } from "react";
import { formatCount } from "../../model/format";
import type { Incident } from "../../model/incident";
import { sentence } from "../../model/incident";
import { formatAge, formatDateTime, toMillis } from "../../model/time";
import { Recalled } from "./recall";

const SHOWN = 8;

export function History({ incidents }: { readonly incidents: readonly Incident[] }): ReactElement {
  const list = incidents.toSorted((a, b) => (a.started > b.started ? -1 : 1)).slice(0, SHOWN);
  return (
    <section className="panel" aria-label="Earlier incidents">
      <h2>Earlier</h2>
      <ul className="history">
        {list.map((one) => {
          const said = sentence(one);
          const trace = one.suspects[0]?.evidence.flatMap((item) => item.traceIds)[0];
          return (
            <li key={one.id}>
              <span>
                <span aria-hidden="true">✓ </span>
                <strong>{said.culprit}</strong> {said.predicate}
              </span>
              <span className="muted">
                {formatDateTime(one.started)}
                {one.resolved && `, for ${formatAge(toMillis(one.resolved) - toMillis(one.started))}`},{" "}
                {formatCount(one.affected.length, "service")} shaken
                {trace && (
                  <>
                    , <a href={`/trace/${trace}`}>a trace</a>
                  </>
                )}
              </span>
              <Remembered incident={one} />
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Remembered({ incident }: { readonly incident: Incident }): ReactElement {
  // What is closed is not drawn: it has a form for each incident.
  const [open, setOpen] = useState(false);
  const count = incident.notes.length;
  return (
    <details className="remembered" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{count === 0 ? "Write a note" : formatCount(count, "note")}</summary>
      {open && <Recalled incident={incident} />}
    </details>
  );
}
