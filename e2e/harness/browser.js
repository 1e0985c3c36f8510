// A real browser without a window, that notes whatever goes wrong in its pages.
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

import puppeteer from 'puppeteer-core';

/** What the browser is called on one system or another. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

function executable() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = (process.env.PATH ?? '').split(':');
  const paths = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const found = paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (!found) throw new Error(`none of ${NAMES.join(', ')} is installed; CHROMIUM=/path/to/it names another browser`);
  return found;
}

export class Browser {
  /** Console errors, errors in scripts, and what a page's policy forbade. */
  faults = [];

  static async start() {
    const browser = new Browser();
    browser.chromium = await puppeteer.launch({
      executablePath: executable(),
      // Root has no sandbox in Chromium, and small machines have little shared memory.
      args: [...(process.getuid() === 0 ? ['--no-sandbox'] : []), '--disable-dev-shm-usage', '--disable-gpu'],
    });
    return browser;
  }

  /** Opens a page. */
  async open(url) {
    const page = await this.chromium.newPage();
    page.setDefaultTimeout(15_000);
    page.on('console', (message) => {
      if (['error', 'warn'].includes(message.type())) this.faults.push(message.text());
    });
    page.on('pageerror', (error) => this.faults.push(`${error}`));
    await page.evaluateOnNewDocument(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        console.error(`the policy forbids ${event.violatedDirective} ${event.blockedURI}`);
      });
    });
    await page.goto(url, { waitUntil: 'networkidle0' });
    return page;
  }

  async stop() {
    await this.chromium.close();
  }
}
