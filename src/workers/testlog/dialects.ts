// The table of runners: which formats each prints, and which of them a log turns out to hold.

import { Cargo } from './cargo.ts'
import { Go } from './go.ts'
import { Jest } from './jest.ts'
import { JunitLines } from './junit.ts'
import { Launcher } from './launcher.ts'
import { Mocha } from './mocha.ts'
import { NodeSpec } from './node-spec.ts'
import { Pytest } from './pytest.ts'
import type { LogForm } from './reader.ts'
import { longLine, Results } from './results.ts'
import { Tap } from './tap.ts'
import { Tape } from './tape.ts'
import type { Dialect, LogRunner } from './types.ts'
import { Unittest } from './unittest.ts'
import { Vitest } from './vitest.ts'

type Make = (results: Results, markers: boolean) => Dialect

const own: Record<LogRunner, Make[]> = {
  pytest: [results => new Pytest(results)],
  unittest: [results => new Unittest(results)],
  node: [results => new Tap(results, 'node', false), results => new NodeSpec(results)],
  tap: [(results, markers) => new Tap(results, 'tap', markers)],
  tape: [(results, markers) => new Tape(results, markers)],
  mocha: [results => new Mocha(results)],
  jest: [results => new Jest(results)],
  vitest: [results => new Vitest(results)],
  go: [(results, markers) => new Go(results, markers)],
  cargo: [results => new Cargo(results)],
  junit: [results => new JunitLines(results)]
}

/** Runners whose scripts print a line a test; those of the others announce files in the runner's own format. */
const launched: ReadonlySet<LogRunner> = new Set<LogRunner>(['unittest', 'node', 'mocha', 'jest', 'vitest'])

export function dialects (runner: LogRunner, form: LogForm, results: Results): Dialect {
  const makes = form === 'launcher' && launched.has(runner) ? [] : [...own[runner]]
  if (form !== 'own' && launched.has(runner)) makes.unshift(results => new Launcher(results))
  return makes.length === 1 ? makes[0]!(results, form !== 'own') : new FirstOf(results, makes)
}

/**
 * Reads several formats side by side. The first that finds a test is the log's; without any, the first
 * that finds a suite.
 */
class FirstOf implements Dialect {
  readonly #results: Results
  readonly #candidates: { dialect: Dialect; found: Results; wanted: boolean }[]

  constructor (results: Results, makes: Make[]) {
    this.#results = results
    this.#candidates = makes.map(make => {
      const found = new Results(results.limits)
      return { dialect: make(found, false), found, wanted: false }
    })
  }

  wants (bytes: Buffer, start: number, end: number): boolean {
    let any = false
    for (const candidate of this.#candidates) {
      candidate.wanted = candidate.dialect.wants(bytes, start, end)
      any ||= candidate.wanted
    }
    return any
  }

  line (text: string, number: number): void {
    for (const { dialect, found, wanted } of this.#candidates) {
      found.long = text.length > longLine
      if (wanted) dialect.line(text, number)
    }
  }

  file (name: string): void {
    for (const { dialect } of this.#candidates) dialect.file?.(name)
  }

  end (): void {
    for (const { dialect } of this.#candidates) dialect.end()
    const all = this.#candidates.map(({ found }) => found)
    const chosen = all.find(found => found.tests.size > 0) ?? all.find(found => found.suites.size > 0) ?? all.at(-1)!
    for (const [id, status] of chosen.tests) this.#results.add(id, status)
    for (const { name, status, reason } of chosen.suites.values()) this.#results.suite(name, status, reason)
    for (const { code, what, line } of chosen.problems) this.#results.problem(code, what, line)
    if (chosen.complete) this.#results.complete = true
  }
}
