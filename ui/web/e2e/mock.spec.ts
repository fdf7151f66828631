/** The page against made-up answers: every state that is hard to bring about on the real server. */
import type { Page } from "@playwright/test";
import { expect, test } from "@playwright/test";
import { expectDrawn, keep } from "./artifacts";

const PHONE = { width: 390, height: 844 };

async function open(page: Page, state: string, path = "/"): Promise<void> {
  await page.request.get(`/mock/${state}`);
  await page.goto(path);
}

test("a dead service is named, with the proof one click away", async ({ page }) => {
  await open(page, "down");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("payment is down");
  await expect(page.locator(".way-step")).toHaveText(["web", "gateway", "checkout", "✕ payment"]);
  await expect(page.getByTestId("radius")).toHaveText("4 services suffer, felt at 1 entry point: 41 % of all requests");
  await expect(page.getByRole("region", { name: "Why", exact: true })).toContainText(
    "Explains up to 98 % of the damage",
  );
  await expect(page.getByTestId("compare").getByRole("link")).toHaveCount(2);
  await expect(page.getByRole("row", { name: /gateway/ })).toContainText("+5 s");
  await expectDrawn(page);
  await keep(page, "mock-down");
  await page.emulateMedia({ colorScheme: "dark" });
  await expectDrawn(page);
  await keep(page, "mock-down-dark");
  await page.setViewportSize(PHONE);
  await keep(page, "mock-down-phone");
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(PHONE.width);
  await page.locator(".evidence .proof").first().click();
  await expect(page.getByText("parent missing").last()).toBeVisible();
  await keep(page, "mock-trace-phone");
});

test("an incident seen before says so, and a note is kept", async ({ page }) => {
  await open(page, "down");
  await expect(page.getByTestId("similar")).toContainText("payment was down");
  await expect(page.getByTestId("similar")).toContainText("the disk was full");
  const write = page.getByRole("textbox", { name: /What was it/ });
  await expect(page.getByRole("button", { name: "Keep" })).toBeDisabled();
  await write.fill("it was the certificate");
  await page.getByRole("button", { name: "Keep" }).click();
  await expect(page.getByRole("region", { name: "What is remembered" })).toContainText("it was the certificate");
  await expect(write).toHaveValue("");
  await keep(page, "mock-recall");
});

test("what an incident was can be written when it is over", async ({ page }) => {
  await open(page, "healthy");
  const earlier = page.getByRole("region", { name: "Earlier incidents" });
  await earlier.getByText("Write a note").click();
  await earlier.getByRole("textbox", { name: /What was it/ }).fill("an index was missing");
  await earlier.getByRole("button", { name: "Keep" }).click();
  await expect(earlier.getByText("1 note")).toBeVisible();
  await expect(earlier.locator(".notes")).toContainText("an index was missing");
  await keep(page, "mock-note-afterwards");
});

test("slow databases and broken caches read as what they are", async ({ page }) => {
  await open(page, "slow");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("mysql-0 is slow");
  // What an older incident does not tell is left out.
  await expect(page.getByTestId("radius").or(page.getByTestId("compare"))).toHaveCount(0);
  await expect(page.getByRole("columnheader", { name: "Began" })).toHaveCount(0);
  await open(page, "cache");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("redis-catalog no longer absorbs the load");
  await expectDrawn(page);
  await keep(page, "mock-cache");
});

test("nothing broken is calm, and nothing known says how to begin", async ({ page }) => {
  await open(page, "healthy");
  await expect(page.getByRole("heading", { level: 1 })).toContainText("Nothing is broken");
  await expectDrawn(page);
  await keep(page, "mock-healthy");
  await open(page, "empty");
  await expect(page.getByTestId("empty")).toContainText("OTEL_EXPORTER_OTLP_ENDPOINT");
  await keep(page, "mock-empty");
});

test("a server that goes away leaves the last facts, marked as old", async ({ page }) => {
  await open(page, "down");
  await expect(page.getByTestId("culprit")).toHaveText("payment");
  await page.request.get("/mock/dead");
  await expect(page.getByText(/last update .* ago/)).toBeVisible({ timeout: 15_000 });
  await expect(page.getByTestId("culprit")).toHaveText("payment");
  await keep(page, "mock-stale");
  await page.goto("/");
  await expect(page.getByRole("alert")).toContainText("cannot be reached");
  await page.request.get("/mock/healthy");
  await expect(page.getByTestId("calm")).toBeVisible({ timeout: 15_000 });
});

test("a node opens its details by mouse and by keyboard", async ({ page }) => {
  await open(page, "down");
  await page.getByText(/as a table/).click();
  await page.getByRole("button", { name: "payment", exact: true }).press("Enter");
  await expect(page.getByTestId("details")).toContainText("root cause");
  await keep(page, "mock-details");
  await page.keyboard.press("Escape");
  await expect(page.getByTestId("details")).toBeHidden();
});

test("the waterfall of a failed request", async ({ page }) => {
  await open(page, "down", "/trace/0af7651916cd43dd8448eb211c80319c?culprit=payment&span=0000000000000006");
  await expect(page.getByTestId("span-details")).toContainText("connection refused");
  await keep(page, "mock-trace");
  await open(page, "down", "/trace/00000000000000000000000000000000");
  await expect(page.getByRole("alert")).toContainText("no span of this trace is stored");
});

test("20,000 spans and 2,000 services do not freeze the page", async ({ page }) => {
  await open(page, "large", "/trace/b1600000000000000000000000000000");
  await expect(page.getByText("20,000 spans")).toBeVisible();
  expect(await page.getByRole("treeitem").count()).toBeLessThan(120);
  await page.getByRole("tree").focus();
  await page.keyboard.press("End");
  await expect(page.getByRole("treeitem", { selected: true })).toBeVisible();
  await page.goto("/");
  await expect(page.getByTestId("culprit")).toHaveText("service-900");
  await expectDrawn(page);
  await keep(page, "mock-large");
});

test("search pages by cursor", async ({ page }) => {
  await open(page, "down", "/traces?status=error");
  await expect(page.getByTestId("results").getByRole("listitem")).toHaveCount(50);
  await page.getByRole("button", { name: "Show more" }).click();
  await expect(page.getByTestId("results").getByRole("listitem")).toHaveCount(100);
  await page.getByLabel("At least").fill("fast");
  await expect(page.getByText(/is no duration/)).toBeVisible();
  await keep(page, "mock-search");
});
