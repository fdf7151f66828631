/** Draws a scene on a canvas. Health is told three times: by colour, by a sign inside the node, and by the ring of its errors. */

import type { Health } from "../model/graph";
import { formatRate } from "../model/format";
import type { Palette } from "./palette";
import type { DrawnEdge, DrawnNode, Point, Scene, View } from "./scene";
import { RADIUS } from "./scene";
import { outline } from "./shapes";

const SIGN: Record<Health, string> = { ok: "", degraded: "!", failing: "✕", silent: "–", unknown: "?" };
/** More labels than this on the screen are a smear: then only marked, failing and pointed-at nodes keep theirs. */
const LABELS_MAX = 160;
/** With more edges than this, those that the incident does not touch are drawn faint, or they would hide the rest. */
const EDGES_CLEAR_MAX = 600;
const LABEL_SCALE_MIN = 0.42;
const LABEL_LENGTH_MAX = 20;

export interface Frame {
  readonly scene: Scene;
  readonly view: View;
  readonly palette: Palette;
  readonly width: number;
  readonly height: number;
  readonly ratio: number;
  readonly selected: string | null;
  readonly hovered: string | null;
  /** Seconds for what moves; null when nothing should. */
  readonly time: number | null;
  readonly font: string;
}

export function draw(ctx: CanvasRenderingContext2D, frame: Frame): void {
  const { view, ratio } = frame;
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, frame.width, frame.height);
  ctx.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, ratio * view.x, ratio * view.y);
  const seen = frame.scene.nodes.filter((one) => onScreen(one, frame));
  const trouble = frame.scene.nodes.some((one) => one.mark === "culprit");
  for (const one of frame.scene.edges) if (!one.hot) edge(ctx, one, frame, trouble);
  for (const one of frame.scene.edges) if (one.hot) edge(ctx, one, frame, trouble);
  for (const one of seen) node(ctx, one, frame, trouble);
  const all = seen.length <= LABELS_MAX && view.scale >= LABEL_SCALE_MIN;
  for (const one of seen) {
    const pointed = one.node.id === frame.hovered || one.node.id === frame.selected;
    if (all || pointed || one.mark !== "none" || (seen.length <= LABELS_MAX * 2 && one.node.health === "failing")) {
      label(ctx, one, frame);
    }
  }
  for (const one of seen) if (one.mark === "culprit") flag(ctx, one, frame);
}

function onScreen(at: Point, frame: Frame): boolean {
  const x = at.x * frame.view.scale + frame.view.x;
  const y = at.y * frame.view.scale + frame.view.y;
  return x > -90 && y > -90 && x < frame.width + 90 && y < frame.height + 90;
}

function edge(ctx: CanvasRenderingContext2D, one: DrawnEdge, frame: Frame, trouble: boolean): void {
  const { palette, scene } = frame;
  const { errorRatio, rate, health } = one.edge;
  const bad = errorRatio > 0.05 || health === "failing";
  const touched = [one.edge.source, one.edge.target].some((id) => id === frame.hovered || id === frame.selected);
  ctx.strokeStyle = bad ? palette.culprit : errorRatio > 0.01 || health === "degraded" ? palette.shaken : palette.line;
  ctx.fillStyle = ctx.strokeStyle;
  const faint = scene.edges.length > EDGES_CLEAR_MAX ? 0.1 : trouble ? 0.45 : 0.95;
  ctx.globalAlpha = one.hot || touched ? 0.95 : faint;
  ctx.lineWidth = Math.min(7, 1.3 + Math.log10(1 + Math.max(0, rate)) * 1.5) + (touched ? 1 : 0);
  ctx.setLineDash(bad ? [9, 5] : []);
  ctx.lineDashOffset = bad && frame.time !== null ? frame.time * -14 : 0;
  const points = one.points;
  const [first, last] = [points[0], points[points.length - 1]];
  if (!first || !last) return;
  ctx.beginPath();
  ctx.moveTo(first.x, first.y);
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1], points[i]];
    if (a && b) curve(ctx, a, b, scene.vertical);
  }
  ctx.stroke();
  ctx.setLineDash([]);
  arrow(ctx, points[points.length - 2] ?? first, last, scene.vertical, ctx.lineWidth);
  ctx.globalAlpha = 1;
}

function curve(ctx: CanvasRenderingContext2D, a: Point, b: Point, vertical: boolean): void {
  if (vertical) {
    const half = b.y > a.y ? (b.y - a.y) / 2 : 46;
    ctx.bezierCurveTo(a.x, a.y + half, b.x, b.y - half, b.x, b.y);
  } else {
    const half = b.x > a.x ? (b.x - a.x) / 2 : 70;
    ctx.bezierCurveTo(a.x + half, a.y, b.x - half, b.y, b.x, b.y);
  }
}

/** The head of the arrow, just outside the callee; curves arrive along the axis of the layers. */
function arrow(ctx: CanvasRenderingContext2D, from: Point, to: Point, vertical: boolean, width: number): void {
  const size = 5 + width;
  const away = RADIUS + 4;
  const chord = Math.atan2(to.y - from.y, to.x - from.x);
  const angle = vertical ? Math.PI / 2 : Math.abs(chord) < 1.45 ? chord * 0.25 : 0;
  ctx.save();
  ctx.translate(to.x - Math.cos(angle) * away, to.y - Math.sin(angle) * away);
  ctx.rotate(angle);
  ctx.beginPath();
  ctx.moveTo(0, 0);
  ctx.lineTo(-size, -size * 0.5);
  ctx.lineTo(-size, size * 0.5);
  ctx.fill();
  ctx.restore();
}

