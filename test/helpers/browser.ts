// A real browser for tests: Debian's Chromium through playwright-core. Without one a test skips and says why; in CI it fails.
// Screenshots go to SPAR_TEST_SCREENSHOTS, or nowhere that lasts.

import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { chromium, type Browser, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { testFolder } from './test-folder.ts'

const executables = [process.env['SPAR_TEST_CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].filter(path => path !== undefined)
const executablePath = executables.find(path => existsSync(path))

/** What is given to a test's options: why it is skipped, or nothing. */
export const browserSkip: { skip?: string } = executablePath === undefined && process.env['CI'] !== 'true' ? { skip: 'no Chromium on this machine (apt-get install chromium, or name one in SPAR_TEST_CHROMIUM)' } : {}

export interface BrowserPage { page: Page; /** What the page complained about: console errors, exceptions, refused loads. */ complaints: string[] }

export interface TestBrowser {
  open (options?: { width?: number; height?: number; scheme?: 'light' | 'dark' }): Promise<BrowserPage>
  /** Keeps a screenshot under a name. */
  shot (page: Page, name: string): Promise<void>
}

export async function startBrowser (t: Test): Promise<TestBrowser> {
  const folder = process.env['SPAR_TEST_SCREENSHOTS'] ?? testFolder(t)
  mkdirSync(folder, { recursive: true })
  const browser: Browser = await chromium.launch({ executablePath: executablePath!, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] })
  t.teardown(() => browser.close())
  return {
    async open ({ width = 1280, height = 860, scheme = 'light' } = {}) {
      const page = await browser.newPage({ viewport: { width, height }, colorScheme: scheme, reducedMotion: 'reduce' })
      const complaints: string[] = []
      page.on('console', message => { if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text()) })
      page.on('pageerror', error => complaints.push(error.message))
      page.on('dialog', dialog => { complaints.push(`dialog: ${dialog.message()}`); void dialog.dismiss() })
      page.on('request', request => { if (!/^(http:\/\/127\.0\.0\.1|file:|data:)/.test(request.url())) complaints.push(`fetched from outside: ${request.url()}`) })
      return { page, complaints }
    },
    shot: async (page, name) => { await page.screenshot({ path: join(folder, `${name}.png`) }) }
  }
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe finds that is serious or critical, in words. It runs beside the page's own policy: that is not what it checks. */
export async function seriousFindings (page: Page): Promise<string[]> {
  const isThere = await page.evaluate('typeof axe !== "undefined"')
  if (isThere !== true) await page.evaluate(axeSource)
  const findings = await page.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => id + ': ' + nodes.slice(0, 3).map(node => node.html.slice(0, 160) + ' ' + (node.any[0]?.message ?? '')).join(' | ')))`)
  return findings as string[]
}
