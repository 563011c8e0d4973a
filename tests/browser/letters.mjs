// Looks at letters as a browser shows them: in light and dark, 320 pixels wide, at 200 % zoom, and without their style.
//
//   node letters.mjs CHROMIUM FOLDER [SCREENSHOTS]
//
// FOLDER has the snapshots that `cargo test` compares; those of HTML are taken. Nothing is asked of the network: a letter
// that asks fails.

import { createRequire } from "node:module";
import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [executablePath, folder, screenshots] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// At 200 % zoom a window of 1280 by 1024 has 640 by 512 pixels of CSS, each of two by two.
const views = [
  { name: "wide-light", width: 1280, height: 1024, scale: 1, colorScheme: "light" },
  { name: "wide-dark", width: 1280, height: 1024, scale: 1, colorScheme: "dark" },
  { name: "320-light", width: 320, height: 640, scale: 1, colorScheme: "light" },
  { name: "320-dark", width: 320, height: 640, scale: 1, colorScheme: "dark" },
  { name: "zoom-light", width: 640, height: 512, scale: 2, colorScheme: "light" },
  { name: "320-bare", width: 320, height: 640, scale: 1, colorScheme: "light", bare: true },
];

const letters = readdirSync(folder)
  .filter((name) => name.endsWith(".html.snap"))
  .map((name) => ({
    name: name.replace(/^.*__/, "").replace(/\.html\.snap$/, ""),
    // A snapshot begins with a heading of its own, between two lines of dashes.
    html: readFileSync(join(folder, name), "utf8").replace(/^---\n[^]*?\n---\n/, ""),
  }));
if (letters.length === 0) throw new Error(`no letters in ${folder}`);
if (screenshots) mkdirSync(screenshots, { recursive: true });

const wrong = [];
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  for (const view of views) {
    const context = await browser.newContext({
      viewport: { width: view.width, height: view.height },
      deviceScaleFactor: view.scale,
      colorScheme: view.colorScheme,
      offline: true,
    });
    for (const letter of letters) {
      const at = `${letter.name}, ${view.name}`;
      const page = await context.newPage();
      page.on("request", (request) => wrong.push(`${at}: asks for ${request.url()}`));
      await page.setContent(view.bare ? letter.html.replace(/<style>[^]*?<\/style>/, "") : letter.html);
      const { scrolls, background } = await page.evaluate(() => ({
        scrolls: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        background: getComputedStyle(document.body).backgroundColor,
      }));
      if (scrolls > 0) wrong.push(`${at}: ${scrolls} pixels stand out to the right`);
      const isDark = view.colorScheme === "dark";
      if (!view.bare && (background === "rgb(255, 255, 255)") === isDark) wrong.push(`${at}: ${background} behind it`);
      await page.evaluate(axe);
      const { violations, incomplete } = await page.evaluate(() => globalThis.axe.run(document));
      for (const { id, help, nodes } of [...violations, ...incomplete]) {
        wrong.push(`${at}: ${id}: ${help}: ${nodes.map((node) => node.html).slice(0, 3).join(" ")}`);
      }
      if (screenshots) {
        await page.screenshot({ path: join(screenshots, `${letter.name}.${view.name}.png`), fullPage: true });
      }
      await page.close();
    }
    await context.close();
  }
} finally {
  await browser.close();
}
for (const line of wrong) console.error(line);
console.log(`${letters.length} letters in ${views.length} views, ${wrong.length} things wrong`);
process.exitCode = wrong.length > 0 ? 1 : 0;
