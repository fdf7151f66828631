/** `GET /api/v1/graph` */

import type { Edge, Graph, Health, Latency, Node } from "../model/graph";
import { HEALTH_WORD } from "../model/graph";
import { duration, timestamp } from "../model/time";
import { get } from "./client";
import { readEntity } from "./incidents";
import { list, number, object, text, textOrNull, texts } from "./read";

export async function fetchGraph(signal?: AbortSignal): Promise<Graph> {
  return readGraph(await get("/api/v1/graph", signal));
}

export function readGraph(value: unknown): Graph {
  const dto = object(value);
  return {
    at: timestamp(dto.at_unix_nano),
    windowNs: duration(dto.window_ns),
    nodes: list(dto.nodes, readNode),
    edges: list(dto.edges, readEdge),
  };
}

function readNode(value: unknown): Node {
  const dto = object(value);
  const entity = readEntity(dto.entity);
  return {
    id: text(dto.id, entity.name),
    kind: entity.kind,
    name: entity.name,
    service: entity.service,
    system: textOrNull(dto.system),
    health: readHealth(dto.health),
    rate: number(dto.rate),
    errorRatio: number(dto.error_ratio),
    latency: readLatency(dto.latency_ns),
    instances: number(dto.instances),
    traceIds: texts(dto.exemplar_trace_ids),
  };
}

function readEdge(value: unknown): Edge {
  const dto = object(value);
  return {
    source: text(dto.source),
    target: text(dto.target),
    protocol: textOrNull(dto.protocol),
    health: readHealth(dto.health),
    rate: number(dto.rate),
    errorRatio: number(dto.error_ratio),
    latency: readLatency(dto.latency_ns),
    traceIds: texts(dto.exemplar_trace_ids),
  };
}

function readHealth(value: unknown): Health {
  return typeof value === "string" && value in HEALTH_WORD ? (value as Health) : "unknown";
}

function readLatency(value: unknown): Latency {
  const dto = object(value);
  return { p50: duration(dto.p50), p95: duration(dto.p95), p99: duration(dto.p99) };
}
