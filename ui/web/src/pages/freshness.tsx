/** Says in the corner whether the page is live, and across the page when it is not: stale figures that look live are worse than none. */

import type { ReactElement } from "react";
import { formatAge, formatClock, fromMillis } from "../model/time";
import { useNow } from "../state/clock";
import { useIncidents } from "../state/queries";

const STALE_MS = 6000;

export function Freshness(): ReactElement {
  const { dataUpdatedAt, error } = useIncidents();
  const now = useNow();
  const age = now - dataUpdatedAt;
  const stale = dataUpdatedAt > 0 && (age > STALE_MS || error !== null);
  if (dataUpdatedAt === 0) {
    return (
      <p className="fresh" role="status">
        {error ? <strong className="stale">✕ Not connected</strong> : "Connecting…"}
      </p>
    );
  }
  return (
    <p className="fresh" role="status">
      {stale ? (
        <strong className="stale">
          ✕ Not connected, last update {formatAge(age)} ago ({formatClock(fromMillis(dataUpdatedAt))})
        </strong>
      ) : (
        <>
          <span className="live-dot" aria-hidden="true" /> Live
        </>
      )}
    </p>
  );
}
