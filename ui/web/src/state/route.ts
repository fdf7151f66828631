/** The URL is the state that can be shared: path, search and span. A small router on the History API. */

import { useSyncExternalStore } from "react";

export type Route =
  | { readonly page: "live" }
  | { readonly page: "trace"; readonly id: string; readonly span: string | null }
  | { readonly page: "traces"; readonly params: URLSearchParams }
  | { readonly page: "missing"; readonly path: string };

const MOVED = "epicenter:moved";

export function parse(path: string, search: string): Route {
  const params = new URLSearchParams(search);
  const trace = /^\/trace\/([^/]+)\/?$/.exec(path);
  if (trace) return { page: "trace", id: decode(trace[1] ?? ""), span: params.get("span") };
  if (path === "/" || path === "") return { page: "live" };
  if (/^\/traces\/?$/.test(path)) return { page: "traces", params };
  return { page: "missing", path };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function go(href: string, replace = false): void {
  if (replace) window.history.replaceState(null, "", href);
  else window.history.pushState(null, "", href);
  window.dispatchEvent(new Event(MOVED));
}

function subscribe(changed: () => void): () => void {
  window.addEventListener("popstate", changed);
  window.addEventListener(MOVED, changed);
  return () => {
    window.removeEventListener("popstate", changed);
    window.removeEventListener(MOVED, changed);
  };
}

/** Path and search of the page, as one string that changes with them. */
export function useLocation(): string {
  return useSyncExternalStore(subscribe, () => window.location.pathname + window.location.search);
}

/** Follows links inside the app without loading the page again; leaves new tabs, other buttons and other places to the browser. */
export function catchLinks(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || link.target || link.origin !== window.location.origin || link.pathname.startsWith("/api/")) return;
  event.preventDefault();
  const before = window.location.pathname;
  go(link.pathname + link.search);
  if (link.pathname !== before) window.scrollTo(0, 0);
}
