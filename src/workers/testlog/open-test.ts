// A test whose name is printed before it runs and whose result behind its output: `test_x (m.A.test_x) ... noise`, and
// lines later `ok`. What the test prints may look like a result, of itself or of another test.
//
// O1. While a test has no result at all no other can begin: what looks like one was printed.
// O2. A word glued to output (`noiseok`) may be the result or output. Tests that begin behind it are kept back: a word on
//     a line of its own that no later test waits for belongs to the first, and what came between was printed.
// O3. Of several words on lines of their own the last is the runner's.

import type { LogStatus } from './types.ts'

/** How a result was found: right behind the name, on a line of its own, or at the end of output. */
export type Found = 'exact' | 'bare' | 'glued'
export interface OpenTest { id: string; status: LogStatus | null; found: Found; line: number }

const keptBackMax = 10_000

export class OpenTests {
  #open: OpenTest | null = null
  /** The first has a glued result, the others began behind it (O2). */
  #keptBack: OpenTest[] = []
  readonly #close: (test: OpenTest) => void

  constructor (close: (test: OpenTest) => void) {
    this.#close = close
  }

  get current (): OpenTest | null {
    return this.#open
  }

  /** Whether another test may begin here (O1). */
  get free (): boolean {
    return this.#open === null || this.#open.status !== null
  }

  begin (id: string, line: number): void {
    this.#settle()
    this.#open = { id, status: null, found: 'glued', line }
  }

  offer (status: LogStatus, found: Found): void {
    const open = this.#open
    if (found === 'bare' && (open === null || open.found === 'exact') && this.#keptBack.length > 0) {
      const [first] = this.#keptBack as [OpenTest]
      this.#close({ ...first, status, found })
      this.#keptBack = []
      this.#open = null
    } else if (open !== null && !(found === 'glued' && open.found === 'bare') && open.found !== 'exact') Object.assign(open, { status, found })
  }

  finish (): void {
    this.#settle()
    this.#flush()
  }

  /**
   * The log ends here before the run did: what hangs on later lines does not count. Returns the test
   * that was running.
   */
  cut (): OpenTest | null {
    const open = this.#open
    if (open !== null && open.status !== null && open.found !== 'glued' && this.#keptBack.length === 0) this.#close(open)
    this.#open = null
    this.#keptBack = []
    return open?.status === null ? open : null
  }

  /** Forgets the open test: its result stands elsewhere. */
  drop (): void {
    this.#open = null
  }

  #settle (): void {
    const open = this.#open
    this.#open = null
    if (open === null) return
    if (open.status !== null && open.found === 'glued') {
      this.#flush()
      this.#keptBack.push(open)
    } else if (this.#keptBack.length > 0 && this.#keptBack.length < keptBackMax) this.#keptBack.push(open)
    else {
      this.#flush()
      this.#close(open)
    }
  }

  #flush (): void {
    const tests = this.#keptBack
    this.#keptBack = []
    for (const test of tests) this.#close(test)
  }
}
