/** Small signs: health and state by shape and word, never by colour alone. */

import type { ReactElement } from "react";
import type { Health } from "../model/graph";
import { HEALTH_WORD } from "../model/graph";

const GLYPH: Record<Health, string> = { ok: "✓", degraded: "!", failing: "✕", silent: "–", unknown: "?" };

export function HealthSign({ health }: { readonly health: Health }): ReactElement {
  return (
    <span className={`sign sign-${health}`}>
      <span aria-hidden="true">{GLYPH[health]}</span> {HEALTH_WORD[health]}
    </span>
  );
}

/** A share from 0 to 1 as a bar, with its figure in words beside it. */
export function Bar({ share, words }: { readonly share: number; readonly words: string }): ReactElement {
  return (
    <span className="bar">
      <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
        <rect width="100" height="8" className="bar-ground" />
        <rect width={Math.max(1, Math.min(1, share) * 100)} height="8" className="bar-fill" />
      </svg>
      <span className="bar-words">{words}</span>
    </span>
  );
}

/** Something could not be shown, and why, in words. */
export function Problem({ title, why }: { readonly title: string; readonly why: string }): ReactElement {
  return (
    <section className="panel problem" role="alert">
      <h2>
        <span aria-hidden="true">⚠ </span>
        {title}
      </h2>
      <p>{why}</p>
    </section>
  );
}
