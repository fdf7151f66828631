// A small server with the built page and made-up answers in the shapes of the HTTP API, for work on the page without the real server.
// node mock/server.mjs [port]; then open /?  The state is set by GET /mock/STATE: healthy, down, slow, cache, empty, large, dead.
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { note, operations, services, state } from "./system.mjs";
import { found, trace } from "./trace.mjs";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const port = Number(process.argv[2] ?? process.env.PORT ?? 4399);
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
let current = "down";

function answer(url) {
  const path = url.pathname;
  if (path === "/api/v1/incidents") return state(current).incidents();
  if (path === "/api/v1/graph") return state(current).graph();
  if (path === "/api/v1/services") return { services: services().map((name) => ({ name })) };
  if (/^\/api\/v1\/services\/[^/]+\/operations$/.test(path)) return { operations: operations() };
  if (path === "/api/v1/traces") return found(url.searchParams);
  if (path.startsWith("/api/v1/traces/")) return trace(path.slice("/api/v1/traces/".length));
  return null;
}

/** Reads the body and answers with what `work` makes of it. */
function take(request, response, work) {
  let body = "";
  request.on("data", (chunk) => (body += chunk));
  request.on("end", () => {
    response.writeHead(201, { "content-type": "application/json" });
    response.end(JSON.stringify(work(JSON.parse(body))));
  });
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://mock");
  const noted = /^\/api\/v1\/incidents\/([^/]+)\/notes$/.exec(url.pathname);
  if (request.method === "POST" && noted) {
    take(request, response, ({ text }) => note(current, noted[1], text));
    return;
  }
  if (url.pathname.startsWith("/mock/")) {
    current = url.pathname.slice("/mock/".length);
    response.end(current);
    return;
  }
  if (url.pathname.startsWith("/api/")) {
    if (current === "dead") {
      request.socket.destroy();
      return;
    }
    const body = answer(url);
    const missing = {
      error: {
        code: "not_found",
        message: "no span of this trace is stored: it may have been dropped or not arrived yet",
      },
    };
    response.writeHead(body ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(body ?? missing));
    return;
  }
  const wanted = join(dist, normalize(url.pathname));
  const file = extname(wanted) && existsSync(wanted) ? wanted : join(dist, "index.html");
  response.writeHead(200, {
    "content-type": TYPES[extname(file)] ?? "application/octet-stream",
    "content-security-policy": "default-src 'self'; img-src 'self' data:",
  });
  createReadStream(file).pipe(response);
});

server.listen(port, "127.0.0.1", () => process.stdout.write(`mock on http://127.0.0.1:${port}\n`));
