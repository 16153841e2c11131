// A trace made ready to be drawn: a lane for the checkers, one for the world, one for each machine; the lives of its processes, what
// befell them and for how long, the work they held; and which episode or piece of work each line is about. Built once.
//
// T1. Lines are in the order of their time: whatever lies in a part of it is found by halving.
// T2. A word of a trace is looked into once, not once a line: there are few words.

import type { TraceView } from '../../protocol.ts'
import { endStory, tellStory, type Hold, type Life, type Span } from './lives.ts'

/** What a line is, the most telling last: where marks fall together the later one is seen. */
export const kinds = ['routine', 'read', 'write', 'work', 'odd', 'life', 'fault', 'violation'] as const
export type Kind = typeof kinds[number]

export interface Lane { name: string; kind: 'checker' | 'world' | 'machine' }

export interface Model {
  trace: TraceView
  count: number
  /** Since the simulation began. */
  ms: Float64Array
  endMs: number
  /** Of each line: its lane, and its kind as a place in `kinds`. */
  lane: Int32Array
  kind: Uint8Array
  lanes: Lane[]
  lives: Life[]
  spans: Span[]
  holds: Hold[]
  /** Lines: rules that were broken, and what befell the world at once. */
  violations: number[]
  points: number[]
  /** Lines of each kind, as in `kinds`. */
  counts: number[]
  /** By the place of a word: 0 for what is done with work, 1 for what is read and written. */
  rowOfWhat: (0 | 1)[]
  /** When faults stopped; null where the trace does not say so. */
  calmMs: number | null
  /** Ids of episodes and work that a text names, by its place in `details`. */
  ids: readonly (readonly string[])[]
  text (line: number): { who: string; what: string; detail: string }
}

export function buildModel (trace: TraceView): Model {
  const { afterMs, who, what, detail } = trace.lines
  const count = who.length
  const ms = new Float64Array(count)
  for (let line = 0, at = 0; line < count; line++) ms[line] = at += afterMs[line]!
  const lanes: Lane[] = [{ name: 'checkers', kind: 'checker' }, { name: 'world', kind: 'world' }]
  const laneOfWho = lanesOf(trace, lanes)
  const kindOfWhat = trace.what.map(kindOf)
  const lane = Int32Array.from(who, name => laneOfWho[name]!)
  const kind = Uint8Array.from(what, (name, line) => kinds.indexOf(lane[line] === 0 ? 'violation' : lane[line] === 1 ? 'fault' : kindOfWhat[name]!))
  const model: Model = {
    trace, count, ms, endMs: ms[count - 1] ?? 0, lane, kind, lanes, lives: [], spans: [], holds: [], violations: [], points: [], counts: kinds.map(() => 0), calmMs: null,
    rowOfWhat: trace.what.map(word => /^(?:queue\.|delivered)/.test(word) || lifeWords.has(word) ? 0 : 1),
    ids: trace.details.map(idsOf),
    text: line => ({ who: trace.who[who[line]!]!, what: trace.what[what[line]!]!, detail: trace.details[detail[line]!]! })
  }
  const story = tellStory(model)
  for (let line = 0; line < count; line++) {
    model.counts[kind[line]!]!++
    if (lane[line] === 0) model.violations.push(line)
    else if (kind[line] !== 0 && kind[line] !== 1) story.tell(line)
    if (lane[line] === 1 && model.calmMs === null && trace.what[what[line]!] === 'faults are over') model.calmMs = ms[line]!
  }
  endStory(story, model)
  return model
}

/** `n1-6` is the sixth life of the machine `n1`. */
export const machineOf = (who: string): string => /^(.+)-\d+$/.exec(who)?.[1] ?? who

/** Machines in the order of their names, `n2` before `n10`. */
function lanesOf ({ who }: TraceView, lanes: Lane[]): number[] {
  const machines = [...new Set(who.filter(name => name !== 'checker' && name !== 'world').map(machineOf))].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  const places = new Map([['checker', 0], ['world', 1]])
  for (const name of machines) {
    places.set(`machine ${name}`, lanes.length)
    lanes.push({ name, kind: 'machine' })
  }
  return who.map(name => places.get(name) ?? places.get(`machine ${machineOf(name)}`)!)
}

const lifeWords: ReadonlySet<string> = new Set(['started', 'joined', 'crashed', 'paused', 'resumed', 'draining', 'aborting', 'ended', 'fault'])
const routineWords = /^(?:nodes\.(?:put|get|remove)|queue\.(?:working|depth|subjects)|samples\.places?|signal|arenas)\+?$/

export function kindOf (what: string): Kind {
  if (lifeWords.has(what)) return 'life'
  if (routineWords.test(what)) return 'routine'
  // Done twice, or refused.
  if (/[+!]$/.test(what) || what === 'queue.resurrected' || what === 'queue.again') return 'odd'
  if (what === 'delivered' || what.startsWith('queue.')) return 'work'
  if (/\.(?:create|update|put|remove)$/.test(what)) return 'write'
  return what.endsWith('.get') ? 'read' : 'work'
}

const none: readonly string[] = []

/** `run.work.e0002.solve.1.3.ended` is about `e0002.solve.1.3`; where several runs are played, those of the others begin with their run. */
export function idsOf (detail: string): readonly string[] {
  const found = [...detail.matchAll(/(?:\b(run-\d+\.)(?:work\.|settled\.)?)?\b(e\d{4,}(?:\.(?:break|verify|grade|solve|promote|settle)(?:\.\d+)*)?\b)|^(?:(run-\d+\.)|[\w-]+\.)(?:work\.)?(lead)\b/g)]
  return found.length === 0 ? none : [...new Set(found.map(([, run, id, leads, lead]) => (run ?? leads ?? '') + (id ?? lead!)))]
}

export const episodeOf = (id: string): string => /^(?:run-\d+\.)?[^.]+/.exec(id)![0]

/** Whether a text about `id` is about the other: an episode's work is about the episode. */
export const isAbout = (id: string, about: string): boolean => id === about || (id.startsWith(about) && id[about.length] === '.')

/** By the place of a text: whether it is about something. */
export const textsAbout = ({ ids }: Model, about: string): Uint8Array =>
  Uint8Array.from(ids, all => Number(all.some(id => isAbout(id, about))))

/** The first line at or after a time (T1). */
export function lineAt ({ ms, count }: Pick<Model, 'ms' | 'count'>, at: number): number {
  let [low, high] = [0, count]
  while (low < high) {
    const middle = (low + high) >> 1
    if (ms[middle]! < at) low = middle + 1
    else high = middle
  }
  return low
}

/** The place of the first of some lines that is not before one. */
export function placeOf (lines: Int32Array, line: number): number {
  let [low, high] = [0, lines.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (lines[middle]! < line) low = middle + 1
    else high = middle
  }
  return low
}
