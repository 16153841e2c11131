// Reads the trace that a simulation wrote, once and within bounds, into what the page is told. A line that is no line of a trace ends it,
// by its number: what was read up to there would be believed. Only the last one may be cut short, as by a simulation that was ended.

import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { SparError } from '../errors.ts'
import type { TraceLine } from '../simulation/trace.ts'
import { inspectLimits } from './limits.ts'
import type { TraceView } from './protocol-trace.ts'

export type TraceLimits = Pick<typeof inspectLimits, 'traceBytesMax' | 'traceLinesMax' | 'traceLineCharsMax' | 'traceDetailCharsMax'>

/** Throws TRACE_UNREADABLE, TRACE_TOO_LARGE and TRACE_INVALID. */
export async function readTrace (path: string, given: Partial<TraceLimits> = {}): Promise<TraceView> {
  const limits = { ...inspectLimits, ...given }
  const unreadable = (error: unknown): SparError => new SparError('TRACE_UNREADABLE', `Cannot read the trace ${path}: ${(error as Error).message}`)
  const { size } = await stat(path).catch((error: unknown) => { throw unreadable(error) })
  if (size > limits.traceBytesMax) throw new SparError('TRACE_TOO_LARGE', `Cannot read the trace ${path}: it has ${size} bytes, traceBytesMax is ${limits.traceBytesMax}. Simulate fewer episodes`)
  const builder = createBuilder(path, limits)
  let rest: Buffer = Buffer.alloc(0)
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 }) as AsyncIterable<Buffer>) {
      const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      const end = bytes.lastIndexOf('\n')
      if (end >= 0) for (const line of bytes.toString('utf8', 0, end).split('\n')) builder.add(line)
      rest = bytes.subarray(end + 1)
      if (rest.length > limits.traceLineCharsMax * 4) builder.add(rest.toString('utf8'))
    }
  } catch (error) { throw error instanceof SparError ? error : unreadable(error) }
  if (rest.length > 0) builder.addLast(rest.toString('utf8'))
  const view = builder.view()
  if (view.lines.who.length === 0) throw new SparError('TRACE_INVALID', `Cannot read the trace ${path}: there is no line in it`)
  return view
}

function createBuilder (path: string, { traceLinesMax, traceLineCharsMax, traceDetailCharsMax }: TraceLimits): { add (text: string): void; addLast (text: string): void; view (): TraceView } {
  const [who, what, details] = [createWords(), createWords(), createWords()]
  const lines: TraceView['lines'] = { afterMs: [], who: [], what: [], detail: [] }
  let read = 0
  let lastMs = 0
  let leftOut = 0

  const fail = (why: string): SparError => new SparError('TRACE_INVALID', `Cannot read the trace ${path}: line ${read} ${why}. A line is {"ms", "who", "what", "detail"}, as spar simulate --trace writes it`, { data: { path, line: read } })

  function parse (text: string): TraceLine {
    let line: unknown
    try {
      line = JSON.parse(text)
    } catch { throw fail('is no JSON') }
    if (typeof line !== 'object' || line === null) throw fail('is no object')
    const { ms, who, what, detail } = line as Record<string, unknown>
    if (!Number.isSafeInteger(ms) || (ms as number) < 0) throw fail('has no "ms" that is a whole number from 0')
    for (const [name, value] of Object.entries({ who, what, detail })) if (typeof value !== 'string') throw fail(`has no text as "${name}"`)
    if ((ms as number) < lastMs) throw fail(`is at ${ms as number} ms, the one before it at ${lastMs}`)
    return line as TraceLine
  }

  function add (text: string): void {
    read++
    if (text.length > traceLineCharsMax) throw fail(`has more than ${traceLineCharsMax} characters (traceLineCharsMax)`)
    // What checkers said and what befell the whole comes late and is what is looked for: it is kept where there are too many lines.
    if (lines.who.length >= traceLinesMax && (lines.who.length >= 2 * traceLinesMax || !/"who":"(?:checker|world)"/.test(text))) {
      leftOut++
      return
    }
    const line = parse(text)
    lines.afterMs.push(line.ms - lastMs)
    lastMs = line.ms
    lines.who.push(who.of(line.who))
    lines.what.push(what.of(line.what))
    lines.detail.push(details.of(line.detail.length > traceDetailCharsMax ? `${line.detail.slice(0, traceDetailCharsMax)} …` : line.detail))
  }

  return {
    add,
    addLast (text) {
      if (text.length <= traceLineCharsMax && !isJson(text)) leftOut++
      else add(text)
    },
    view: () => ({ file: basename(path), lines, who: who.words, what: what.words, details: details.words, leftOut })
  }
}

function isJson (text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function createWords (): { words: string[]; of (word: string): number } {
  const places = new Map<string, number>()
  const words: string[] = []
  return {
    words,
    of (word) {
      const known = places.get(word)
      if (known !== undefined) return known
      places.set(word, words.length)
      return words.push(word) - 1
    }
  }
}
