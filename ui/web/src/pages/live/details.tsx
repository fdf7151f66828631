/** What was clicked on the graph: its figures, who calls it, its operations, traces that show it. */

import type { ReactElement, ReactNode } from "react";
import { useEffect, useRef } from "react";
import { formatList, formatPercent, formatRate } from "../../model/format";
import type { Edge, Graph, Mark, Node } from "../../model/graph";
import { entityKindLabel } from "../../model/incident";
import { useOperations } from "../../state/queries";
import { HealthSign } from "../../widgets/signs";
import { Figures } from "./tooltip";

const OPERATIONS_SHOWN = 10;
const TRACES_SHOWN = 5;

interface NodeProps {
  readonly node: Node;
  readonly mark: Mark;
  readonly graph: Graph;
  readonly onClose: () => void;
}

export function NodeDetails({ node, mark, graph, onClose }: NodeProps): ReactElement {
  const nameOf = new Map(graph.nodes.map((one) => [one.id, one.name]));
  const callers = graph.edges
    .filter((one) => one.target === node.id)
    .map((one) => nameOf.get(one.source) ?? one.source);
  const callees = graph.edges
    .filter((one) => one.source === node.id)
    .map((one) => nameOf.get(one.target) ?? one.target);
  return (
    <Drawer title={node.name} onClose={onClose}>
      <p>
        {mark === "culprit" && <strong className="tag tag-bad">✕ root cause</strong>}
        {mark === "shaken" && <strong className="tag tag-warn">shaken</strong>}
        <HealthSign health={node.health} />{" "}
        <span className="muted">
          {entityKindLabel(node.kind)}
          {node.system && ` (${node.system})`}
          {node.instances > 1 && `, ${node.instances} instances`}
        </span>
      </p>
      <Figures rate={node.rate} errorRatio={node.errorRatio} latency={node.latency} />
      {callers.length > 0 && <p className="small">Called by {formatList(callers, 6)}</p>}
      {callees.length > 0 && <p className="small">Calls {formatList(callees, 6)}</p>}
      <Traces ids={node.traceIds} culprit={node.name} />
      {node.kind === "service" && <Operations service={node.name} />}
    </Drawer>
  );
}

interface EdgeProps {
  readonly edge: Edge;
  readonly nameOf: (id: string) => string;
  readonly onClose: () => void;
}

export function EdgeDetails({ edge, nameOf, onClose }: EdgeProps): ReactElement {
  return (
    <Drawer title={`${nameOf(edge.source)} → ${nameOf(edge.target)}`} onClose={onClose}>
      <p>
        <HealthSign health={edge.health} /> <span className="muted">{edge.protocol ?? "calls"}</span>
      </p>
      <Figures rate={edge.rate} errorRatio={edge.errorRatio} latency={edge.latency} />
      <p className="small">
        {nameOf(edge.source)} calls {nameOf(edge.target)} {formatRate(edge.rate)}, {formatPercent(edge.errorRatio)} of
        the calls fail.
      </p>
      <Traces ids={edge.traceIds} culprit={nameOf(edge.target)} />
    </Drawer>
  );
}

function Operations({ service }: { readonly service: string }): ReactElement | null {
  const { data, error } = useOperations(service);
  if (error) return <p className="muted small">Its operations could not be read: {error.message}</p>;
  if (!data || data.length === 0) return null;
  return (
    <>
      <h3>Operations</h3>
      <ul className="plain small">
        {data.slice(0, OPERATIONS_SHOWN).map((name) => (
          <li key={name}>
            <a href={`/traces?${new URLSearchParams({ service, operation: name }).toString()}`}>{name}</a>
          </li>
        ))}
      </ul>
      <p className="small">
        <a href={`/traces?${new URLSearchParams({ service, status: "error" }).toString()}`}>Its failed traces</a>
      </p>
    </>
  );
}

function Traces({ ids, culprit }: { readonly ids: readonly string[]; readonly culprit: string }): ReactElement | null {
  if (ids.length === 0) return null;
  return (
    <>
      <h3>Traces that show it</h3>
      <ul className="plain small">
        {ids.slice(0, TRACES_SHOWN).map((id) => (
          <li key={id}>
            <a className="mono" href={`/trace/${id}?culprit=${encodeURIComponent(culprit)}`}>
              {id.slice(0, 16)}…
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}

interface DrawerProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

function Drawer({ title, onClose, children }: DrawerProps): ReactElement {
  const close = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    close.current?.focus({ preventScroll: true });
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === "Escape") onClose();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
    // The title names what is shown: a new one takes the focus again.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [title]);
  return (
    <aside className="drawer" aria-label={`Details of ${title}`} data-testid="details">
      <header>
        <h2>{title}</h2>
        <button type="button" ref={close} onClick={onClose} aria-label="Close">
          ✕
        </button>
      </header>
      {children}
    </aside>
  );
}
