// Real `spar node` processes for a test: their logs are read line by line.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { pageIn } from './serving.ts'

const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))

export interface NodeProcess {
  /** Where it answers over HTTP; '' with `--http off`. */
  http: string
  /** Where its page is; '' without `--inspect`. */
  page: string
  /** Lines of its log, as objects. */
  lines: Record<string, any>[]
  /** Its exit code; null where a signal ended it. */
  ended: Promise<number | null>
  /** SIGTERM; resolves to its exit code. */
  drain (): Promise<number | null>
  /** SIGKILL. */
  kill (): void
}

/** Resolves when it takes work. */
export async function startNodeProcess (t: Test, args: string[], { home, cwd, env = {} }: { home: string; cwd: string; env?: Record<string, string> }): Promise<NodeProcess> {
  const child = spawn(process.execPath, [main, 'node', '--json', ...args], { cwd, env: { ...process.env, SPAR_HOME: home, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<number | null>(resolve => child.once('close', code => resolve(code)))
  t.teardown(async () => { child.kill('SIGKILL'); await ended })
  const lines: NodeProcess['lines'] = []
  let err = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => { err = (err + text).slice(-10_000) })
  const http = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', text => {
      const line = JSON.parse(text) as Record<string, any>
      lines.push(line)
      if (line['type'] === 'ready') resolve(line['http'] ?? '')
    })
    void ended.then(code => reject(new Error(`the node ended with ${code}: ${err}`)))
  })
  return { http, page: pageIn(err), lines, ended, async drain () { child.kill('SIGTERM'); return await ended }, kill () { child.kill('SIGKILL') } }
}
