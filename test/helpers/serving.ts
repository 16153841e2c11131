// Commands that serve the page until they are ended.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))

export interface Serving { url: string; child: ChildProcess; ended: Promise<unknown> }

/** The address of the page in what a command says on standard error; '' where it does not say one. */
export const pageIn = (said: string): string => /Inspect: (http:[^\s?]+)/.exec(said)?.[1] ?? ''

/** Resolves when it says where its page is. */
export async function serving (t: Test, args: string[], cwd: string, env: Record<string, string> = {}): Promise<Serving> {
  const child = spawn(process.execPath, [main, ...args], { cwd, env: { ...process.env, SPAR_HOME: process.env['SPAR_TEST_HOME'] ?? join(cwd, 'home'), ...env }, stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(child, 'close')
  t.teardown(async () => { child.kill('SIGTERM'); await ended })
  let said = ''
  const url = await new Promise<string>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (pageIn(said) !== '') resolve(pageIn(said))
    })
    child.on('close', () => reject(new Error(`it ended before it served a page: ${said}`)))
  })
  return { url, child, ended }
}
