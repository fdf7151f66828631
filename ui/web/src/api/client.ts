/** The only place that calls fetch, with a time limit, and failures in words. */

/** No answer from the server after this long counts as unreachable. */
const TIMEOUT_MS = 10_000;

export type FailureKind = "unreachable" | "refused";

/** What went wrong, in words that can stand on the page. */
export class ApiError extends Error {
  readonly kind: FailureKind;
  readonly status: number;

  constructor(kind: FailureKind, status: number, message: string) {
    super(message);
    this.name = "ApiError";
    this.kind = kind;
    this.status = status;
  }
}

/** The JSON at `path`. Throws `ApiError`. */
export async function get(path: string, signal?: AbortSignal): Promise<unknown> {
  return call(path, { headers: { accept: "application/json" } }, signal);
}

/** Sends JSON to `path`; the JSON of the answer. Throws `ApiError`. */
export async function post(path: string, body: unknown): Promise<unknown> {
  const headers = { accept: "application/json", "content-type": "application/json" };
  return call(path, { method: "POST", headers, body: JSON.stringify(body) });
}

async function call(path: string, request: RequestInit, signal?: AbortSignal): Promise<unknown> {
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  let response: Response;
  try {
    response = await fetch(path, {
      ...request,
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError("unreachable", 0, "The Epicenter server does not answer.");
  }
  const body: unknown = await response.json().catch(() => null);
  if (response.ok && body !== null) return body;
  if (response.status >= 502 && response.status <= 504) {
    throw new ApiError("unreachable", response.status, "The Epicenter server does not answer.");
  }
  throw new ApiError("refused", response.status, words(body) ?? `The server answered with HTTP ${response.status}.`);
}

function words(body: unknown): string | null {
  const error = field(body, "error");
  const message = field(error, "message");
  return typeof message === "string" ? message : null;
}

function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}
