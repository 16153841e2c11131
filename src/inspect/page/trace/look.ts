// What is looked at in a trace: the part of time in sight, the line that is chosen, what it is to be about, and which lines are shown.
// All of it stands in the address.

import { kinds, lineAt, machineOf, placeOf, textsAbout, type Kind, type Model } from './model.ts'

export interface TraceLook {
  /** Part of time in sight, milliseconds; null: all of it. */
  window: TimeWindow | null
  /** Place of a line; null: none is chosen. */
  line: number | null
  /** An episode or a piece of work that is lit; '' for none. */
  about: string
  /** Lines that are about nothing of it are left out of the list. */
  only: boolean
  search: string
  /** A machine or a process, and a word; '' for all. */
  who: string
  what: string
  hidden: readonly Kind[]
}

export interface TimeWindow { fromMs: number; toMs: number }

export const plainLook: TraceLook = { window: null, line: null, about: '', only: true, search: '', who: '', what: '', hidden: ['routine'] }

/** Less of it is not looked at. */
const windowMsMin = 4

const whole = (text: string | null): number | null => text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null

export function readLook (query: URLSearchParams): TraceLook {
  const text = (name: string): string => query.get(name) ?? ''
  const [from, to] = [whole(query.get('from')), whole(query.get('to'))]
  const hidden = query.get('hide')?.split(' ')
  return {
    window: from !== null && to !== null && from < to ? { fromMs: from, toMs: to } : null,
    line: whole(query.get('line')), about: text('about'), only: text('only') !== 'no', search: text('q'), who: text('who'), what: text('what'),
    hidden: hidden === undefined ? plainLook.hidden : kinds.filter(kind => hidden.includes(kind))
  }
}

/** Without what is as it is at first. */
export function writeLook ({ window, line, about, only, search, who, what, hidden }: TraceLook): URLSearchParams {
  const parts: [string, string][] = [
    ['from', window === null ? '' : String(Math.floor(window.fromMs))], ['to', window === null ? '' : String(Math.ceil(window.toMs))], ['line', line === null ? '' : String(line)],
    ['about', about], ['only', only ? '' : 'no'], ['q', search], ['who', who], ['what', what]
  ]
  const query = new URLSearchParams(parts.filter(([, value]) => value !== ''))
  if (hidden.join(' ') !== plainLook.hidden.join(' ')) query.set('hide', hidden.join(' '))
  return query
}

/** Whoever comes without an address of their own sees the first rule that was broken, and all about what broke it. */
export function firstLook (model: Model, look: TraceLook): TraceLook {
  const [first] = model.violations
  return first === undefined || writeLook(look).size > 0 ? look : choose(model, look, first)
}

/** Chooses a violation, what it is about, and the time in which that is. */
export function choose (model: Model, look: TraceLook, violation: number): TraceLook {
  const about = aboutOf(model, violation)[0] ?? ''
  const chosen: TraceLook = { ...look, line: violation, about }
  return { ...chosen, window: about === '' ? look.window : windowAround(model, about) }
}

/** What a line names. */
export const aboutOf = (model: Model, line: number): readonly string[] => model.ids[model.trace.lines.detail[line]!]!

/**
 * The time in which all was done that is about something; null where nothing was. Most checkers look when all is over: what they say
 * is in it where it is not far away.
 */
export function windowAround (model: Model, about: string): TimeWindow | null {
  const texts = textsAbout(model, about)
  const { detail } = model.trace.lines
  const isDone = (text: number, line: number): boolean => texts[text] === 1 && model.lane[line] !== 0
  const first = detail.findIndex(isDone)
  const last = detail.findLastIndex(isDone)
  if (first < 0) return null
  const [from, done] = [model.ms[first]!, model.ms[last]!]
  const said = model.violations.filter(line => texts[detail[line]!] === 1).map(line => model.ms[line]!)
  const to = Math.max(done, ...said.filter(ms => ms <= done + (done - from) / 2))
  const around = Math.max(50, (to - from) * 0.04)
  return within(model, { fromMs: from - around, toMs: to + around })
}

export const windowOf = ({ endMs }: Pick<Model, 'endMs'>, window: TimeWindow | null): TimeWindow => window ?? { fromMs: 0, toMs: Math.max(endMs, windowMsMin) }

