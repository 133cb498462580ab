// Opens a report in a headless Chromium, as a desk and as a phone, in the light and in the dark, and prints it on paper.
//
//   check-report.mjs report.html [folder for screenshots]
//
// Fails where the page says an error, asks for anything beyond itself, shows an image or a figure that is not there, is wider than
// the window, or has a link that leads nowhere. The packages beside this file are those of the lock file.

import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import chromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";

const [file, folder] = process.argv.slice(2);
if (!file) {
  console.error("usage: check-report.mjs report.html [folder for screenshots]");
  process.exit(2);
}
const address = pathToFileURL(resolve(file)).href;
const views = [
  { name: "desk-light", width: 1280, height: 900, scheme: "light" },
  { name: "desk-dark", width: 1280, height: 900, scheme: "dark" },
  { name: "phone-light", width: 390, height: 844, scheme: "light" },
  { name: "phone-dark", width: 390, height: 844, scheme: "dark" },
];
const faults = [];

/** What is wrong with the page as it stands in the window; runs in the browser. */
function inspect() {
  const found = [];
  const root = document.scrollingElement;
  if (root.scrollWidth > window.innerWidth) {
    found.push(`it is ${root.scrollWidth} pixels wide in a window of ${window.innerWidth}`);
  }
  for (const image of document.images) {
    if (!image.complete || image.naturalWidth === 0) found.push(`an image is broken: ${image.alt}`);
    if (!image.hasAttribute("alt")) found.push("an image has no text for those who do not see it");
  }
  for (const figure of document.querySelectorAll("svg.figure")) {
    const { width, height } = figure.getBoundingClientRect();
    const isShown = figure.checkVisibility();
    if (isShown && (width < 50 || height < 10)) found.push(`a figure has no size: ${figure.ariaLabel}`);
    if (!figure.getAttribute("aria-label")) found.push("a figure has no name");
    if (/NaN|Infinity|undefined/.test(figure.outerHTML)) found.push(`a figure holds no numbers: ${figure.ariaLabel}`);
  }
  for (const link of document.querySelectorAll("a[href]")) {
    const target = link.getAttribute("href");
    if (!target.startsWith("#")) found.push(`a link leaves the page: ${target}`);
    else if (!document.getElementById(target.slice(1))) found.push(`a link leads nowhere: ${target}`);
  }
  const text = document.body.innerText;
  for (const word of ["undefined", "NaN", "{{", "{%"]) if (text.includes(word)) found.push(`the text holds ${word}`);
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) found.push(`two elements are ${id}`);
  return { found, figures: document.querySelectorAll("svg.figure").length, tables: document.querySelectorAll("table").length, images: document.images.length };
}

const browser = await puppeteer.launch({
  executablePath: await chromium.executablePath(),
  args: [...chromium.args, "--no-sandbox", "--allow-file-access-from-files"],
  headless: "shell",
});
try {
  for (const view of views) {
    const page = await browser.newPage();
    const complain = (text) => faults.push(`${view.name}: ${text}`);
    page.on("console", (message) => ["error", "warn"].includes(message.type()) && complain(`console: ${message.text()}`));
    page.on("pageerror", (error) => complain(`script: ${error.message}`));
    page.on("request", (request) => {
      if (request.url() !== address && !request.url().startsWith("data:")) complain(`asked for ${request.url()}`);
    });
    await page.setViewport({ width: view.width, height: view.height });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: view.scheme }]);
    await page.goto(address, { waitUntil: "networkidle0" });
    // Photos further down are loaded when they come into view.
    await page.evaluate(() => {
      for (const image of document.images) image.loading = "eager";
      return Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
    });
    const { found, figures, tables, images } = await page.evaluate(inspect);
    found.forEach(complain);
    if (figures === 0 || tables === 0) complain("it has no figures, or no tables");
    if (folder) {
      await mkdir(folder, { recursive: true });
      // In pieces: the picture of a very tall page repeats itself.
      const height = await page.evaluate(() => document.documentElement.scrollHeight);
      const step = view.height * 2;
      await page.setViewport({ width: view.width, height: step });
      for (let top = 0, piece = 1; top < height; top += step, piece += 1) {
        await page.evaluate((top) => window.scrollTo({ top, behavior: "instant" }), top);
        await page.screenshot({ path: join(folder, `${view.name}-${String(piece).padStart(2, "0")}.png`) });
      }
      if (view.name === "desk-light") await page.pdf({ path: join(folder, "paper.pdf"), preferCSSPageSize: true, printBackground: true });
    }
    console.log(`${view.name}: ${figures} figures, ${tables} tables, ${images} images`);
    await page.close();
  }
} finally {
  await browser.close();
}
for (const fault of faults) console.error(`fault: ${fault}`);
process.exit(faults.length > 0 ? 1 : 0);
