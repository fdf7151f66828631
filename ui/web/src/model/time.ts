/** Time is a branded bigint in nanoseconds; it becomes a number or words only when it is drawn. */

declare const instant: unique symbol;
declare const span: unique symbol;

/** Nanoseconds since the Unix epoch. */
export type Timestamp = bigint & { readonly [instant]: true };
/** Nanoseconds between two timestamps. */
export type DurationNs = bigint & { readonly [span]: true };

const DIGITS = /^-?\d{1,20}$/;

/** Reads a 64-bit integer written as a string; anything else is zero, because the page must draw what it can. */
function parse(text: unknown): bigint {
  return typeof text === "string" && DIGITS.test(text) ? BigInt(text) : 0n;
}

export function timestamp(text: unknown): Timestamp {
  return parse(text) as Timestamp;
}

export function duration(text: unknown): DurationNs {
  return parse(text) as DurationNs;
}

export function fromMillis(ms: number): Timestamp {
  return (BigInt(Math.round(ms)) * 1_000_000n) as Timestamp;
}

export function toMillis(at: Timestamp): number {
  return Number(at / 1_000_000n);
}

export function since(later: Timestamp, earlier: Timestamp): DurationNs {
  return (later - earlier) as DurationNs;
}

export function after(start: Timestamp, length: DurationNs): Timestamp {
  return (start + length) as Timestamp;
}

/** 1.2 ms, 340 µs, 2.5 s, 3 min: three figures at most, for people. */
export function formatDuration(ns: DurationNs): string {
  const value = Number(ns);
  const size = Math.abs(value);
  if (size < 1e3) return `${value} ns`;
  if (size < 1e6) return `${figures(value / 1e3)} µs`;
  if (size < 1e9) return `${figures(value / 1e6)} ms`;
  if (size < 60e9) return `${figures(value / 1e9)} s`;
  return formatAge(value / 1e6);
}

/** 12 s, 4 min, 2 h 5 min, 3 days: how long something has been so. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return minutes < 5 && seconds % 60 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} days`;
}

export function formatClock(at: Timestamp): string {
  return new Date(toMillis(at)).toLocaleTimeString(undefined, { hour12: false });
}

export function formatDateTime(at: Timestamp): string {
  return new Date(toMillis(at)).toLocaleString(undefined, { hour12: false });
}

function figures(value: number): string {
  const size = Math.abs(value);
  return size >= 100 ? value.toFixed(0) : size >= 10 ? trim(value.toFixed(1)) : trim(value.toFixed(2));
}

function trim(text: string): string {
  return text.replace(/\.?0+$/, "");
}

/** "+5 s": how long after the first one. */
export function formatOffset(at: Timestamp, first: Timestamp): string {
  const seconds = Math.round(Number(at - first) / 1e9);
  return seconds < 120 ? `+${seconds} s` : `+${Math.round(seconds / 60)} min`;
}
