// Looks at reports as a browser shows them: in light and dark, 320 pixels wide, at 200 % zoom and on paper, with the script of
// the page and without, and by keyboard only.
//
//   node report.mjs CHROMIUM FOLDER-OR-PAGE… [--screenshots FOLDER]
//
// A folder has the snapshots that `cargo test` compares; those of HTML are taken. Nothing is asked of the network: a page
// that asks fails, and so does one that its own policy stops.

import { createRequire } from "node:module";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [executablePath, ...rest] = process.argv.slice(2);
const flag = rest.indexOf("--screenshots");
const screenshots = flag < 0 ? undefined : rest.splice(flag, 2)[1];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "report-"));
if (screenshots) mkdirSync(screenshots, { recursive: true });

// A snapshot begins with a heading of its own, between two lines of dashes.
const pages = rest.flatMap((from) => {
  if (!statSync(from).isDirectory()) return [{ name: basename(from, ".html"), html: readFileSync(from, "utf8") }];
  return readdirSync(from)
    .filter((name) => name.endsWith(".html.snap"))
    .map((name) => ({
      name: name.replace(/^.*__/, "").replace(/\.html\.snap$/, ""),
      html: readFileSync(join(from, name), "utf8").replace(/^---\n[^]*?\n---\n/, ""),
    }));
});
if (pages.length === 0) throw new Error(`no reports in ${rest.join(" ")}`);
for (const page of pages) {
  page.path = join(folder, `${page.name}.html`);
  writeFileSync(page.path, page.html);
}

// At 200 % zoom a window of 1280 by 1024 has 640 by 512 pixels of CSS, each of two by two. Paper of A4 has 794 of them across.
const views = [
  { name: "wide-light", width: 1280, height: 1024, colorScheme: "light" },
  { name: "wide-dark", width: 1280, height: 1024, colorScheme: "dark" },
  { name: "320-light", width: 320, height: 640, colorScheme: "light" },
  { name: "320-dark", width: 320, height: 640, colorScheme: "dark" },
  { name: "zoom-light", width: 640, height: 512, scale: 2, colorScheme: "light" },
  { name: "wide-without-script", width: 1280, height: 1024, colorScheme: "light", script: false },
  { name: "paper", width: 794, height: 1123, colorScheme: "dark", media: "print" },
];

const wrong = [];
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

