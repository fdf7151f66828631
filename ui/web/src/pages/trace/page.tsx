/** One trace: its summary, the waterfall, and the span that was clicked. `?span=` and `?culprit=` are in the URL, so that a link shows the same. */

import type { ReactElement } from "react";
import { useMemo, useState } from "react";
import { formatCount } from "../../model/format";
import { formatDateTime, formatDuration } from "../../model/time";
import { tree, visible } from "../../model/trace";
import { useMedia } from "../../state/clock";
import { useTrace } from "../../state/queries";
import { go } from "../../state/route";
import { Problem } from "../../widgets/signs";
import { Waterfall } from "../../widgets/waterfall";
import { SpanDetails } from "./span_details";

interface Props {
  readonly id: string;
  readonly span: string | null;
}

export function TracePage({ id, span }: Props): ReactElement {
  const { data, error } = useTrace(id);
  const [closed, setClosed] = useState<ReadonlySet<string>>(() => new Set());
  const narrow = useMedia("(max-width: 700px)");
  const made = useMemo(() => (data ? tree(data) : null), [data]);
  const rows = useMemo(() => (made ? visible(made.rows, closed) : []), [made, closed]);
  const culprit = new URLSearchParams(window.location.search).get("culprit");
  if (!made) {
    if (error) return <Problem title="This trace cannot be shown" why={error.message} />;
    return <p className="loading">Loading the trace…</p>;
  }
  const root = made.rows[0]?.span;
  if (!root) return <Problem title="This trace is empty" why="The server knows the trace but holds no span of it." />;
  const select = (next: string | null): void => {
    const params = new URLSearchParams(window.location.search);
    if (next) params.set("span", next);
    else params.delete("span");
    go(`${window.location.pathname}${params.size > 0 ? `?${params.toString()}` : ""}`, true);
  };
  const toggle = (one: string): void =>
    setClosed((before) => {
      const after = new Set(before);
      if (!after.delete(one)) after.add(one);
      return after;
    });
  const chosen = made.rows.find((one) => one.span.id === span);
  return (
    <div className="trace">
      <section className="trace-head">
        <h1>
          {root.service} <span className="muted">{root.name}</span>
        </h1>
        <p>
          {formatDateTime(made.start)} · <strong>{formatDuration(made.length)}</strong> ·{" "}
          {formatCount(made.rows.length, "span")} · {formatCount(made.services.length, "service")} ·{" "}
          {made.errors > 0 ? <strong className="bad">✕ {formatCount(made.errors, "error")}</strong> : "✓ no errors"}
        </p>
        <p className="mono small muted">{id}</p>
        {made.orphans > 0 && (
          <p className="notice">
            ⚠ {formatCount(made.orphans, "span")} name{made.orphans === 1 ? "s" : ""} a parent that was never received:
            the trace is incomplete there. They are marked “parent missing”.
          </p>
        )}
        {culprit && (
          <p className="small">
            <span className="tag tag-bad">✕ {culprit}</span> is marked in the rows below. The stronger parts of a bar
            are the span’s own time.
          </p>
        )}
      </section>
      <div className="trace-body">
        <Waterfall
          tree={made}
          rows={rows}
          closed={closed}
          culprit={culprit}
          selected={span}
          narrow={narrow}
          onSelect={select}
          onToggle={toggle}
        />
        {chosen && <SpanDetails row={chosen} start={made.start} onClose={() => select(null)} />}
      </div>
    </div>
  );
}
