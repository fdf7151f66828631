import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expect } from "@playwright/test";

const folder = process.env.EPICENTER_ARTIFACTS ?? "../test-results";

/** Keeps a screenshot for people. */
export async function keep(page: Page, name: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}

/** How many pixels of the graph's canvas are not empty. */
export function inked(page: Page): Promise<number> {
  return page.locator("canvas").evaluate((element) => {
    const canvas = element as HTMLCanvasElement;
    const data = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    let count = 0;
    for (let i = 3; i < data.length; i += 4) if (data[i] !== 0) count++;
    return count;
  });
}

export async function expectDrawn(page: Page): Promise<void> {
  await expect.poll(() => inked(page), { message: "the canvas is empty" }).toBeGreaterThan(500);
}
