// What is lit, over all lanes: the work that was held, every line, and the way from lane to lane; and the line that is chosen.

import { named } from '../ansi.ts'
import { kinds, type Model } from './model.ts'
import { cross, inSight, label, stretch, type Scene } from './paint.ts'
import { laneMiddle, laneTop, sizes, type Frame } from './places.ts'

/** Lines between lanes are drawn for so many changes of lane. */
const stepsMax = 600

/** What is lit: the work that was held, every line, and the way from lane to lane. */
export function light (context: CanvasRenderingContext2D, { model, frame, palette, lit }: Scene): void {
  const { lines, id } = lit!
  context.strokeStyle = context.fillStyle = palette.second
  const free = new Map<number, number>()
  for (const hold of model.holds) {
    if (!inSight(frame, hold) || (hold.id !== id && !hold.id.startsWith(`${id}.`))) continue
    const [x, width] = stretch(frame, hold)
    const y = laneTop(frame, hold.lane) + 6
    // Who owns an episode holds it while others work for it.
    if (!hold.id.includes('.')) {
      context.fillRect(x, y - 2, width, 3)
      continue
    }
    context.globalAlpha = 0.22
    context.fillRect(x, y, width, 13)
    context.globalAlpha = 1
    context.lineWidth = 1
    context.strokeRect(x + 0.5, y + 0.5, Math.max(1, width - 1), 12)
    context.fillStyle = palette.text
    const start = Math.max(x, frame.gutter) + 5
    if (start > (free.get(hold.lane) ?? 0)) free.set(hold.lane, start + label(context, hold.id === id ? hold.delivery : named(hold.id.slice(id.length + 1)), start, y + 7, x + width - 4))
    context.fillStyle = palette.second
    if (hold.ending === 'lost') cross(context, frame.x(hold.toMs), y + 6.5, 3, palette.bad)
    context.strokeStyle = palette.second
  }
  way(context, model, frame, lines)
  for (const line of lines) {
    const x = frame.x(model.ms[line]!)
    const lane = model.lane[line]!
    if (x < frame.gutter - 2 || x > frame.width + 2 || lane < 2) continue
    const row = model.rowOfWhat[model.trace.lines.what[line]!]!
    context.fillStyle = model.kind[line] === kinds.indexOf('odd') ? palette.warn : palette.second
    context.fillRect(Math.floor(x) - 0.5, laneTop(frame, lane) + 6 + 14 * row, 2.5, 13)
  }
}

function way (context: CanvasRenderingContext2D, model: Model, frame: Frame, lines: Int32Array): void {
  context.globalAlpha = 0.6
  context.lineWidth = 1.2
  context.beginPath()
  let drawn = 0
  for (let at = 1; at < lines.length && drawn < stepsMax; at++) {
    const [one, next] = [lines[at - 1]!, lines[at]!]
    if (model.lane[one] === model.lane[next] || !inSight(frame, { fromMs: model.ms[one]!, toMs: model.ms[next]! })) continue
    drawn++
    const [x, y, toX, toY] = [frame.x(model.ms[one]!), laneMiddle(model, frame, model.lane[one]!), frame.x(model.ms[next]!), laneMiddle(model, frame, model.lane[next]!)]
    const bend = Math.min(40, (toX - x) / 2)
    context.moveTo(x, y)
    context.bezierCurveTo(x + bend, y, toX - bend, toY, toX, toY)
  }
  context.stroke()
  context.globalAlpha = 1
}

export function crosshair (context: CanvasRenderingContext2D, { model, frame, palette }: Scene, line: number): void {
  const x = frame.x(model.ms[line]!)
  if (x < frame.gutter - 8 || x > frame.width + 8) return
  const lane = model.lane[line]!
  const y = lane < 2 ? laneMiddle(model, frame, lane) : laneTop(frame, lane) + 12.5 + 14 * model.rowOfWhat[model.trace.lines.what[line]!]!
  context.fillStyle = palette.text
  context.globalAlpha = 0.5
  context.fillRect(Math.round(x), sizes.axis, 1, frame.height)
  context.globalAlpha = 1
  context.strokeStyle = palette.text
  context.lineWidth = 2
  context.beginPath()
  context.arc(x, y, 9, 0, 7)
  context.stroke()
}
