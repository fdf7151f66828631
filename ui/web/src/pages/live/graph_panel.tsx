/** The live graph with its legend, the details of what was clicked, and the same facts as a table. */

import type { ReactElement } from "react";
import { useMemo, useRef, useState } from "react";
import { formatCount } from "../../model/format";
import type { Edge, Graph } from "../../model/graph";
import { marks } from "../../model/graph";
import type { Incident } from "../../model/incident";
import { sentence } from "../../model/incident";
import { Keeper } from "../../model/keeper";
import { useMedia } from "../../state/clock";
import { GraphCanvas } from "../../widgets/graph_canvas";
import { scene, stretch } from "../../widgets/scene";
import type { Hit } from "../../widgets/scene";
import { useSize } from "../../widgets/size";
import { EdgeDetails, NodeDetails } from "./details";
import { Tooltip } from "./tooltip";
import { NodeTable } from "./node_table";

const WIDE = { layer: 165, row: 84 };
const TALL = { layer: 104, row: 106 };
/** Narrower than this, layers run downwards: a phone is tall. */
const NARROW_PX = 520;

type Chosen = { readonly node: string } | { readonly source: string; readonly target: string };

export function GraphPanel({
  graph,
  incident,
}: {
  readonly graph: Graph;
  readonly incident: Incident | null;
}): ReactElement {
  const box = useRef<HTMLDivElement>(null);
  const { width, height } = useSize(box);
  const [keeper] = useState(() => new Keeper());
  const [chosen, setChosen] = useState<Chosen | null>(null);
  const still = useMedia("(prefers-reduced-motion: reduce)");
  const dark = useMedia("(prefers-color-scheme: dark)");
  const vertical = width > 0 && width < NARROW_PX;
  const marked = useMemo(() => marks(graph, incident), [graph, incident]);
  const drawn = useMemo(() => {
    const places = keeper.layout(graph, vertical ? TALL : WIDE);
    return scene(graph, places, marked, vertical, vertical ? 1 : stretch(places, width, height));
  }, [graph, keeper, marked, vertical, width, height]);
  const select = (hit: Hit | null): void => {
    if (!hit) setChosen(null);
    else if (hit.what === "node") setChosen({ node: hit.node.id });
    else setChosen({ source: hit.edge.source, target: hit.edge.target });
  };
  const node = chosen && "node" in chosen ? drawn.byId.get(chosen.node)?.node : undefined;
  const edge = chosen && "source" in chosen ? graph.edges.find((one) => same(one, chosen)) : undefined;
  return (
    <section className="graph" aria-label="Live service graph">
      <div className="graph-box" ref={box} data-testid="graph">
        <GraphCanvas
          scene={drawn}
          selected={node?.id ?? null}
          label={describe(graph, incident)}
          still={still}
          dark={dark}
          width={width}
          height={height}
          onSelect={select}
          tooltip={(hit) => <Tooltip hit={hit} nameOf={(id) => drawn.byId.get(id)?.node.name ?? id} />}
        />
        {node && (
          <NodeDetails node={node} mark={marked.get(node.id) ?? "none"} graph={graph} onClose={() => setChosen(null)} />
        )}
        {edge && (
          <EdgeDetails
            edge={edge}
            nameOf={(id) => drawn.byId.get(id)?.node.name ?? id}
            onClose={() => setChosen(null)}
          />
        )}
      </div>
      <Legend />
      <NodeTable graph={graph} marks={marked} onChoose={(id) => setChosen({ node: id })} />
    </section>
  );
}

function same(edge: Edge, chosen: { readonly source: string; readonly target: string }): boolean {
  return edge.source === chosen.source && edge.target === chosen.target;
}

function describe(graph: Graph, incident: Incident | null): string {
  const failing = graph.nodes.filter((one) => one.health === "failing" || one.health === "silent").length;
  const said = incident ? sentence(incident) : null;
  const root = said ? ` Root cause: ${said.culprit}.` : "";
  return `Service graph of ${formatCount(graph.nodes.length, "node")} and ${formatCount(graph.edges.length, "connection")}, ${failing} failing.${root} The table below has the same facts.`;
}

function Legend(): ReactElement {
  return (
    <p className="legend" aria-hidden="true">
      <span>● service</span>
      <span>⛁ database</span>
      <span>◆ cache</span>
      <span>▬ queue</span>
      <span>⬡ external</span>
      <span className="legend-bad">✕ failing</span>
      <span className="legend-warn">! degraded</span>
      <span>– silent</span>
      <span className="legend-bad">╌ calls failing</span>
      <span className="legend-hint">Drag to move, Ctrl + wheel to zoom, click for details</span>
    </p>
  );
}
