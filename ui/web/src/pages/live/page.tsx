/** The first page: what broke, why, who is shaken, and the graph of it. */

import type { ReactElement } from "react";
import { useMemo, useState } from "react";
import type { Graph } from "../../model/graph";
import { byUrgency } from "../../model/incident";
import { useGraph, useIncidents } from "../../state/queries";
import { Problem } from "../../widgets/signs";
import { Calm, Empty } from "./calm";
import { GraphPanel } from "./graph_panel";
import { History } from "./history";
import { Headline } from "./headline";
import { Recall } from "./recall";
import { Shaken, Why } from "./why";

const NOTHING: Graph = { at: 0n as Graph["at"], windowNs: 0n as Graph["windowNs"], nodes: [], edges: [] };

export function LivePage(): ReactElement {
  const incidents = useIncidents();
  const graphQuery = useGraph();
  const [chosen, setChosen] = useState<string | null>(null);
  const open = useMemo(() => (incidents.data ?? []).filter((one) => one.open).toSorted(byUrgency), [incidents.data]);
  const past = useMemo(() => (incidents.data ?? []).filter((one) => !one.open), [incidents.data]);
  const incident = open.find((one) => one.id === chosen) ?? open[0] ?? null;
  const graph = graphQuery.data ?? NOTHING;
  const error = incidents.error ?? graphQuery.error;

  if (!incidents.data && !graphQuery.data) {
    if (error)
      return (
        <Problem title="The Epicenter server cannot be reached" why={`${error.message} This page keeps trying.`} />
      );
    return <p className="loading">Asking the server…</p>;
  }
  const empty = graph.nodes.length === 0 && open.length === 0;
  return (
    <div className={incident ? "live live-broken" : "live"}>
      {error && (
        <p className="stale-banner" role="alert">
          ⚠ {error.message} What you see is old and may no longer be true.
        </p>
      )}
      <div aria-live="assertive" aria-atomic="true">
        {incident ? (
          <Headline
            incident={incident}
            graph={graph}
            others={open.filter((one) => one !== incident)}
            onChoose={setChosen}
          />
        ) : (
          !empty && incidents.data && <Calm graph={graph} past={past} />
        )}
      </div>
      {empty ? (
        <Empty />
      ) : (
        <div className="columns">
          {incident && (
            <div className="aside">
              <Why incident={incident} />
              <Shaken incident={incident} />
              <Recall incident={incident} />
            </div>
          )}
          <GraphPanel graph={graph} incident={incident} />
        </div>
      )}
      {past.length > 0 && <History incidents={past} />}
    </div>
  );
}