function node(ctx: CanvasRenderingContext2D, one: DrawnNode, frame: Frame, trouble: boolean): void {
  const { palette } = frame;
  const { health, errorRatio, kind } = one.node;
  const colour = one.mark === "culprit" ? palette.culprit : palette.health[health];
  if (one.mark === "culprit") halo(ctx, one, frame);
  if (one.mark === "shaken") ring(ctx, one, palette.shaken, 2.5, RADIUS + 7, [4, 4]);
  if (one.node.id === frame.selected || one.node.id === frame.hovered)
    ring(ctx, one, palette.accent, 3, RADIUS + 11, []);
  ctx.globalAlpha = trouble && one.mark === "none" && health === "ok" ? 0.75 : 1;
  outline(ctx, kind, one.x, one.y, RADIUS);
  ctx.fillStyle = palette.surface;
  ctx.fill();
  ctx.fillStyle = colour;
  ctx.globalAlpha *= one.mark === "culprit" ? 1 : 0.22;
  ctx.fill();
  ctx.globalAlpha = trouble && one.mark === "none" && health === "ok" ? 0.75 : 1;
  ctx.strokeStyle = colour;
  ctx.lineWidth = 2.5;
  ctx.setLineDash(kind === "external" ? [5, 3] : []);
  ctx.stroke();
  ctx.setLineDash([]);
  if (errorRatio > 0.001 && one.mark !== "culprit") {
    ctx.beginPath();
    ctx.arc(one.x, one.y, RADIUS + 3, -Math.PI / 2, -Math.PI / 2 + Math.PI * 2 * Math.min(1, errorRatio));
    ctx.strokeStyle = palette.culprit;
    ctx.lineWidth = 3.5;
    ctx.stroke();
  }
  const sign = one.mark === "culprit" ? "✕" : SIGN[health];
  if (sign) {
    ctx.fillStyle = one.mark === "culprit" ? palette.onCulprit : palette.text;
    ctx.font = `700 17px ${frame.font}`;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    ctx.fillText(sign, one.x, one.y + 1);
  }
  ctx.globalAlpha = 1;
}

function halo(ctx: CanvasRenderingContext2D, at: Point, frame: Frame): void {
  const swing = frame.time === null ? 0.5 : 0.5 + 0.5 * Math.sin(frame.time * 3);
  ctx.fillStyle = frame.palette.culprit;
  ctx.globalAlpha = 0.16 + 0.1 * swing;
  ctx.beginPath();
  ctx.arc(at.x, at.y, RADIUS + 19 + swing * 4, 0, Math.PI * 2);
  ctx.fill();
  ctx.globalAlpha = 1;
  ring(ctx, at, frame.palette.culprit, 3, RADIUS + 9, []);
}

function ring(
  ctx: CanvasRenderingContext2D,
  at: Point,
  colour: string,
  width: number,
  radius: number,
  dash: readonly number[],
): void {
  ctx.beginPath();
  ctx.arc(at.x, at.y, radius, 0, Math.PI * 2);
  ctx.strokeStyle = colour;
  ctx.lineWidth = width;
  ctx.setLineDash([...dash]);
  ctx.stroke();
  ctx.setLineDash([]);
}

function label(ctx: CanvasRenderingContext2D, one: DrawnNode, frame: Frame): void {
  const grow = Math.min(1.6, Math.max(1, 0.8 / frame.view.scale));
  const size = (one.mark === "culprit" ? 15 : 13) * grow;
  const below = one.y + RADIUS + (one.mark === "none" ? 15 : 21) + (grow - 1) * 6;
  const name = one.node.name;
  const short = name.length > LABEL_LENGTH_MAX ? `${name.slice(0, LABEL_LENGTH_MAX - 1)}…` : name;
  ctx.font = `${one.mark === "culprit" ? 700 : 550} ${size}px ${frame.font}`;
  words(ctx, short, one.x, below, frame.palette.text, frame.palette.surface);
  if (frame.view.scale < 0.7 || one.node.rate === 0) return;
  ctx.font = `400 11px ${frame.font}`;
  words(ctx, formatRate(one.node.rate), one.x, below + 15, frame.palette.muted, frame.palette.surface);
}

/** Text with a rim in the colour of the ground, so that edges do not cut it. */
function words(ctx: CanvasRenderingContext2D, text: string, x: number, y: number, colour: string, rim: string): void {
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.lineJoin = "round";
  ctx.lineWidth = 4;
  ctx.strokeStyle = rim;
  ctx.strokeText(text, x, y);
  ctx.fillStyle = colour;
  ctx.fillText(text, x, y);
}

/** "ROOT CAUSE" above the culprit, readable at any zoom. */
function flag(ctx: CanvasRenderingContext2D, one: DrawnNode, frame: Frame): void {
  const size = 12 * Math.min(2.4, Math.max(1, 0.85 / frame.view.scale));
  ctx.font = `800 ${size}px ${frame.font}`;
  const text = "ROOT CAUSE";
  const width = ctx.measureText(text).width + size * 1.4;
  const height = size * 1.8;
  const top = one.y - RADIUS - 14 - height;
  ctx.fillStyle = frame.palette.culprit;
  ctx.beginPath();
  ctx.roundRect(one.x - width / 2, top, width, height, height / 2);
  ctx.fill();
  ctx.fillStyle = frame.palette.onCulprit;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillText(text, one.x, top + height / 2 + 0.5);
}
