// The lanes of machines: lives of processes, how much work they hold, what befell them, and a mark for each line. A line is a mark of a
// pixel; where many fall onto one the most telling is seen, so that a picture costs what its pixels cost and one look at each line in sight.

import { firstPlace } from './look.ts'
import { kinds } from './model.ts'
import { cross, hatch, inSight, stretch, type Palette, type Scene } from './paint.ts'
import { laneMiddle, laneTop, sizes } from './places.ts'

export function lives (context: CanvasRenderingContext2D, { model, frame, palette }: Scene, seen: readonly number[]): void {
  for (const life of model.lives) {
    if (!seen.includes(life.lane) || !inSight(frame, life)) continue
    const [x, width] = stretch(frame, life)
    const y = laneTop(frame, life.lane) + 4
    context.fillStyle = palette.raised
    context.strokeStyle = palette.strong
    context.lineWidth = 1
    context.beginPath()
    context.roundRect(x + 0.5, y + 0.5, width - 1, sizes.machine - 9, Math.min(4, width / 2))
    context.fill()
    if (width > 3) context.stroke()
  }
}

export function deaths (context: CanvasRenderingContext2D, { model, frame, palette }: Scene, seen: readonly number[]): void {
  const last = new Map<number, number>()
  for (const life of model.lives) {
    if (!seen.includes(life.lane) || !inSight(frame, life) || life.ending === 'left' || life.ending === 'open') continue
    const [x, y] = [frame.x(life.toMs), laneMiddle(model, frame, life.lane)]
    // Crosses that would be one line are marks of a pixel.
    if (x - (last.get(life.lane) ?? -99) >= 11) cross(context, x, y, 4, palette.bad)
    else {
      context.fillStyle = palette.bad
      context.fillRect(x - 0.5, y - 4, 1.5, 8)
    }
    last.set(life.lane, x)
  }
}

/** How much work a machine holds: the more, the darker its bar. Owned episodes and led runs are held all along, and do not count. */
export function load (context: CanvasRenderingContext2D, { model, frame, palette }: Scene, seen: readonly number[]): void {
  const width = Math.ceil(frame.width)
  const begun = new Map(seen.map(lane => [lane, new Int16Array(width + 2)]))
  for (const hold of model.holds) {
    const held = begun.get(hold.lane)
    if (held === undefined || !inSight(frame, hold) || !hold.id.includes('.')) continue
    const from = Math.max(0, Math.floor(frame.x(hold.fromMs)))
    held[from]!++
    held[Math.min(width, Math.floor(frame.x(hold.toMs))) + 1]!--
  }
  const alpha = context.globalAlpha
  context.fillStyle = palette.accent
  for (const [lane, held] of begun) {
    const y = laneTop(frame, lane) + 5
    for (let x = 0, level = 0, from = 0; x <= width; x++) {
      if (held[x] === 0 && x < width) continue
      if (level > 0) {
        context.globalAlpha = alpha * Math.min(0.34, 0.06 + 0.03 * level)
        context.fillRect(from, y, x - from, sizes.machine - 10)
      }
      level += held[x]!
      from = x
    }
  }
  context.globalAlpha = alpha
}

export function spans (context: CanvasRenderingContext2D, { model, frame, palette }: Scene, seen: readonly number[]): void {
  for (const span of model.spans) {
    if (span.kind === 'world' || !seen.includes(span.lane) || !inSight(frame, span)) continue
    const [x, width] = stretch(frame, span)
    const top = laneTop(frame, span.lane)
    if (span.kind === 'cut') {
      context.fillStyle = palette.bad
      context.fillRect(x, top + 4, width, 2)
      context.fillRect(x, top + sizes.machine - 7, width, 2)
      context.fillStyle = palette['bad-tint']
      context.fillRect(x, top + 6, width, sizes.machine - 13)
    } else if (span.kind === 'paused') hatch(context, x, top + 5, width, sizes.machine - 10, palette.muted)
    else {
      context.fillStyle = palette.warn
      context.fillRect(x, top + sizes.machine - 7, width, 3)
    }
  }
}

const colorOf: (keyof Palette)[] = ['strong', 'muted', 'good', 'accent', 'warn', 'text', 'warn', 'bad']

/** Work in the upper row, what is read and written in the lower one. */
export function marks (context: CanvasRenderingContext2D, { model, frame, palette, shown }: Scene, seen: readonly number[]): void {
  const width = Math.ceil(frame.width)
  const place = new Int32Array(model.lanes.length).fill(-1)
  for (const [index, lane] of seen.entries()) if (lane > 1) place[lane] = index
  const cells = new Uint8Array(seen.length * 2 * width)
  const { what } = model.trace.lines
  for (let at = firstPlace(model, shown, frame.fromMs); at < shown.length; at++) {
    const line = shown[at]!
    const ms = model.ms[line]!
    if (ms > frame.toMs) break
    const index = place[model.lane[line]!]!
    const x = Math.floor(frame.x(ms))
    if (index < 0 || x < 0 || x >= width) continue
    const cell = (index * 2 + model.rowOfWhat[what[line]!]!) * width + x
    cells[cell] = Math.max(cells[cell]!, model.kind[line]! + 1)
  }
  for (const [kind] of kinds.entries()) {
    if (kind >= kinds.indexOf('life')) break
    context.fillStyle = palette[colorOf[kind]!]
    for (let cell = 0; cell < cells.length; cell++) {
      if (cells[cell] !== kind + 1) continue
      const row = Math.floor(cell / width)
      context.fillRect(cell - row * width, laneTop(frame, seen[row >> 1]!) + 7 + 13 * (row & 1), kind > 1 ? 1.5 : 1, 11)
    }
  }
}
