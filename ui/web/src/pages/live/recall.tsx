/** What is remembered: earlier incidents like this one, what was written then, and a place to write about this one. */

import type { ReactElement, SyntheticEvent } from "react";
import { useState } from "react";
import type { Incident, Note, Similar } from "../../model/incident";
import { entityLabel, happened } from "../../model/incident";
import { formatDateTime } from "../../model/time";
import { useAddNote } from "../../state/queries";

const TEXT_CHARS_MAX = 4_000;

export function Recall({ incident }: { readonly incident: Incident }): ReactElement {
  return (
    <section className="panel" aria-label="What is remembered">
      <Recalled incident={incident} />
    </section>
  );
}

/** The same without a panel around it. */
export function Recalled({ incident }: { readonly incident: Incident }): ReactElement {
  return (
    <>
      {incident.similar.length > 0 && (
        <>
          <h2>Seen before</h2>
          <ul className="recall" data-testid="similar">
            {incident.similar.map((one) => (
              <Before key={one.id} similar={one} />
            ))}
          </ul>
        </>
      )}
      <h2>Notes</h2>
      <Notes notes={incident.notes} />
      <NewNote key={incident.id} id={incident.id} />
    </>
  );
}

function Before({ similar }: { readonly similar: Similar }): ReactElement {
  return (
    <li>
      <strong>{similar.culprit ? entityLabel(similar.culprit) : "something"}</strong> {happened(similar.cause)}{" "}
      <span className="muted">{formatDateTime(similar.started)}</span>
      <Notes notes={similar.notes} />
    </li>
  );
}

function Notes({ notes }: { readonly notes: readonly Note[] }): ReactElement | null {
  if (notes.length === 0) return null;
  return (
    <ul className="notes">
      {notes.map((note, index) => (
        <li key={`${note.at} ${index}`}>
          <q>{note.text}</q>{" "}
          <span className="muted small">
            {note.author && `${note.author}, `}
            {formatDateTime(note.at)}
          </span>
        </li>
      ))}
    </ul>
  );
}

function NewNote({ id }: { readonly id: string }): ReactElement {
  const [text, setText] = useState("");
  const add = useAddNote(id);
  const send = (event: SyntheticEvent): void => {
    event.preventDefault();
    add.mutate(text.trim(), { onSuccess: () => setText("") });
  };
  return (
    <form className="note" onSubmit={send}>
      <label>
        <span className="small muted">What was it, what helped? The next one like it will say so.</span>
        <textarea
          value={text}
          rows={2}
          maxLength={TEXT_CHARS_MAX}
          onChange={(event) => {
            setText(event.target.value);
          }}
        />
      </label>
      <button type="submit" disabled={text.trim() === "" || add.isPending}>
        Keep
      </button>
      {add.error && (
        <p className="small" role="alert">
          The note was not kept: {add.error.message}
        </p>
      )}
    </form>
  );
}
