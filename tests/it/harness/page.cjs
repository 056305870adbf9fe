// Opens a page in a headless Chromium and prints what it found, as JSON.
//
// Standard input: {"chromium": path, "page": path, "shots": folder or null}.
"use strict";
const fs = require("fs");
const { pathToFileURL } = require("url");
const { chromium } = require("playwright-core");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const ask = JSON.parse(fs.readFileSync(0, "utf8"));
const address = pathToFileURL(ask.page).href;
const found = { console: [], requests: [], violations: [], overflow: [], tooltips: {}, charts: [] };

/** The tables of the page: by the id of their heading, each a list of rows of texts. */
const tables = () =>
  Object.fromEntries(
    [...document.querySelectorAll("[role=region]")].map((region) => [
      region.getAttribute("aria-labelledby"),
      [...region.querySelectorAll("tr")].map((row) => [...row.cells].map((cell) => cell.innerText.trim())),
    ]),
  );

/** The days of the calendar, as they are read aloud. */
const calendar = () =>
  [...document.querySelectorAll(".month td")].map((cell) => cell.textContent.trim()).filter((text) => text);

async function open(browser, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on("console", (message) => found.console.push(message.text()));
  page.on("pageerror", (error) => found.console.push(String(error)));
  page.on("request", (request) => found.requests.push(request.url()));
  await page.goto(address, { waitUntil: "load" });
  return page;
}

async function judge(page, name) {
  await page.evaluate(axe);
  const result = await page.evaluate(() => window.axe.run(document));
  for (const violation of result.violations) {
    const nodes = violation.nodes.map((node) => node.html.slice(0, 200) + " " + node.failureSummary);
    found.violations.push({ name, id: violation.id, nodes: nodes.slice(0, 3) });
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) found.overflow.push({ name, wide });
}

async function shot(page, name) {
  if (ask.shots) await page.screenshot({ path: `${ask.shots}/${name}.png`, fullPage: true });
}

/** What a chart's tooltip says at each of its places. */
async function tooltips(page, id) {
  const chart = page.locator(`#${id}`);
  await chart.scrollIntoViewIfNeeded();
  const box = await chart.boundingBox();
  const count = await page.evaluate(
    (id) => JSON.parse(document.getElementById("figures").textContent).find((chart) => chart.id === id).x.length,
    id,
  );
  const said = [];
  for (let index = 0; index < count; index += 1) {
    const x = await page.evaluate(
      ([id, index]) => echarts.getInstanceByDom(document.getElementById(id)).convertToPixel({ xAxisIndex: 0 }, index),
      [id, index],
    );
    await page.mouse.move(box.x + x, box.y + box.height * 0.6);
    // The tooltip: its day, then for each table a gap, the name and the figure.
    const day = await page.evaluate(
      ([id, index]) => JSON.parse(document.getElementById("figures").textContent).find((c) => c.id === id).x[index],
      [id, index],
    );
    const handle = await page.waitForFunction(
      ([id, day]) => {
        const texts = [...document.querySelectorAll(`#${id} svg text`)];
        const gap = texts.findIndex((text) => text.textContent && !text.textContent.trim());
        const said = texts.slice(gap - 1).map((text) => text.textContent.trim());
        return gap > 0 && said[0] === day && said.filter((text) => text);
      },
      [id, day],
    );
    said.push(await handle.jsonValue());
  }
  return said;
}

(async () => {
  const browser = await chromium.launch({ executablePath: ask.chromium, args: ["--no-sandbox"] });
  const desktop = { viewport: { width: 1280, height: 900 } };
  const phone = { viewport: { width: 360, height: 740 } };

  let page = await open(browser, desktop);
  found.tables = await page.evaluate(tables);
  found.calendar = await page.evaluate(calendar);
  found.charts = await page.evaluate(() =>
    [...document.querySelectorAll(".chart")].map((chart) => [chart.id, chart.querySelectorAll("svg path").length]),
  );
  await judge(page, "desktop");
  await shot(page, "desktop");
  for (const id of ["chart-rows", "chart-bytes"]) found.tooltips[id] = await tooltips(page, id);
  // By keyboard: every region that scrolls and every link can be reached.
  const wanted = await page.evaluate(() => document.querySelectorAll("a[href], [tabindex='0']").length);
  await page.evaluate(() => document.activeElement.blur());
  const reached = new Set();
  for (let step = 0; step < wanted + 2; step += 1) {
    await page.keyboard.press("Tab");
    reached.add(
      await page.evaluate(() => {
        const element = document.activeElement;
        return element.getAttribute("href") || element.getAttribute("aria-labelledby") || element.tagName;
      }),
    );
  }
  reached.delete("BODY");
  found.keyboard = { wanted, reached: reached.size };
  // Printed: the regions do not cut anything off.
  await page.emulateMedia({ media: "print" });
  found.cut = await page.evaluate(() =>
    [...document.querySelectorAll("[role=region]")].filter((region) => getComputedStyle(region).overflowX !== "visible").length,
  );
  const pdf = await page.pdf({ format: "A4" });
  found.pages = (pdf.toString("latin1").match(/\/Type\s*\/Page\b/g) || []).length;
  await page.emulateMedia({ media: "screen" });

  // The colours follow the system, also while the page is open.
  const light = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  found.colours = [light, dark];
  await judge(page, "dark");
  await shot(page, "dark");

  page = await open(browser, phone);
  await judge(page, "phone");
  await shot(page, "phone");

  page = await open(browser, { ...desktop, javaScriptEnabled: false });
  found.without = { tables: await page.evaluate(tables), calendar: await page.evaluate(calendar) };
  found.hidden = await page.evaluate(() => [...document.querySelectorAll(".chart")].every((chart) => chart.hidden));
  await browser.close();
  process.stdout.write(JSON.stringify(found));
})().catch((error) => {
  process.stderr.write(String(error.stack || error));
  process.exit(1);
});
