/** The graph as a table: for the keyboard, for a screen reader, for a phone. Worst first. */

import type { ReactElement } from "react";
import { useState } from "react";
import { formatCount, formatPercent, formatRate } from "../../model/format";
import type { Graph, Health, Mark, Node } from "../../model/graph";
import { formatDuration } from "../../model/time";
import { HealthSign } from "../../widgets/signs";

const ROWS_MAX = 300;
const BADNESS: Record<Health, number> = { failing: 0, silent: 1, degraded: 2, unknown: 3, ok: 4 };

interface Props {
  readonly graph: Graph;
  readonly marks: ReadonlyMap<string, Mark>;
  readonly onChoose: (id: string) => void;
}

export function NodeTable({ graph, marks, onChoose }: Props): ReactElement {
  const [open, setOpen] = useState(false);
  const rank = (node: Node): number => (marks.get(node.id) === "culprit" ? -1 : BADNESS[node.health]);
  const rows = open
    ? graph.nodes.toSorted((a, b) => rank(a) - rank(b) || b.errorRatio - a.errorRatio || (a.name < b.name ? -1 : 1))
    : [];
  return (
    <details className="node-table" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>All {formatCount(graph.nodes.length, "node")} as a table</summary>
      <div className="scroll-x">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Kind</th>
              <th scope="col">Health</th>
              <th scope="col">Rate</th>
              <th scope="col">Errors</th>
              <th scope="col">p95</th>
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, ROWS_MAX).map((node) => (
              <tr key={node.id}>
                <th scope="row">
                  <button type="button" className="link" onClick={() => onChoose(node.id)}>
                    {node.name}
                  </button>
                  {marks.get(node.id) === "culprit" && <span className="tag tag-bad">✕ root cause</span>}
                </th>
                <td>{node.kind}</td>
                <td>
                  <HealthSign health={node.health} />
                </td>
                <td>{formatRate(node.rate)}</td>
                <td>{formatPercent(node.errorRatio)}</td>
                <td>{formatDuration(node.latency.p95)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > ROWS_MAX && <p className="muted">The worst {ROWS_MAX} are shown.</p>}
    </details>
  );
}
