/** The colours of the canvas, read from the style sheet so that dark and light are told in one place. */

import type { Health } from "../model/graph";

export interface Palette {
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly surface: string;
  readonly culprit: string;
  readonly shaken: string;
  readonly accent: string;
  readonly onCulprit: string;
  readonly health: Readonly<Record<Health, string>>;
}

export function readPalette(element: Element): Palette {
  const style = getComputedStyle(element);
  const of = (name: string): string => style.getPropertyValue(name).trim() || "#888";
  return {
    text: of("--text"),
    muted: of("--muted"),
    line: of("--line-strong"),
    surface: of("--canvas"),
    culprit: of("--bad"),
    shaken: of("--warn"),
    accent: of("--accent"),
    onCulprit: of("--on-bad"),
    health: {
      ok: of("--ok"),
      degraded: of("--warn"),
      failing: of("--bad"),
      silent: of("--silent"),
      unknown: of("--silent"),
    },
  };
}
