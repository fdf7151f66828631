/**
 * Scenario: the real server, while a service of the demo is broken.
 * Guarantees: the page names the first suspect of the incidents API in its headline, draws the graph, and shows a trace as a waterfall one click away.
 */
import { expect, test } from "@playwright/test";
import { expectDrawn, keep } from "./artifacts";

interface Answer {
  readonly incidents: readonly {
    readonly id: string;
    readonly state: string;
    readonly suspects: readonly { readonly entity: { readonly name: string } }[];
  }[];
}

/** How long the demo may take until something is broken and paged. */
const BROKEN_WITHIN_MS = Number(process.env.EPICENTER_WAIT_MS ?? 90_000);

test("the page shows the culprit, the graph, and a trace one click away", async ({ page, request }) => {
  test.setTimeout(BROKEN_WITHIN_MS + 60_000);
  const suspects = async (): Promise<string[]> => {
    const answer = (await (await request.get("/api/v1/incidents")).json()) as Answer;
    return answer.incidents.filter((one) => one.state === "open").flatMap((one) => one.suspects[0]?.entity.name ?? []);
  };
  await expect.poll(async () => (await suspects()).length, { timeout: BROKEN_WITHIN_MS }).toBeGreaterThan(0);

  await page.goto("/");
  const culprit = page.getByTestId("culprit");
  await expect(culprit).toBeVisible();
  await expect(async () => {
    const said = await culprit.innerText();
    const names = await suspects();
    expect(
      names.some((name) => said === name.replace("->", "→") || said.startsWith(`${name} of `)),
      `${said} is none of ${names.join(", ")}`,
    ).toBe(true);
  }).toPass({ timeout: 20_000 });

  await expectDrawn(page);
  await keep(page, "live-culprit");
  await page.setViewportSize({ width: 390, height: 844 });
  await expect(culprit).toBeInViewport();
  await keep(page, "live-culprit-phone");
  await page.setViewportSize({ width: 1440, height: 900 });

  await page.locator(".evidence .proof").first().click();
  await expect(page).toHaveURL(/\/trace\/[0-9a-f]{32}/);
  await expect(page.getByTestId("waterfall").getByRole("treeitem").first()).toBeVisible();
  await keep(page, "live-trace");
});
