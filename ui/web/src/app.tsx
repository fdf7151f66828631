/** The frame of every page: where one is, where one can go, and whether what is shown is fresh. */

import { QueryClientProvider } from "@tanstack/react-query";
import type { ReactElement } from "react";
import { Component, useEffect, useMemo, useState } from "react";
import { Freshness } from "./pages/freshness";
import { LivePage } from "./pages/live/page";
import { TracePage } from "./pages/trace/page";
import { TracesPage } from "./pages/traces/page";
import { client } from "./state/queries";
import { catchLinks, parse, useLocation } from "./state/route";
import { Problem } from "./widgets/signs";

export function App(): ReactElement {
  const [queries] = useState(client);
  const location = useLocation();
  const route = useMemo(() => {
    const [path = "/", search = ""] = location.split("?");
    return parse(path, search);
  }, [location]);
  useEffect(() => {
    document.addEventListener("click", catchLinks);
    return () => document.removeEventListener("click", catchLinks);
  }, []);
  return (
    <QueryClientProvider client={queries}>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <header className="top">
        <a href="/" className="brand">
          <img src="/favicon.svg" alt="" width="22" height="22" /> Epicenter
        </a>
        <nav aria-label="Pages">
          <a href="/" aria-current={route.page === "live" ? "page" : undefined}>
            Now
          </a>
          <a href="/traces" aria-current={route.page.startsWith("trace") ? "page" : undefined}>
            Traces
          </a>
        </nav>
        <Freshness />
      </header>
      <main id="main">
        <Boundary key={location.split("?")[0]}>
          {route.page === "live" && <LivePage />}
          {route.page === "trace" && <TracePage id={route.id} span={route.span} />}
          {route.page === "traces" && <TracesPage params={route.params} />}
          {route.page === "missing" && <Problem title="There is no such page" why={`Nothing is at ${route.path}.`} />}
        </Boundary>
      </main>
    </QueryClientProvider>
  );
}

/** A bug in one page must not leave the person with a blank screen. */
class Boundary extends Component<{ readonly children: React.ReactNode }, { readonly failed: string | null }> {
  override state = { failed: null };

  static getDerivedStateFromError(error: unknown): { failed: string } {
    return { failed: error instanceof Error ? error.message : String(error) };
  }

  override render(): React.ReactNode {
    if (this.state.failed === null) return this.props.children;
    return <Problem title="This page broke while drawing" why={`Load it again. What it said: ${this.state.failed}`} />;
  }
}
