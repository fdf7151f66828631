/** `GET /api/v1/traces/{id}` and the search `GET /api/v1/traces` */

import type { Found, SearchPage, SearchQuery } from "../model/search";
import { toParams } from "../model/search";
import { duration, timestamp } from "../model/time";
import type { Attribute, Span, Trace } from "../model/trace";
import { get } from "./client";
import { list, number, object, text, textOrNull, texts } from "./read";

export async function fetchTrace(id: string, signal?: AbortSignal): Promise<Trace> {
  const dto = object(await get(`/api/v1/traces/${encodeURIComponent(id)}`, signal));
  return { id: text(dto.trace_id, id), spans: list(dto.spans, readSpan) };
}

export async function searchTraces(
  query: SearchQuery,
  cursor: string | null,
  signal?: AbortSignal,
): Promise<SearchPage> {
  const params = toParams(query);
  if (cursor) params.set("cursor", cursor);
  const dto = object(await get(`/api/v1/traces?${params.toString()}`, signal));
  return { traces: list(dto.traces, readFound), nextCursor: textOrNull(dto.next_cursor) };
}

export async function fetchServices(signal?: AbortSignal): Promise<string[]> {
  const dto = object(await get("/api/v1/services", signal));
  return list(dto.services, (one) => text(object(one).name)).filter((name) => name !== "");
}

export async function fetchOperations(service: string, signal?: AbortSignal): Promise<string[]> {
  const dto = object(await get(`/api/v1/services/${encodeURIComponent(service)}/operations`, signal));
  return [...new Set(list(dto.operations, (one) => text(object(one).name)))];
}

function readFound(value: unknown): Found {
  const dto = object(value);
  return {
    traceId: text(dto.trace_id),
    rootService: text(dto.root_service, "?"),
    rootOperation: text(dto.root_operation, "?"),
    start: timestamp(dto.start_unix_nano),
    duration: duration(dto.duration_ns),
    spans: number(dto.span_count),
    errors: number(dto.error_count),
    services: texts(dto.services),
  };
}

function readSpan(value: unknown): Span {
  const dto = object(value);
  const status = object(dto.status);
  return {
    id: text(dto.span_id),
    parentId: textOrNull(dto.parent_span_id),
    name: text(dto.name, "(no name)"),
    kind: text(dto.kind, "internal"),
    service: text(dto.service, "(no service)"),
    instance: textOrNull(dto.instance),
    start: timestamp(dto.start_unix_nano),
    duration: duration(dto.duration_ns),
    status: { code: text(status.code, "unset"), message: textOrNull(status.message) },
    error: dto.error === true,
    protocol: textOrNull(dto.protocol),
    peer: textOrNull(dto.peer),
    attributes: readAttributes(dto.attributes),
    events: list(dto.events, (item) => {
      const one = object(item);
      return { at: timestamp(one.time_unix_nano), name: text(one.name), attributes: readAttributes(one.attributes) };
    }),
    links: list(dto.links, (item) => {
      const one = object(item);
      return { traceId: text(one.trace_id), spanId: text(one.span_id), attributes: readAttributes(one.attributes) };
    }),
    resource: readBag(dto.resource),
    scope: readBag(dto.scope),
  };
}

/** A resource or scope: its attributes, and its plain fields (name, version, schema) as attributes before them. */
function readBag(value: unknown): Attribute[] {
  if (Array.isArray(value)) return readAttributes(value);
  const dto = object(value);
  const plain = Object.entries(dto).filter(
    ([key, one]) => key !== "attributes" && typeof one === "string" && one !== "",
  );
  return [...plain.map(([key, one]) => ({ key, value: String(one) })), ...readAttributes(dto.attributes)];
}

function readAttributes(value: unknown): Attribute[] {
  return list(value, (item) => ({ key: text(object(item).key), value: anyValue(object(item).value) }));
}

/** An OTLP AnyValue in its JSON form, as one line of text. */
export function anyValue(value: unknown): string {
  if (typeof value !== "object" || value === null) return value === undefined ? "" : String(value);
  const dto = value as Record<string, unknown>;
  for (const key of ["stringValue", "boolValue", "intValue", "doubleValue", "bytesValue"]) {
    if (dto[key] !== undefined && dto[key] !== null) return String(dto[key]);
  }
  if (dto.arrayValue) return `[${list(object(dto.arrayValue).values, anyValue).join(", ")}]`;
  if (dto.kvlistValue) {
    const pairs = list(
      object(dto.kvlistValue).values,
      (item) => `${text(object(item).key)}: ${anyValue(object(item).value)}`,
    );
    return `{${pairs.join(", ")}}`;
  }
  return "";
}