/** What does not depend on how the page looks: nothing got out of its place. */
const structure = () => {
  const wrong = [];
  const own = new Set(["style", "script", "meta"]);
  if (document.querySelectorAll("script").length !== 1) wrong.push("another script");
  if (document.querySelectorAll("style").length !== 1) wrong.push("another style");
  for (const element of document.querySelectorAll("*")) {
    if (["IMG", "IFRAME", "OBJECT", "EMBED", "LINK", "FORM", "BASE"].includes(element.tagName)) wrong.push(element.outerHTML);
    for (const { name } of element.attributes) {
      if (name.startsWith("on") || name === "style" || (name === "src" && !own.has(element.localName))) {
        wrong.push(`${element.localName} has ${name}`);
      }
    }
  }
  for (const link of document.querySelectorAll("a")) {
    const aim = link.getAttribute("href") ?? "";
    if (!aim.startsWith("#") || !document.getElementById(aim.slice(1))) wrong.push(`a link to ${aim}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  if (new Set(ids).size !== ids.length) wrong.push("an id twice");
  return wrong;
};

/** The page by keyboard: all that can be used is come to, and can be seen to be. */
async function walk(page, say) {
  const all = await page.evaluate(() => {
    const usable = "a[href], button, input, select, summary";
    return [...document.querySelectorAll(usable)].filter((element) => element.checkVisibility()).length;
  });
  const reached = new Set();
  for (let step = 0; step < all; step += 1) {
    await page.keyboard.press("Tab");
    const focus = await page.evaluate(async () => {
      // Whatever came into view is drawn only then, and may push the rest away.
      for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
      const element = document.activeElement;
      globalThis.places ??= new Map();
      if (!globalThis.places.has(element)) globalThis.places.set(element, globalThis.places.size);
      const box = element.getBoundingClientRect();
      const isSeen = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
      return { place: globalThis.places.get(element), isSeen, outline: getComputedStyle(element).outlineStyle, what: element.outerHTML.slice(0, 80) };
    });
    reached.add(focus.place);
    if (!focus.isSeen || focus.outline === "none") say(`focus is not to be seen on ${focus.what}`);
  }
  if (reached.size !== all) say(`${reached.size} of ${all} come to by keyboard`);
}

/** What the script finds and sorts. */
async function find(page, say) {
  const count = () => page.evaluate(() => document.querySelectorAll("#list > li:not([hidden])").length);
  const all = await count();
  const expect = async (what, wanted) => {
    const found = await count();
    const text = await page.locator("#shown").textContent();
    if (found !== wanted || !text.includes(String(wanted))) say(`${what}: ${found} shown of ${wanted}, told as ${text}`);
  };
  const level = await page.evaluate(() => document.querySelector("#list > li:last-child").dataset.level);
  const wanted = await page.evaluate((level) => document.querySelectorAll(`#list > li[data-level="${level}"]`).length, level);
  await page.locator("#by-level").selectOption(level);
  await expect(`level ${level}`, wanted);
  await page.locator("#by-text").fill("there is no such thing");
  await page.waitForFunction(() => document.querySelectorAll("#list > li:not([hidden])").length === 0);
  await expect("nothing", 0);
  await page.locator("#clear").press("Enter");
  await expect("all again", all);
  const order = () => page.evaluate(() => [...document.querySelectorAll("#list > li")].map((item) => item.id).join());
  const before = await order();
  await page.locator("#order").selectOption("since");
  const dates = await page.evaluate(() => [...document.querySelectorAll("#list > li time")].map((time) => time.dateTime));
  if (dates.join() !== [...dates].sort().join()) say("not the oldest first");
  await page.locator("#order").selectOption("level");
  if ((await order()) !== before) say("the order is lost");
}

/** All that is looked at of one page in one view. */
async function look(view, { name, path, html }) {
  const say = (what) => wrong.push(`${name}, ${view.name}: ${what}`);
  const context = await browser.newContext({
    viewport: { width: view.width, height: view.height },
    deviceScaleFactor: view.scale ?? 1,
    colorScheme: view.colorScheme,
    offline: true,
  });
  const page = await context.newPage();
  // Without the script, the page's policy lets none run: what drives the browser still can.
  if (view.script === false) {
    path = join(folder, `${name}.${view.name}.html`);
    writeFileSync(path, html.replace(/script-src '[^']*'/, "script-src 'none'"));
  }
  const url = pathToFileURL(path).href;
  page.on("request", (request) => request.url() !== url && say(`asks for ${request.url()}`));
  if (view.script !== false) page.on("console", (message) => message.type() === "error" && say(message.text()));
  page.on("pageerror", (error) => say(error.message));
  await page.emulateMedia({ media: view.media ?? "screen" });
  await page.goto(url);
  for (const what of await page.evaluate(structure)) say(what);
  const { scrolls, background, filter, findings } = await page.evaluate(() => ({
    scrolls: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    background: getComputedStyle(document.body).backgroundColor,
    filter: document.getElementById("filter")?.checkVisibility() ?? false,
    findings: document.querySelectorAll("#list > li").length,
  }));
  if (scrolls > 0) say(`${scrolls} pixels stand out to the right`);
  const bright = background.match(/\d+/g).every((part) => Number(part) > 200);
  if (bright === (view.colorScheme === "dark" && !view.media)) say(`${background} behind it`);
  const hasFilter = findings > 0 && view.script !== false && !view.media;
  if (filter !== hasFilter) say(`the filter is ${filter ? "there" : "not there"}`);
  if (view.media && (await page.evaluate(() => [...document.querySelectorAll(".finding details dl")].some((list) => !list.checkVisibility({ contentVisibilityAuto: false }) || list.getBoundingClientRect().height === 0)))) {
    say("particulars are not printed");
  }
  // What is not yet drawn stands where it is guessed to be, and axe cannot tell what lies behind it.
  await page.evaluate(() => {
    const drawn = new CSSStyleSheet();
    drawn.replaceSync(".finding { content-visibility: visible !important }");
    document.adoptedStyleSheets = [drawn];
  });
  await page.evaluate(axe);
  const { violations, incomplete } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations", "incomplete"] }));
  for (const { id, help, nodes } of [...violations, ...incomplete]) {
    say(`${id}: ${help}: ${nodes.length} times: ${nodes.map((node) => node.html).slice(0, 3).join(" ")}`);
  }
  if (screenshots) await page.screenshot({ path: join(screenshots, `${name}.${view.name}.png`), fullPage: findings < 50 });
  if (hasFilter) await find(page, say);
  if (!view.media && findings < 50) {
    await page.reload();
    await walk(page, say);
  }
  await context.close();
}

// Four at a time, the largest pages first: who walks by keyboard waits for frames most of the time.
const waiting = pages
  .sort((one, other) => other.html.length - one.html.length)
  .flatMap((page) => views.map((view) => ({ view, page })));
async function work() {
  for (let next = waiting.shift(); next; next = waiting.shift()) await look(next.view, next.page);
}
try {
  await Promise.all([work(), work(), work(), work()]);
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}
for (const line of wrong) console.error(line);
console.log(`${pages.length} reports in ${views.length} views, ${wrong.length} things wrong`);
process.exitCode = wrong.length > 0 ? 1 : 0;
