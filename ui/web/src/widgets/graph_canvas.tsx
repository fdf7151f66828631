/** The live graph on a canvas: draws the scene, pans, zooms, tells what is pointed at. What a click means is the page's business. */

import type { ReactElement } from "react";
import { useCallback, useEffect, useRef, useState } from "react";
import type { Palette } from "./palette";
import { readPalette } from "./palette";
import { draw } from "./draw";
import type { Hit, Point, Scene, View } from "./scene";
import { fit, hit, zoom } from "./scene";

const FRAME_MS = 66;
const DRAG_PX = 4;

interface Props {
  readonly scene: Scene;
  readonly selected: string | null;
  readonly label: string;
  readonly still: boolean;
  readonly dark: boolean;
  readonly width: number;
  readonly height: number;
  readonly onSelect: (hit: Hit | null) => void;
  readonly tooltip: (hit: Hit) => ReactElement;
}

export function GraphCanvas(props: Props): ReactElement {
  const { scene, selected, still, dark, width, height, onSelect } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const palette = useRef<Palette | null>(null);
  const [moved, setMoved] = useState<View | null>(null);
  const [hover, setHover] = useState<{ readonly hit: Hit; readonly at: Point } | null>(null);
  const view = moved ?? fit(scene, width, height);
  const hovered = hover?.hit.what === "node" ? hover.hit.node.id : null;

  useEffect(() => {
    if (canvas.current) palette.current = readPalette(canvas.current);
  }, [dark]);

  useEffect(() => {
    const element = canvas.current;
    const ctx = element?.getContext("2d");
    if (!element || !ctx || width === 0) return;
    const ratio = window.devicePixelRatio || 1;
    element.width = Math.round(width * ratio);
    element.height = Math.round(height * ratio);
    const font = getComputedStyle(element).fontFamily;
    palette.current ??= readPalette(element);
    const paint = (time: number | null): void => {
      if (palette.current) {
        draw(ctx, { scene, view, palette: palette.current, width, height, ratio, selected, hovered, time, font });
      }
    };
    paint(still ? null : performance.now() / 1000);
    const moving = !still && scene.nodes.some((one) => one.mark === "culprit");
    if (!moving) return;
    const timer = window.setInterval(() => {
      if (!document.hidden) paint(performance.now() / 1000);
    }, FRAME_MS);
    return () => window.clearInterval(timer);
  }, [scene, view, width, height, selected, hovered, still, dark]);

  const drag = useDrag(scene, view, setMoved, setHover, onSelect);
  useWheel(canvas, view, setMoved);
  const centre = { x: width / 2, y: height / 2 };
  return (
    <div className="graph-canvas">
      <canvas ref={canvas} role="img" aria-label={props.label} style={{ width, height }} {...drag} />
      <div className="zoom" role="group" aria-label="Zoom">
        <button type="button" onClick={() => setMoved(zoom(view, 1.3, centre))} aria-label="Zoom in">
          +
        </button>
        <button type="button" onClick={() => setMoved(zoom(view, 1 / 1.3, centre))} aria-label="Zoom out">
          −
        </button>
        <button type="button" onClick={() => setMoved(null)} disabled={moved === null}>
          Fit
        </button>
      </div>
      {hover && (
        <div className="tooltip" style={beside(hover.at, width, height)}>
          {props.tooltip(hover.hit)}
        </div>
      )}
    </div>
  );
}

function beside(at: Point, width: number, height: number): Record<string, number> {
  const across = at.x > width / 2 ? { right: width - at.x + 14 } : { left: at.x + 14 };
  const down = at.y > height / 2 ? { bottom: height - at.y + 10 } : { top: at.y + 10 };
  return { ...across, ...down };
}

function useDrag(
  scene: Scene,
  view: View,
  setView: (view: View) => void,
  setHover: (hover: { hit: Hit; at: Point } | null) => void,
  onSelect: (hit: Hit | null) => void,
) {
  const start = useRef<{ at: Point; view: View; far: boolean } | null>(null);
  const place = (event: React.PointerEvent): Point => {
    const box = event.currentTarget.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  return {
    onPointerDown: (event: React.PointerEvent) => {
      start.current = { at: place(event), view, far: false };
      event.currentTarget.setPointerCapture(event.pointerId);
    },
    onPointerMove: (event: React.PointerEvent) => {
      const at = place(event);
      const from = start.current;
      if (!from) {
        const found = hit(scene, view, at);
        setHover(found ? { hit: found, at } : null);
        return;
      }
      from.far ||= Math.hypot(at.x - from.at.x, at.y - from.at.y) > DRAG_PX;
      if (from.far)
        setView({ scale: from.view.scale, x: from.view.x + at.x - from.at.x, y: from.view.y + at.y - from.at.y });
    },
    onPointerUp: (event: React.PointerEvent) => {
      if (start.current && !start.current.far) onSelect(hit(scene, view, place(event)));
      start.current = null;
    },
    onPointerCancel: () => {
      start.current = null;
    },
    onPointerLeave: () => setHover(null),
  };
}

/** Zooms with the wheel only while Ctrl or Cmd is held (a pinch counts as that), so that the page itself can be scrolled past the graph. */
function useWheel(canvas: React.RefObject<HTMLCanvasElement | null>, view: View, setView: (view: View) => void): void {
  const onWheel = useCallback(
    (event: WheelEvent) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = (event.currentTarget as Element).getBoundingClientRect();
      setView(
        zoom(view, Math.exp(-event.deltaY * 0.0022), { x: event.clientX - box.left, y: event.clientY - box.top }),
      );
    },
    [view, setView],
  );
  useEffect(() => {
    const element = canvas.current;
    element?.addEventListener("wheel", onWheel, { passive: false });
    return () => element?.removeEventListener("wheel", onWheel);
  }, [canvas, onWheel]);
}
