import { execFileSync } from "node:child_process";
import { defineConfig } from "@playwright/test";

/** Chromium of the system: from CHROMIUM, else the first one on the PATH. No browser is downloaded. */
function chromium(): string {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    try {
      return execFileSync("which", [name], { encoding: "utf8" }).trim();
    } catch {
      // Not this one.
    }
  }
  throw new Error("no Chromium: install it (apt-get install chromium) or give its path in CHROMIUM");
}

const MOCK_PORT = Number(process.env.MOCK_PORT ?? 4399);
const mock = process.argv.some((one) => one.includes("mock"));

export default defineConfig({
  testDir: "e2e",
  outputDir: "test-results/playwright",
  workers: 1,
  forbidOnly: true,
  reporter: "list",
  timeout: 120_000,
  use: {
    viewport: { width: 1440, height: 900 },
    launchOptions: {
      executablePath: chromium(),
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  projects: [
    { name: "live", testMatch: "live.spec.ts", use: { baseURL: process.env.EPICENTER_URL ?? "http://127.0.0.1:4319" } },
    { name: "mock", testMatch: "mock.spec.ts", use: { baseURL: `http://127.0.0.1:${MOCK_PORT}` } },
  ],
  ...(mock
    ? {
        webServer: {
          command: `node mock/server.mjs ${MOCK_PORT}`,
          url: `http://127.0.0.1:${MOCK_PORT}/`,
          reuseExistingServer: false,
        },
      }
    : {}),
});
