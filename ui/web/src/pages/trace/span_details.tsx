/** Everything that a span carries. */

import type { ReactElement } from "react";
import { entityKindLabel } from "../../model/incident";
import type { Timestamp } from "../../model/time";
import { formatDateTime, formatDuration, since } from "../../model/time";
import type { Attribute, Row } from "../../model/trace";

interface Props {
  readonly row: Row;
  readonly start: Timestamp;
  readonly onClose: () => void;
}

export function SpanDetails({ row, start, onClose }: Props): ReactElement {
  const { span } = row;
  const facts: Attribute[] = [
    { key: "service", value: span.service },
    { key: "kind", value: entityKindLabel(span.kind) },
    {
      key: "starts",
      value: `${formatDuration(since(span.start, start))} into the trace (${formatDateTime(span.start)})`,
    },
    { key: "duration", value: formatDuration(span.duration) },
    { key: "own time", value: formatDuration(row.selfNs) },
    { key: "status", value: span.status.message ? `${span.status.code}: ${span.status.message}` : span.status.code },
    ...(span.protocol ? [{ key: "protocol", value: span.protocol }] : []),
    ...(span.peer ? [{ key: "peer", value: span.peer }] : []),
    ...(span.instance ? [{ key: "instance", value: span.instance }] : []),
    { key: "span id", value: span.id },
    { key: "parent", value: span.parentId ? span.parentId + (row.orphan ? " (never received)" : "") : "none, a root" },
  ];
  return (
    <aside className="drawer span-details" aria-label="Span details" data-testid="span-details">
      <header>
        <h2>{span.name}</h2>
        <button type="button" onClick={onClose} aria-label="Close">
          ✕
        </button>
      </header>
      {span.error && <p className="tag tag-bad">✕ error</p>}
      <Table title="Span" list={facts} />
      <Table title="Attributes" list={span.attributes} />
      {span.events.length > 0 && <h3>Events</h3>}
      {span.events.map((event, index) => (
        <Table
          key={index}
          title={`${event.name}, at ${formatDuration(since(event.at, start))}`}
          list={event.attributes}
          always
        />
      ))}
      {span.links.length > 0 && <h3>Links</h3>}
      {span.links.map((link) => (
        <p key={link.traceId + link.spanId} className="small">
          <a className="mono" href={`/trace/${link.traceId}?span=${link.spanId}`}>
            {link.traceId.slice(0, 16)}…
          </a>
        </p>
      ))}
      <Table title="Resource" list={span.resource} />
      <Table title="Scope" list={span.scope} />
    </aside>
  );
}

interface TableProps {
  readonly title: string;
  readonly list: readonly Attribute[];
  readonly always?: boolean;
}

function Table({ title, list, always = false }: TableProps): ReactElement | null {
  if (list.length === 0 && !always) return null;
  return (
    <>
      <h3>{title}</h3>
      <table className="facts">
        <tbody>
          {list.map((one, index) => (
            <tr key={`${one.key} ${index}`}>
              <th scope="row">{one.key}</th>
              <td>{one.value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
