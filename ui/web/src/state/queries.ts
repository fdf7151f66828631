/** Server data lives in the query cache: what is polled, how often, and what stays when the server is gone. */

import {
  keepPreviousData,
  QueryClient,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from "@tanstack/react-query";
import { fetchGraph } from "../api/graph";
import { addNote, fetchIncidents } from "../api/incidents";
import { fetchOperations, fetchServices, fetchTrace, searchTraces } from "../api/traces";
import type { SearchQuery } from "../model/search";
import { toParams } from "../model/search";

export const POLL_MS = 1500;

export function client(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      // Polling is the retry. The browser's idea of "offline" does not matter for a server on this machine.
      queries: { retry: false, networkMode: "always", refetchOnWindowFocus: "always", staleTime: POLL_MS },
    },
  });
}

export function useIncidents() {
  return useQuery({
    queryKey: ["incidents"],
    queryFn: ({ signal }) => fetchIncidents(signal),
    refetchInterval: POLL_MS,
    refetchIntervalInBackground: true,
  });
}

/** Writes a note about an incident; the incidents are read again when it is kept. */
export function useAddNote(id: string) {
  const cache = useQueryClient();
  return useMutation({
    networkMode: "always",
    mutationFn: (text: string) => addNote(id, text),
    onSuccess: () => cache.invalidateQueries({ queryKey: ["incidents"] }),
  });
}

export function useGraph() {
  return useQuery({ queryKey: ["graph"], queryFn: ({ signal }) => fetchGraph(signal), refetchInterval: POLL_MS });
}

export function useTrace(id: string) {
  return useQuery({ queryKey: ["trace", id], queryFn: ({ signal }) => fetchTrace(id, signal), staleTime: 10_000 });
}

export function useSearch(query: SearchQuery) {
  return useInfiniteQuery({
    queryKey: ["search", toParams(query).toString()],
    queryFn: ({ pageParam, signal }) => searchTraces(query, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
    placeholderData: keepPreviousData,
  });
}

export function useServices() {
  return useQuery({ queryKey: ["services"], queryFn: ({ signal }) => fetchServices(signal), staleTime: 15_000 });
}

export function useOperations(service: string) {
  return useQuery({
    queryKey: ["operations", service],
    queryFn: ({ signal }) => fetchOperations(service, signal),
    enabled: service !== "",
    staleTime: 15_000,
  });
}
