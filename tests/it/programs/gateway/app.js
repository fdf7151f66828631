// An ordinary Express gateway. It knows nothing of telemetry: that is loaded beside it (`node --require`).
// ORDERS_URL is where the orders service answers; PORT may be 0, the bound port is printed as one JSON line.
const express = require("express");

const CALL_TIMEOUT_MS = 2000;
const orders = process.env.ORDERS_URL;
const app = express();

app.get("/orders/:id", async (request, response) => {
  try {
    const url = `${orders}/orders/${encodeURIComponent(request.params.id)}`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
    response.status(answer.ok ? 200 : 502).json(await answer.json());
  } catch (error) {
    response.status(502).json({ error: String(error) });
  }
});

const server = app.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => {
  console.log(JSON.stringify({ event: "ready", port: server.address().port }));
});
process.once("SIGTERM", () => process.exit(0));
