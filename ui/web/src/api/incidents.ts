/** `GET /api/v1/incidents`, `POST /api/v1/incidents/{id}/notes` */

import type { BlastRadius, Entity, Incident, Note, Similar, Suspect } from "../model/incident";
import { causeKind } from "../model/incident";
import type { Timestamp } from "../model/time";
import { timestamp } from "../model/time";
import { get, post } from "./client";
import { list, number, object, text, textOrNull, texts } from "./read";

export async function fetchIncidents(signal?: AbortSignal): Promise<Incident[]> {
  return list(object(await get("/api/v1/incidents", signal)).incidents, readIncident);
}

/** Adds a note; the incident with it. Throws `ApiError`. */
export async function addNote(id: string, text: string): Promise<Incident> {
  return readIncident(await post(`/api/v1/incidents/${encodeURIComponent(id)}/notes`, { text }));
}

export function readIncident(value: unknown): Incident {
  const dto = object(value);
  const cause = object(dto.cause);
  const exemplars = object(dto.exemplars);
  return {
    id: text(dto.id),
    open: dto.state === "open",
    started: timestamp(dto.started_unix_nano),
    detected: timestamp(dto.detected_unix_nano),
    resolved: timestampOrNull(dto.resolved_unix_nano),
    cause: { kind: causeKind(cause.kind), confidence: number(cause.confidence) },
    suspects: list(dto.suspects, readSuspect),
    affected: list(dto.affected, (one) => ({
      service: text(object(one).service),
      impact: number(object(one).impact),
      firstShaken: timestampOrNull(object(one).first_shaken_unix_nano),
    })),
    entryPoints: texts(dto.entry_points),
    chain: list(dto.chain, readEntity),
    exemplars: { bad: textOrNull(exemplars.bad), good: textOrNull(exemplars.good) },
    blastRadius: readBlastRadius(dto.blast_radius),
    notes: list(dto.notes, readNote),
    similar: list(dto.similar, readSimilar),
  };
}

function timestampOrNull(value: unknown): Timestamp | null {
  return typeof value === "string" ? timestamp(value) : null;
}

/** Incidents that were written before this was known have none. */
function readBlastRadius(value: unknown): BlastRadius | null {
  const dto = object(value);
  const services = number(dto.services);
  if (services === 0) return null;
  return { services, entryPoints: number(dto.entry_points), requests: number(dto.requests) };
}

function readNote(value: unknown): Note {
  const dto = object(value);
  return { at: timestamp(dto.at_unix_nano), author: textOrNull(dto.author), text: text(dto.text) };
}

function readSimilar(value: unknown): Similar {
  const dto = object(value);
  return {
    id: text(dto.id),
    started: timestamp(dto.started_unix_nano),
    cause: causeKind(dto.cause),
    culprit: dto.culprit ? readEntity(dto.culprit) : null,
    notes: list(dto.notes, readNote),
  };
}

function readSuspect(value: unknown): Suspect {
  const dto = object(value);
  return {
    entity: readEntity(dto.entity),
    score: number(dto.score),
    share: typeof dto.share === "number" && dto.share > 0 ? dto.share : null,
    evidence: list(dto.evidence, (item) => {
      const one = object(item);
      return {
        kind: text(one.kind),
        text: text(one.text),
        value: number(one.value),
        baseline: number(one.baseline),
        traceIds: texts(one.trace_ids),
      };
    }),
  };
}

export function readEntity(value: unknown): Entity {
  const dto = object(value);
  return { kind: text(dto.kind, "service"), name: text(dto.name, "?"), service: textOrNull(dto.service) };
}
