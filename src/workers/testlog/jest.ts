// jest's default and verbose reporters: `PASS file` or `FAIL file`, with `--verbose` (or one file) the tree of its tests
// directly below, until an empty line; then details, where failures have headings, `● suite › test`. Ids are
// `file::suite > test`, as in Spar's own scripts.
//
// J1. A tree begins right below its file's line and holds no empty line. What tests print is indented under
//     `console.log`, or stands above the file's line.
// J2. Without a tree only failures have names, and the parts of a path are told apart by ` › `.
// J3. A duration, ` (5 ms)`, stands behind every test that took one; one is taken off.

import { printable, type Results } from './results.ts'
import type { Dialect, LogStatus } from './types.ts'

const head = /^(PASS|FAIL) +(\S.*?)(?: \(\d[\d.]* m?s\))?$/
const test = /^( +)([✓√✕×○✎]) (.*)$/
const marks: Record<string, LogStatus> = { '✓': 'passed', '√': 'passed', '✕': 'failed', '×': 'failed', '○': 'skipped', '✎': 'skipped' }

export class Jest implements Dialect {
  readonly #results: Results
  #file: string | null = null
  #inTree = false
  #named = false
  #titles: string[] = []
  #over = false
  readonly #seen = { passed: 0, failed: 0, skipped: 0 }

  constructor (results: Results) {
    this.#results = results
  }

  wants (bytes: Uint8Array, start: number, end: number): boolean {
    if (end === start) return this.#inTree
    const first = bytes[start]
    if (first === 0x50 || first === 0x46 || first === 0x54 || first === 0x53) return true // PASS FAIL Tests Summary
    if (first !== 0x20) return this.#inTree
    return this.#inTree || (bytes[start + 1] === 0x46 || bytes[start + 1] === 0x50) || (bytes[start + 2] === 0xe2 && bytes[start + 3] === 0x97 && bytes[start + 4] === 0x8f)
  }

  line (text: string, number: number): void {
    if (text === '') {
      this.#inTree = false
      return
    }
    // Coloured, the word has a space on both sides.
    const match = head.exec(text.startsWith(' ') && /^ (PASS|FAIL) /.test(text) ? text.slice(1) : text)
    if (match !== null) return this.#head(match[1]!, match[2]!)
    if (text.startsWith('Summary of all failing tests')) this.#over = true
    if (text.startsWith('Tests:  ')) return this.#figures(text)
    if (text.startsWith('  ● ')) return this.#detail(text.slice(4), number)
    if (this.#inTree) this.#tree(text, number)
  }

  #head (word: string, path: string): void {
    this.#file = path
    this.#inTree = !this.#over
    this.#named = false
    this.#titles = []
    this.#results.suite(path, word === 'PASS' ? 'passed' : 'failed')
  }

  #tree (text: string, number: number): void {
    const match = test.exec(text)
    const indent = /^ */.exec(text)![0].length
    const depth = indent / 2 - 1
    if (!Number.isInteger(depth) || depth < 0 || depth > Math.min(this.#titles.length, this.#results.limits.depthMax)) {
      this.#inTree = false
      return
    }
    this.#titles.length = depth
    if (match === null) {
      this.#titles.push(text.slice(indent))
      return
    }
    const status = marks[match[2]!]!
    const name = match[2] === '○' ? match[3]!.replace(/^skipped /, '') : match[2] === '✎' ? match[3]!.replace(/^todo /, '') : match[3]!.replace(/ \(\d[\d.]* m?s\)$/, '')
    this.#named = true
    this.#seen[status as 'passed']++
    this.#results.add(`${this.#file}::${[...this.#titles, name].filter(title => title !== '').map(printable).join(' > ')}`, status, number)
  }

  #detail (title: string, number: number): void {
    this.#inTree = false
    if (this.#file === null) return
    if (title === 'Test suite failed to run') this.#results.suite(this.#file, 'error', title)
    else if (!this.#named && !this.#over && title !== 'Console' && this.#results.suites.get(this.#file)?.status === 'failed') {
      const id = `${this.#file}::${title.split(' › ').map(printable).join(' > ')}`
      this.#seen.failed++
      this.#results.add(id, 'failed', number)
    }
  }

  /** `Tests:       4 failed, 1 skipped, 1 todo, 11 passed, 17 total`. */
  #figures (text: string): void {
    const count = (word: string): number => Number(new RegExp(`(\\d+) ${word}\\b`).exec(text)?.[1] ?? 0)
    this.#results.complete = true
    this.#over = true
    const passed = count('passed')
    if (this.#seen.passed === 0 && passed > 0) this.#results.problem('NAMES_MISSING', `${passed} tests passed that the log does not name`)
    else if (passed > this.#seen.passed) this.#results.problem('NAMES_MISSING', `${passed} tests passed, the log names ${this.#seen.passed}`)
    else this.#results.expect('passed tests', passed, this.#seen.passed)
    this.#results.expect('failed tests', count('failed'), this.#seen.failed)
  }

  end (): void {}
}
