// All of the time in a strip: how many lines, where rules were broken and what befell the whole, and the part that is in sight.

import type { Model } from './model.ts'
import { worldRow, type Scene } from './paint.ts'

/** All of the time in a strip: how many lines, where rules were broken and the network was cut, and the part that is in sight. */
export function drawStrip (context: CanvasRenderingContext2D, { model, frame, palette, shown }: Scene, height: number): void {
  const { width, gutter } = frame
  const room = width - gutter
  const x = (ms: number): number => gutter + ms / Math.max(1, model.endMs) * (room - 1)
  context.clearRect(0, 0, width, height)
  const counts = countsOf(model, shown, width, x)
  const most = Math.log1p(counts.reduce((most, count) => Math.max(most, count), 1))
  context.fillStyle = palette.strong
  for (const [at, count] of counts.entries()) if (count > 0) context.fillRect(at, height - 3 - Math.log1p(count) / most * (height - 8), 1, Math.log1p(count) / most * (height - 8))
  for (const { kind, fromMs, toMs, text } of model.spans) {
    if (kind !== 'world') continue
    context.fillStyle = worldRow(text) === 0 ? palette.bad : palette.warn
    context.fillRect(x(fromMs), height - 2, Math.max(1, x(toMs) - x(fromMs)), 2)
  }
  const [from, to] = [x(Math.max(0, frame.fromMs)), x(Math.min(model.endMs, frame.toMs))]
  context.fillStyle = palette.back
  context.globalAlpha = 0.72
  context.fillRect(gutter, 0, from - gutter, height)
  context.fillRect(to, 0, width - to, height)
  context.globalAlpha = 1
  context.strokeStyle = palette.accent
  context.lineWidth = 1
  context.strokeRect(from + 0.5, 0.5, Math.max(2, to - from - 1), height - 1)
  context.fillStyle = palette.bad
  for (const line of model.violations) context.fillRect(x(model.ms[line]!) - 1, 0, 2, height)
}

/** Lines by pixel of the strip, as they were counted last: they stay while one moves in time. */
const counted = new WeakMap<Int32Array, { width: number; counts: Int32Array }>()

function countsOf ({ ms }: Model, shown: Int32Array, width: number, x: (ms: number) => number): Int32Array {
  const known = counted.get(shown)
  if (known?.width === width) return known.counts
  const counts = new Int32Array(Math.ceil(width) + 1)
  for (const line of shown) counts[Math.floor(x(ms[line]!))]!++
  counted.set(shown, { width, counts })
  return counts
}
