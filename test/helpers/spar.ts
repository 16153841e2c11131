// Runs the command line as a user would, as a process of its own, on the compiled files beside the compiled tests.

import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))

export interface Ran { code: number | null; signal: NodeJS.Signals | null; out: string; err: string; /** The last line of standard output, parsed. */ json: any }

export interface SparOptions { home: string; cwd: string; env?: Record<string, string>; /** Told about standard error as it comes, with a way to kill. */ onErr?: (text: string, child: ChildProcess) => void }

export function spar (args: string[], { home, cwd, env = {}, onErr = () => {} }: SparOptions): Promise<Ran> {
  const child = spawn(process.execPath, [main, ...args], { cwd, env: { ...process.env, SPAR_HOME: home, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => { out += text })
  child.stderr.setEncoding('utf8').on('data', (text: string) => { err += text; onErr(text, child) })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, out, err, json: lastObject(out) }))
  })
}

function lastObject (out: string): unknown {
  try {
    return JSON.parse(out.trimEnd().split('\n').at(-1) ?? '')
  } catch {
    return null
  }
}
