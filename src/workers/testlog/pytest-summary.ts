// pytest's last words: the lines below "short test summary info", and the figures of the last line.

import type { LogLimits } from './limits.ts'
import type { LogStatus } from './types.ts'
import { detached, longLine, worse } from './results.ts'

const part = /(\d+) (passed|failed|errors?|skipped|xfailed|xpassed|deselected|warnings?|reruns?|subtests passed|subtests failed|subtests skipped|subtests xfailed|[a-z][\w -]*)/

// `SUBFAILED[message] (i=1) id - why` of pytest 9, `[message] (i=1) SUBFAIL id - why` of the plugin.
const subtestFailed = /^(?:SUBFAILED(?:\[.*?\])?(?: ?\(.*?\))?|(?:\[.*?\] ?)?(?:\(.*?\) ?)?SUBFAIL) (.*::.*)$/

/** `3 failed, 2 passed in 0.12s`, or `no tests ran in 0.01s`. */
export class Figures {
  passed = 0
  failed = 0
  errors = 0
  skipped = 0
  xfailed = 0
  xpassed = 0

  static read (text: string): Figures | null {
    const end = /^(.*) in \d[\d.]*s(?: \(\d.*\))?$/.exec(text)
    if (end === null) return null
    const figures = new Figures()
    if (end[1] === 'no tests ran') return figures
    for (const piece of end[1]!.split(', ')) {
      const [whole, count, name] = part.exec(piece) ?? []
      if (whole !== piece) return null
      const key = name === 'error' ? 'errors' : name!
      if (key in figures) figures[key as keyof Figures] = Number(count)
    }
    return figures
  }
}

type Counts = Record<'passed' | 'failed' | 'error' | 'xpassed' | 'xfailed', number>
interface Late { text: string; status: LogStatus }

export class PytestSummary {
  readonly #limits: LogLimits
  readonly #passed: string[] = []
  readonly #late: Late[] = []
  readonly #suites: string[] = []
  readonly counts: Counts = { passed: 0, failed: 0, error: 0, xpassed: 0, xfailed: 0 }

  constructor (limits: LogLimits) {
    this.#limits = limits
  }

  line (text: string): void {
    if (this.#passed.length + this.#late.length > this.#limits.testsMax) return
    const space = text.indexOf(' ')
    const rest = text.slice(space + 1).trimEnd()
    switch (text.slice(0, space)) {
      case 'PASSED': this.counts.passed++; this.#passed.push(rest.length > longLine ? detached(rest.slice(0, this.#limits.idCharsMax + 1)) : rest); return
      case 'FAILED': this.#keep(rest, 'failed', 'failed'); return
      case 'XPASS': this.#keep(rest, 'passed', 'xpassed'); return
      case 'XFAIL': this.#keep(rest, 'skipped', 'xfailed'); return
      case 'SKIPPED': if (!rest.startsWith('[') && rest.includes('::')) this.#keep(rest, 'skipped', null); return
      case 'ERROR':
        if (rest.includes('::')) this.#keep(rest, 'error', 'error')
        else { this.counts.error++; this.#suites.push(detached(rest.slice(0, this.#limits.idCharsMax))) }
        return
    }
    const subtest = subtestFailed.exec(text)
    if (subtest !== null) this.#keep(subtest[1]!, 'failed', 'failed')
  }

  #keep (text: string, status: LogStatus, count: keyof Counts | null): void {
    if (count !== null) this.counts[count]++
    this.#late.push({ text: text.length > longLine ? detached(text.slice(0, this.#limits.idCharsMax + 1)) : text, status })
  }

  /** `known`: whether a test of this id, or a heading of this name (`Class.test[a]`), was seen elsewhere. */
  resolve (known: (id: string, name: string) => boolean): { tests: Map<string, LogStatus>; suites: { name: string; reason?: string }[]; counts: Counts } {
    const tests = new Map<string, LogStatus>(this.#passed.map(id => [id, 'passed']))
    const seen = (id: string): boolean => tests.has(id) || known(id, nameOf(id))
    for (const { text, status } of this.#late) {
      const id = cutMessage(text, seen)
      const before = tests.get(id)
      tests.set(id, before === undefined ? status : worse(before, status))
    }
    const suites = this.#suites.map(text => {
      const dash = cuts(text).find(at => known(text.slice(0, at), text.slice(0, at))) ?? text.indexOf(' - ', Math.max(0, text.indexOf('.py')))
      return dash === -1 || dash >= text.length ? { name: text } : { name: text.slice(0, dash), reason: text.slice(dash + 3) }
    })
    return { tests, suites, counts: this.counts }
  }
}

/** `Class.test[a]` of `file.py::Class::test[a]`: what a heading says. */
function nameOf (id: string): string {
  const start = id.indexOf('::') + 2
  const bracket = id.indexOf('[', start)
  const words = bracket === -1 ? id.slice(start) : id.slice(start, bracket)
  return words.replaceAll('::', '.') + (bracket === -1 ? '' : id.slice(bracket))
}

function cuts (text: string): number[] {
  const found: number[] = []
  for (let at = text.indexOf(' - '); at !== -1; at = text.indexOf(' - ', at + 1)) found.push(at)
  return [...found, text.length]
}

function cutMessage (text: string, seen: (id: string) => boolean): string {
  if (!text.includes(' - ')) return text
  const start = text.indexOf('::')
  const sure = cuts(text).filter(at => at > start).find(at => seen(text.slice(0, at)))
  if (sure !== undefined) return text.slice(0, sure)
  const bracket = text.indexOf('[', start)
  const dash = text.indexOf(' - ', start)
  if (dash === -1) return text
  if (bracket === -1 || bracket > dash) return text.slice(0, dash)
  const end = text.indexOf('] - ', bracket)
  return end === -1 ? text : text.slice(0, end + 1)
}
