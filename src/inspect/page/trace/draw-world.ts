// The lanes of the checkers and of the world: which rules were broken, also out of sight, what befell the whole, and when faults stopped.

import { named } from '../ansi.ts'
import { sinceStart } from '../words.ts'
import { inSight, label, stretch, worldRow, type Scene } from './paint.ts'
import { laneMiddle, laneTop, sizes } from './places.ts'

/** The world's lane. A word may stand beside what it names, up to the next one of the row. */
export function befell (context: CanvasRenderingContext2D, { model, frame, palette }: Scene): void {
  const top = laneTop(frame, 1) + 4
  const ends = [frame.width, frame.width, frame.width]
  for (const line of model.points.toReversed()) {
    const x = frame.x(model.ms[line]!)
    context.fillStyle = palette.warn
    context.beginPath()
    context.arc(x, top + 32.5, 3.5, 0, 7)
    context.fill()
    label(context, named(model.text(line).what.replace(/ is to be /, ' ').replace(/^run /, '')), x + 7, top + 33, ends[2]!)
    ends[2] = x - 4
  }
  const words: (() => void)[] = []
  for (const span of model.spans.toReversed()) {
    if (span.kind !== 'world' || !inSight(frame, span)) continue
    const [x, width] = stretch(frame, span)
    const row = worldRow(span.text)
    const y = top + 13 * row
    const [tint, color] = row === 0 ? [palette['bad-tint'], palette.bad] : [palette['warn-tint'], palette.warn]
    context.fillStyle = tint
    context.fillRect(x, y, width, 12)
    context.fillStyle = color
    context.fillRect(x, y, Math.min(2, width), 12)
    const end = ends[row]! - 2
    words.push(() => {
      context.fillStyle = color
      label(context, named(span.text), Math.max(x, frame.gutter) + 6, y + 6.5, end)
    })
    ends[row] = x
  }
  // What began before another may last as long: words stand over all of it.
  for (const write of words) write()
}

export function calm (context: CanvasRenderingContext2D, { model, frame, palette }: Scene): void {
  if (model.calmMs === null || !inSight(frame, { fromMs: model.calmMs, toMs: model.calmMs })) return
  const x = Math.round(frame.x(model.calmMs)) + 0.5
  context.strokeStyle = palette.good
  context.lineWidth = 1
  context.setLineDash([4, 3])
  context.beginPath()
  context.moveTo(x, sizes.axis)
  context.lineTo(x, frame.height)
  context.stroke()
  context.setLineDash([])
  context.fillStyle = palette.good
  // Of the trainer nothing is told from then on: its row is free.
  label(context, 'faults are over', x + 5, laneTop(frame, 1) + 23.5, x + 120)
}

/** `end`: up to where there is room. */
export function violations (context: CanvasRenderingContext2D, { model, frame, palette }: Scene, end: number): void {
  const y = laneMiddle(model, frame, 0)
  const here = model.violations.filter(line => inSight(frame, { fromMs: model.ms[line]!, toMs: model.ms[line]! }))
  const columns = new Map<number, number[]>()
  for (const line of here) {
    const x = Math.round(frame.x(model.ms[line]!))
    const there = columns.get(x)
    if (there === undefined) columns.set(x, [line])
    else there.push(line)
  }
  const places = [...columns.keys()]
  let taken = frame.gutter
  for (const [index, x] of places.entries()) {
    const lines = columns.get(x)!
    context.fillStyle = palette.bad
    context.beginPath()
    context.moveTo(x, y - 7)
    context.lineTo(x + 7, y)
    context.lineTo(x, y + 7)
    context.lineTo(x - 7, y)
    context.fill()
    const words = named([...new Set(lines.map(line => model.text(line).what))].slice(0, 3).join(', ')) + (lines.length > 1 ? ` × ${lines.length}` : '')
    const wide = context.measureText(words).width
    const after = places[index + 1] ?? end
    if (x + wide + 24 < after) taken = x + 14 + label(context, words, x + 14, y, Infinity)
    else {
      if (x - wide - 24 > taken) label(context, words, x - 14 - wide, y, Infinity)
      taken = x
    }
  }
}

/** Broken rules that are not in sight: how many, and on which side. Up to where the lane is free. */
export function elsewhere (context: CanvasRenderingContext2D, { model, frame, palette }: Scene): number {
  const y = laneMiddle(model, frame, 0)
  const [before, after] = [model.violations.filter(line => model.ms[line]! < frame.fromMs).length, model.violations.filter(line => model.ms[line]! > frame.toMs).length]
  context.fillStyle = palette.bad
  if (before > 0) label(context, `◂ ${before}`, frame.gutter + 8, y, frame.width)
  if (after === 0) return frame.width
  const inside = model.violations.findLast(line => model.ms[line]! >= frame.fromMs && model.ms[line]! <= frame.toMs)
  const next = model.violations.find(line => model.ms[line]! > frame.toMs)!
  const full = `${named(model.text(next).what)} at ${sinceStart(model.ms[next]!, 0)}${after > 1 ? ` and ${after - 1} more` : ''} ▸`
  for (const words of [full, `${after} ▸`]) {
    const start = frame.width - context.measureText(words).width - 10
    if (inside !== undefined && frame.x(model.ms[inside]!) > start - 20) continue
    label(context, words, start, y, Infinity)
    return start - 6
  }
  return frame.width
}
