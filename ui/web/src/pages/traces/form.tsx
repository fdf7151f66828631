/** The conditions of a search. */

import type { FormEvent, ReactElement } from "react";
import { useState } from "react";
import type { SearchQuery } from "../../model/search";
import { durationProblem } from "../../model/search";
import { useOperations, useServices } from "../../state/queries";

interface Props {
  readonly query: SearchQuery;
  readonly busy: boolean;
  readonly onAsk: (query: SearchQuery) => void;
  readonly onAgain: () => void;
}

export function SearchForm({ query, busy, onAsk, onAgain }: Props): ReactElement {
  const [draft, setDraft] = useState(query);
  const services = useServices().data ?? [];
  const operations = useOperations(draft.service).data ?? [];
  const problem = durationProblem(draft.minDuration.trim());
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (problem) return;
    const next = { ...draft, minDuration: draft.minDuration.trim() };
    if (JSON.stringify(next) === JSON.stringify(query)) onAgain();
    else onAsk(next);
  };
  const set = (change: Partial<SearchQuery>): void => setDraft((before) => ({ ...before, ...change }));
  return (
    <form className="panel search" onSubmit={submit}>
      <label>
        Service
        <select value={draft.service} onChange={(event) => set({ service: event.target.value, operation: "" })}>
          <option value="">any</option>
          {withCurrent(services, draft.service)}
        </select>
      </label>
      <label>
        Operation
        <select
          value={draft.operation}
          disabled={draft.service === ""}
          onChange={(event) => set({ operation: event.target.value })}
        >
          <option value="">any</option>
          {withCurrent(operations, draft.operation)}
        </select>
      </label>
      <label>
        Status
        <select value={draft.status} onChange={(event) => set({ status: event.target.value as SearchQuery["status"] })}>
          <option value="">any</option>
          <option value="error">with errors</option>
          <option value="ok">without errors</option>
        </select>
      </label>
      <label>
        At least
        <input
          value={draft.minDuration}
          placeholder="250ms"
          size={8}
          aria-invalid={problem !== null}
          aria-describedby="duration-problem"
          onChange={(event) => set({ minDuration: event.target.value })}
        />
      </label>
      <label>
        Order
        <select value={draft.order} onChange={(event) => set({ order: event.target.value as SearchQuery["order"] })}>
          <option value="newest">newest first</option>
          <option value="longest">longest first</option>
        </select>
      </label>
      <button type="submit" className="primary">
        {busy ? "Searching…" : "Search"}
      </button>
      <p id="duration-problem" className="bad small" role="status">
        {problem ? `“${draft.minDuration}” is no duration: ${problem}.` : ""}
      </p>
    </form>
  );
}

/** The options, with the current choice among them even before the list has come. */
function withCurrent(names: readonly string[], current: string): ReactElement[] {
  const all = current !== "" && !names.includes(current) ? [current, ...names] : names;
  return all.map((name) => <option key={name}>{name}</option>);
}
