/** The waterfall: only the rows on the screen are in the document, so 20,000 spans scroll like twenty. Arrow keys walk it. */

import type { KeyboardEvent, ReactElement } from "react";
import { useEffect, useMemo, useRef, useState } from "react";
import { formatDuration, since } from "../model/time";
import type { DurationNs, Timestamp } from "../model/time";
import type { Row, Tree } from "../model/trace";
import { hue } from "../model/trace";

const ROW_PX = 26;
const SPARE_ROWS = 12;
const INDENT_PX = 13;
const DEPTH_DRAWN_MAX = 16;

interface Props {
  readonly tree: Tree;
  readonly rows: readonly Row[];
  readonly closed: ReadonlySet<string>;
  readonly culprit: string | null;
  readonly selected: string | null;
  readonly narrow: boolean;
  readonly onSelect: (span: string | null) => void;
  readonly onToggle: (span: string) => void;
}

export function Waterfall(props: Props): ReactElement {
  const { tree, rows, selected, onSelect, onToggle, closed } = props;
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(800);
  const index = useMemo(() => rows.findIndex((row) => row.span.id === selected), [rows, selected]);

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setHeight(element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    const element = box.current;
    if (!element || index < 0) return;
    const at = index * ROW_PX;
    if (at < element.scrollTop) element.scrollTop = at;
    else if (at + ROW_PX > element.scrollTop + element.clientHeight) element.scrollTop = at - element.clientHeight / 2;
  }, [index]);

  const onKey = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20, Home: -rows.length, End: rows.length }[
      event.key
    ];
    const current = rows[index];
    if (step !== undefined) {
      const next = rows[Math.min(rows.length - 1, Math.max(0, index + step))];
      if (next) onSelect(next.span.id);
    } else if (current && event.key === "ArrowLeft" && !closed.has(current.span.id)) onToggle(current.span.id);
    else if (current && event.key === "ArrowRight" && closed.has(current.span.id)) onToggle(current.span.id);
    else if (event.key === "Escape") onSelect(null);
    else return;
    event.preventDefault();
  };

  const first = Math.max(0, Math.floor(top / ROW_PX) - SPARE_ROWS);
  const last = Math.min(rows.length, Math.ceil((top + height) / ROW_PX) + SPARE_ROWS);
  return (
    <div className={props.narrow ? "waterfall waterfall-narrow" : "waterfall"} data-testid="waterfall">
      <div className="ruler" aria-hidden="true">
        <span className="ruler-name">Service and operation</span>
        <span className="ruler-time">
          {[0n, 1n, 2n, 3n, 4n].map((quarter) => (
            <span key={quarter.toString()}>{formatDuration(((tree.length * quarter) / 4n) as DurationNs)}</span>
          ))}
        </span>
      </div>
      <div
        ref={box}
        className="rows"
        role="tree"
        tabIndex={0}
        aria-label="Spans of the trace"
        aria-activedescendant={selected && index >= first && index < last ? `span-${selected}` : undefined}
        onKeyDown={onKey}
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      >
        <div className="rows-all" style={{ height: rows.length * ROW_PX }}>
          {rows.slice(first, last).map((row, offset) => (
            <SpanRow key={row.span.id} row={row} at={(first + offset) * ROW_PX} {...props} />
          ))}
        </div>
      </div>
    </div>
  );
}

function SpanRow({ row, at, ...props }: Props & { readonly row: Row; readonly at: number }): ReactElement {
  const { tree, culprit, selected, closed, onSelect, onToggle } = props;
  const { span } = row;
  const named = culprit !== null && (span.service === culprit || span.peer === culprit);
  const open = !closed.has(span.id);
  const left = percent(span.start, tree);
  const width = Math.max(0.15, share(span.duration, tree));
  const label = labelPlace(left, width);
  const names = ["row", named && "row-culprit", selected === span.id && "row-selected", span.error && "row-error"];
  const colour = `hsl(${hue(span.service)} 55% var(--bar-light))`;
  const own = `hsl(${hue(span.service)} 60% var(--bar-dark))`;
  return (
    <div
      id={`span-${span.id}`}
      role="treeitem"
      aria-level={row.depth + 1}
      aria-selected={selected === span.id}
      aria-expanded={row.children > 0 ? open : undefined}
      aria-label={`${span.service} ${span.name}, ${formatDuration(span.duration)}${span.error ? ", error" : ""}`}
      className={names.filter(Boolean).join(" ")}
      style={{ top: at }}
      onClick={() => onSelect(selected === span.id ? null : span.id)}
    >
      <span className="row-name" style={{ paddingLeft: Math.min(row.depth, DEPTH_DRAWN_MAX) * INDENT_PX }}>
        {row.children > 0 ? (
          <button
            type="button"
            tabIndex={-1}
            className="fold"
            aria-label={open ? "Fold" : "Unfold"}
            onClick={(event) => {
              event.stopPropagation();
              onToggle(span.id);
            }}
          >
            {open ? "▾" : "▸"}
          </button>
        ) : (
          <span className="fold" />
        )}
        <span className="swatch" style={{ background: own }} />
        {span.error && <span className="bad">✕&nbsp;</span>}
        <strong>{span.service}</strong>&nbsp;<span className="row-operation">{span.name}</span>
        {row.orphan && <span className="tag">parent missing</span>}
      </span>
      <span className="row-time">
        <span className="row-bar" style={{ left: `${left}%`, width: `${width}%`, background: colour }} />
        {row.self.slice(0, 24).map((one) => (
          <span
            key={one.from.toString()}
            className="row-self"
            style={{
              left: `${percent(one.from, tree)}%`,
              width: `${Math.max(0.1, share(since(one.to, one.from), tree))}%`,
              background: own,
            }}
          />
        ))}
        <span className={`row-duration ${label.inside ? "row-duration-inside" : ""}`} style={label.style}>
          {formatDuration(span.duration)}
        </span>
      </span>
    </div>
  );
}

/** The figure stands after the bar, else before it, else inside: never over the name. In percent of the time column. */
function labelPlace(left: number, width: number): { inside: boolean; style: Record<string, string> } {
  if (left + width < 80) return { inside: false, style: { left: `${left + width}%` } };
  if (left > 45) return { inside: false, style: { right: `${100 - left}%` } };
  return { inside: true, style: { right: `${Math.max(0, 100 - left - width) + 2}%` } };
}

function percent(at: Timestamp, tree: Tree): number {
  return share(since(at, tree.start), tree);
}

function share(part: DurationNs, tree: Tree): number {
  return tree.length === 0n ? 0 : (Number(part) / Number(tree.length)) * 100;
}
