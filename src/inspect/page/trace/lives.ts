// What lasts in a trace, from lines that say when it began and when it was over: lives of processes, pauses, cuts and drains within them,
// what befell the world, and work that a process held. What nothing ends lasts as long as what it is part of.

import type { Model } from './model.ts'

/** `ending`: how it ended; `open`: the trace ends before. `line`: where it begins, `endLine` where it ends, -1 where nothing says so. */
interface Lasting { lane: number; fromMs: number; toMs: number; line: number; endLine: number }
export interface Life extends Lasting { who: string; ending: 'crashed' | 'left' | 'failed' | 'open' }
export interface Span extends Lasting { kind: 'paused' | 'cut' | 'draining' | 'world'; text: string }
/** `delivery`: `#2`. */
export interface Hold extends Lasting { id: string; delivery: string; ending: 'delivered' | 'given back' | 'lost' | 'open' }

export interface Story { tell (line: number): void; open: { lives: Map<number, Life>; spans: Set<Span>; holds: Map<string, Hold> } }

export function tellStory (model: Model): Story {
  const { trace, ms, lane, lanes, lives, spans, holds } = model
  const { who, detail } = trace.lines
  const machines = new Map(lanes.flatMap(({ name, kind }, index) => kind === 'machine' ? [[name, index] as const] : []))
  const living = new Map<number, Life>()
  const open: Story['open'] = { lives: new Map(), spans: new Set(), holds: new Map() }
  const begin = (line: number): Lasting => ({ lane: lane[line]!, fromMs: ms[line]!, toMs: ms[line]!, line, endLine: -1 })
  const close = (lasting: Lasting, line: number): void => {
    lasting.toMs = ms[line]!
    lasting.endLine = line
  }

  function span (line: number, kind: Span['kind'], text: string, on = lane[line]!): void {
    const begun: Span = { ...begin(line), lane: on, kind, text }
    spans.push(begun)
    open.spans.add(begun)
  }

  function over (line: number, fits: (span: Span) => boolean): void {
    for (const span of open.spans) {
      if (!fits(span)) continue
      close(span, line)
      open.spans.delete(span)
    }
  }

  function end (line: number, ending: Life['ending']): void {
    const life = open.lives.get(who[line]!)
    if (life === undefined) return
    close(life, line)
    life.ending = ending
    open.lives.delete(who[line]!)
    if (living.get(life.lane) === life) living.delete(life.lane)
    // A process that is gone holds nothing, and nothing befalls it.
    over(line, ({ lane, kind }) => lane === life.lane && kind !== 'world')
    for (const [key, hold] of open.holds) if (key.startsWith(`${who[line]!} `)) release(key, hold, line, 'lost')
  }

  function release (key: string, hold: Hold, line: number, ending: Hold['ending']): void {
    close(hold, line)
    hold.ending = ending
    open.holds.delete(key)
  }

  /** A process that says something lives, also where the trace has no line of its start. */
  function life (line: number): void {
    if (open.lives.has(who[line]!)) return
    const begun: Life = { ...begin(line), who: trace.who[who[line]!]!, ending: 'open' }
    lives.push(begun)
    open.lives.set(who[line]!, begun)
    living.set(begun.lane, begun)
  }

  const befell = (what: string, names: readonly string[]): string => what === 'outage' ? what : `${what} ${names.join(' ')}`

  function ofWorld (line: number, what: string, text: string): void {
    const words = text.split(' ')
    const names = words.filter(word => machines.has(word))
    if (what === 'partition' || what === 'outage') {
      span(line, 'world', befell(what, names))
      for (const name of names) if (living.has(machines.get(name)!)) span(line, 'cut', `${what}: ${text}`, machines.get(name)!)
    }
    // Connections are those of processes: one that has come since has another.
    if (what === 'mended') over(line, ({ kind, text, lane }) => kind === 'cut' ? words.includes(living.get(lane)!.who) : text === befell(words[0]!, names))
    if (what === 'the trainer is away') span(line, 'world', 'trainer away')
    if (what === 'the trainer is back') over(line, ({ text }) => text === 'trainer away')
    const [, run, state] = /^(run(?:-\d+)?) is to be (\w+)$/.exec(what) ?? []
    if (state === 'paused') span(line, 'world', `${run!} paused`)
    if (state === 'cancelled') model.points.push(line)
    if (state === 'running' || state === 'cancelled') over(line, ({ text }) => text === `${run!} paused`)
    if (what === 'faults are over') over(line, ({ kind, text }) => kind !== 'draining' && !/^run(?:-\d+)? paused$/.test(text))
  }

  function ofWork (line: number, what: string, text: string): void {
    const key = `${who[line]!} ${text.split(' ', 1)[0]!}`
    const held = open.holds.get(key)
    if (what === 'queue.pull') {
      const hold: Hold = { ...begin(line), id: model.ids[detail[line]!]![0] ?? '', delivery: /#\d+$/.exec(text)?.[0] ?? '', ending: 'open' }
      holds.push(hold)
      open.holds.set(key, hold)
    } else if (held !== undefined && (what === 'delivered' || what === 'queue.ack' || what === 'queue.again')) release(key, held, line, what === 'queue.again' ? 'given back' : 'delivered')
  }

  return {
    open,
    tell (line) {
      const { what, detail: text } = model.text(line)
      if (lane[line] === 1) return ofWorld(line, what, text)
      if (what !== 'crashed' && what !== 'ended') life(line)
      const isHere = (span: Span): boolean => span.lane === lane[line]
      if (what === 'paused') span(line, 'paused', 'stopped')
      else if (what === 'resumed') over(line, one => isHere(one) && one.kind === 'paused')
      else if (what === 'draining') span(line, 'draining', 'draining')
      else if (what === 'crashed') end(line, 'crashed')
      else if (what === 'ended') end(line, text.includes('"failed"') ? 'failed' : 'left')
      else ofWork(line, what, text)
    }
  }
}

/** What is open when the trace ends lasts to its end. */
export function endStory ({ open }: Story, { endMs }: Model): void {
  for (const lasting of [...open.lives.values(), ...open.spans, ...open.holds.values()]) lasting.toMs = endMs
}
