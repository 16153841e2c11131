// The lines that Spar's own scripts print for unittest, node:test, mocha, jest and vitest: `# file: path` announces a file,
// `PASSED path::name` and `FAILED path::name` are results of an announced one, and `SKIPPED path::name` where the script was
// asked to tell; `ERROR path` says that it could not be
// loaded. The ids are those of the parsers that are kept with such scripts. These logs do not say when they are over.

import type { Results } from './results.ts'
import type { Dialect } from './types.ts'

export class Launcher implements Dialect {
  readonly #results: Results
  readonly #files = new Set<string>()

  constructor (results: Results) {
    this.#results = results
    results.complete = true
  }

  wants (bytes: Uint8Array, start: number, end: number): boolean {
    const first = bytes[start]
    return (first === 0x50 || first === 0x46 || first === 0x23 || first === 0x45 || first === 0x53) && end - start > 6
  }

  line (text: string, number: number): void {
    if (text.startsWith('# file: ')) this.file(text.slice(8))
    else if (text.startsWith('PASSED ')) this.#result(text.slice(7), 'passed', number)
    else if (text.startsWith('FAILED ')) this.#result(text.slice(7), 'failed', number)
    else if (text.startsWith('SKIPPED ')) this.#result(text.slice(8), 'skipped', number)
    else if (text.startsWith('ERROR ') && this.#files.has(text.slice(6))) this.#results.suite(text.slice(6), 'error')
  }

  file (name: string): void {
    if (this.#files.size < this.#results.limits.suitesMax) this.#files.add(name)
  }

  #result (id: string, status: 'passed' | 'failed' | 'skipped', number: number): void {
    for (let at = id.indexOf('::'); at !== -1; at = id.indexOf('::', at + 1)) {
      if (this.#files.has(id.slice(0, at))) return this.#results.add(id, status, number)
    }
  }

  end (): void {}
}