/** A window within the trace; null where that is all of it. */
export function within ({ endMs }: Pick<Model, 'endMs'>, { fromMs, toMs }: TimeWindow): TimeWindow | null {
  const span = Math.max(windowMsMin, toMs - fromMs)
  if (span >= endMs) return null
  const from = Math.min(Math.max(0, fromMs), endMs - span)
  return { fromMs: from, toMs: from + span }
}

/** `factor` below 1 looks closer; what is at `atMs` stays where it is. */
export function zoomed (model: Pick<Model, 'endMs'>, window: TimeWindow | null, factor: number, atMs?: number): TimeWindow | null {
  const { fromMs, toMs } = windowOf(model, window)
  const at = atMs ?? (fromMs + toMs) / 2
  const scale = Math.max(factor, windowMsMin / (toMs - fromMs))
  return within(model, { fromMs: at - (at - fromMs) * scale, toMs: at + (toMs - at) * scale })
}

/** `share` of what is in sight. */
export function panned (model: Pick<Model, 'endMs'>, window: TimeWindow | null, share: number): TimeWindow | null {
  const { fromMs, toMs } = windowOf(model, window)
  const by = share * (toMs - fromMs)
  return within(model, { fromMs: fromMs + by, toMs: toMs + by })
}

/** A window of the same width in which a time is. */
export function holding (model: Pick<Model, 'endMs'>, window: TimeWindow | null, ms: number): TimeWindow | null {
  const { fromMs, toMs } = windowOf(model, window)
  if (ms >= fromMs && ms <= toMs) return window
  const half = (toMs - fromMs) / 2
  return within(model, { fromMs: ms - half, toMs: ms + half })
}

/** Lines that are drawn, in order. */
export function shownLines (model: Model, { search, who, what, hidden }: Pick<TraceLook, 'search' | 'who' | 'what' | 'hidden'>): Int32Array {
  const { trace, count, kind } = model
  const isHidden = kinds.map(name => hidden.includes(name))
  const fitsWho = trace.who.map(name => who === '' || name === who || machineOf(name) === who)
  const fitsWhat = trace.what.map(name => what === '' || name === what)
  const terms = search.toLowerCase().split(/\s+/).filter(term => term !== '').map(term => {
    const has = (words: readonly string[]): Uint8Array => Uint8Array.from(words, word => Number(word.toLowerCase().includes(term)))
    return { who: has(trace.who), what: has(trace.what), detail: has(trace.details) }
  })
  const lines = trace.lines
  const found = new Int32Array(count)
  let length = 0
  for (let line = 0; line < count; line++) {
    const [name, word, text] = [lines.who[line]!, lines.what[line]!, lines.detail[line]!]
    if (isHidden[kind[line]!]! || !fitsWho[name]! || !fitsWhat[word]!) continue
    if (terms.every(term => term.who[name] === 1 || term.what[word] === 1 || term.detail[text] === 1)) found[length++] = line
  }
  return found.subarray(0, length)
}

/** Of some lines those about something. */
export function linesAbout (model: Model, lines: Int32Array, about: string): Int32Array {
  const texts = textsAbout(model, about)
  return lines.filter(line => texts[model.trace.lines.detail[line]!] === 1)
}

/** The line nearest to a time among some that fit; null: none is within `reachMs`. */
export function nearest (model: Model, lines: Int32Array, ms: number, reachMs: number, fits: (line: number) => boolean): number | null {
  let best: number | null = null
  const far = (line: number): number => Math.abs(model.ms[line]! - ms)
  for (let place = firstPlace(model, lines, ms - reachMs); place < lines.length; place++) {
    const line = lines[place]!
    if (model.ms[line]! > ms + reachMs) break
    if (!fits(line)) continue
    // Of marks that stand as near the more telling one is meant.
    if (best === null || far(line) - model.kind[line]! * reachMs / 12 < far(best) - model.kind[best]! * reachMs / 12) best = line
  }
  return best
}

/** The place of the first of some lines at or after a time. */
export const firstPlace = (model: Model, lines: Int32Array, ms: number): number => placeOf(lines, lineAt(model, ms))
