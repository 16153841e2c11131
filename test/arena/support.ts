// Support for tests of arenas: what a machine has, trees in memory and on disk, scripts run as a sandbox would run them.

import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import type { TestMap } from '../../src/domain.ts'
import type { Runner, TreeReader } from '../../src/arena/runners/index.ts'

/** Skips where something is missing, except in CI, where it has to be there. */
export function unless (t: Test, missing: string | null): boolean {
  if (missing === null) return true
  if (process.env['CI'] !== undefined) t.fail(missing)
  else t.pass('not here', { skip: missing })
  return false
}

export function lacks (file: string, ...args: string[]): string | null {
  const { status } = spawnSync(file, args.length > 0 ? args : ['--version'], { stdio: 'ignore', env: cleanEnvironment() })
  return status === 0 ? null : `${file} ${args.join(' ')} does not work here`
}

/** Without what tap sets for its own processes, which would reach the runners under test. */
export function cleanEnvironment (): Record<string, string> {
  const own = /^(TAP|NODE_|_TAPJS|npm_(lifecycle|package)|CI$)/
  return Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined && !own.test(entry[0])))
}

export function memoryTree (files: Record<string, string>): TreeReader {
  return { list: async () => Object.keys(files), read: async path => Object.hasOwn(files, path) ? files[path]! : null }
}

export function writeTree (folder: string, files: Record<string, string>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  return folder
}

export interface Played { code: number | null; log: string; results: TestMap; parserCode: number | null; complaint: string }

/** Runs a runner's script in a tree and its parser far away from it. */
export function play (runner: Runner, tree: string, files: readonly string[], work: string, env: Record<string, string> = {}, tells: 'all' | 'skipped' = 'all'): Played {
  const run = spawnSync('bash', ['-c', `exec 2>&1\n${runner.script(files, tells)}`], { cwd: tree, env: { ...cleanEnvironment(), ...env }, maxBuffer: 2 ** 28 })
  const parsed = parse(runner, run.stdout, work)
  return { code: run.status, log: run.stdout.toString(), ...parsed }
}

export function parse (runner: Runner, log: Buffer | string, work: string): Pick<Played, 'results' | 'parserCode' | 'complaint'> {
  const path = join(work, runner.parser.name)
  mkdirSync(work, { recursive: true })
  writeFileSync(path, runner.parser.source)
  const interpreter = { py: 'python3', js: process.execPath, sh: 'bash' }[path.split('.').at(-1) as 'py' | 'js' | 'sh']
  const { status, stdout, stderr } = spawnSync(interpreter, [path], { input: log, cwd: work, env: cleanEnvironment(), maxBuffer: 2 ** 28 })
  return { results: status === 0 ? JSON.parse(stdout.toString()) as TestMap : {}, parserCode: status, complaint: stderr.toString() }
}
