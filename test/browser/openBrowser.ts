import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

/** Where a Chromium may be; the environment variable first. */
const PLACES = [
  process.env.SFM_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:/Program Files/Google/Chrome/Application/chrome.exe',
]

/** The browser of this machine; undefined where there is none. */
export const browserPath = PLACES.find((path) => path !== undefined && existsSync(path))

/** Draws without a graphics card, and may run as any user. */
const FLAGS = [
  '--no-sandbox',
  '--use-gl=angle',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--ignore-gpu-blocklist',
]

/** A headless browser, for `await using`. */
export async function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: browserPath!, args: FLAGS })
}
