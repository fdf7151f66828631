/** A trace search: what is asked, how it stands in the URL, and what comes back. */

import type { DurationNs, Timestamp } from "./time";

export interface SearchQuery {
  readonly service: string;
  readonly operation: string;
  readonly status: "" | "error" | "ok";
  /** As people write it: "250ms", "2s". */
  readonly minDuration: string;
  readonly order: "newest" | "longest";
}

export interface Found {
  readonly traceId: string;
  readonly rootService: string;
  readonly rootOperation: string;
  readonly start: Timestamp;
  readonly duration: DurationNs;
  readonly spans: number;
  readonly errors: number;
  readonly services: readonly string[];
}

export interface SearchPage {
  readonly traces: readonly Found[];
  readonly nextCursor: string | null;
}

export const PAGE_SIZE = 50;

export function toParams(query: SearchQuery): URLSearchParams {
  const params = new URLSearchParams();
  if (query.service) params.set("service", query.service);
  if (query.operation) params.set("operation", query.operation);
  if (query.status) params.set("status", query.status);
  if (query.minDuration) params.set("min_duration", query.minDuration);
  if (query.order !== "newest") params.set("order", query.order);
  params.set("limit", String(PAGE_SIZE));
  return params;
}

export function fromParams(params: URLSearchParams): SearchQuery {
  const status = params.get("status");
  return {
    service: params.get("service") ?? "",
    operation: params.get("operation") ?? "",
    status: status === "error" || status === "ok" ? status : "",
    minDuration: params.get("min_duration") ?? "",
    order: params.get("order") === "longest" ? "longest" : "newest",
  };
}

/** What is wrong with a duration that a person typed, or null when nothing is. */
export function durationProblem(text: string): string | null {
  return text === "" || /^\d+(\.\d+)?(ns|us|µs|ms|s|m)$/.test(text)
    ? null
    : "write a number and a unit, such as 250ms or 2s";
}
