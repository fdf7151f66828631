/** Trace search. The query is in the URL; pages follow each other by the server's cursor. */

import type { ReactElement } from "react";
import { useMemo } from "react";
import { formatCount, formatList } from "../../model/format";
import type { Found, SearchQuery } from "../../model/search";
import { fromParams, toParams } from "../../model/search";
import { formatDateTime, formatDuration } from "../../model/time";
import { useSearch } from "../../state/queries";
import { go } from "../../state/route";
import { Problem } from "../../widgets/signs";
import { SearchForm } from "./form";

export function TracesPage({ params }: { readonly params: URLSearchParams }): ReactElement {
  const query = useMemo(() => fromParams(params), [params]);
  const search = useSearch(query);
  const found = search.data?.pages.flatMap((page) => page.traces) ?? [];
  const ask = (next: SearchQuery): void => {
    const wanted = toParams(next);
    wanted.delete("limit");
    go(`/traces${wanted.size > 0 ? `?${wanted.toString()}` : ""}`);
  };
  return (
    <div className="traces">
      <h1>Traces</h1>
      <SearchForm
        key={params.toString()}
        query={query}
        busy={search.isFetching}
        onAsk={ask}
        onAgain={() => void search.refetch()}
      />
      {search.error && <Problem title="The search failed" why={search.error.message} />}
      {!search.error && search.isPending && <p className="loading">Searching…</p>}
      {search.data && found.length === 0 && (
        <p className="panel">No trace fits. Try fewer conditions, or wait for more spans to arrive.</p>
      )}
      {found.length > 0 && <Results found={found} longest={Math.max(...found.map((one) => Number(one.duration)))} />}
      {search.hasNextPage && (
        <button
          type="button"
          className="more"
          disabled={search.isFetchingNextPage}
          onClick={() => void search.fetchNextPage()}
        >
          {search.isFetchingNextPage ? "Loading…" : "Show more"}
        </button>
      )}
    </div>
  );
}

function Results({ found, longest }: { readonly found: readonly Found[]; readonly longest: number }): ReactElement {
  return (
    <ol className="results" data-testid="results">
      {found.map((one) => (
        <li key={one.traceId}>
          <a href={`/trace/${one.traceId}`}>
            <span className="result-title">
              <strong>{one.rootService}</strong> {one.rootOperation}
            </span>
            <span className="result-errors">
              {one.errors > 0 ? <span className="bad">✕ {formatCount(one.errors, "error")}</span> : "✓"}
            </span>
            <span className="result-duration">
              <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
                <rect
                  width={Math.max(1, (Number(one.duration) / Math.max(1, longest)) * 100)}
                  height="8"
                  className="duration-fill"
                />
              </svg>
              {formatDuration(one.duration)}
            </span>
            <span className="muted small result-more">
              {formatDateTime(one.start)} · {formatCount(one.spans, "span")} · {formatList(one.services, 5)}
            </span>
          </a>
        </li>
      ))}
    </ol>
  );
}
