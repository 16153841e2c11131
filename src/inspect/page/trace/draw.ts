// Draws lanes onto a canvas. A line is a mark of a pixel; where many fall onto one the most telling is seen, so that a picture costs what
// its pixels cost and one look at each line in sight. What is lit is drawn over all of it, and the rest steps back.

import { named } from '../ansi.ts'
import { sinceStart } from '../words.ts'
import { firstPlace } from './look.ts'
import { kinds, machineOf, type Model } from './model.ts'
import { laneHeight, laneMiddle, laneTop, sizes, type Frame } from './places.ts'

const colorNames = ['back', 'face', 'raised', 'line', 'strong', 'text', 'muted', 'accent', 'tint', 'good', 'bad', 'bad-tint', 'warn', 'warn-tint', 'second'] as const
export type Palette = Record<typeof colorNames[number], string>

/** Colours as they are now: names of the stylesheet are looked up by an element that has them. */
export function readPalette (probe: HTMLElement): Palette {
  return Object.fromEntries(colorNames.map(name => {
    probe.style.color = `var(--${name})`
    return [name, getComputedStyle(probe).color]
  })) as Palette
}

export interface Scene {
  model: Model
  frame: Frame
  palette: Palette
  /** Lines that are drawn, and those that are lit; null where nothing is. */
  shown: Int32Array
  lit: { lines: Int32Array; id: string } | null
  selected: number | null
  who: string
}

const font = '11px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif'
/** Lines between lanes are drawn for so many changes of lane. */
const stepsMax = 600

export function drawLanes (context: CanvasRenderingContext2D, scene: Scene): void {
  const { model, frame, palette, lit, selected } = scene
  context.clearRect(0, 0, frame.width, frame.height)
  context.font = font
  context.textBaseline = 'middle'
  const seen = model.lanes.flatMap((_, lane) => laneTop(frame, lane) < frame.height && laneTop(frame, lane) + laneHeight(model, lane) > sizes.axis ? [lane] : [])
  context.save()
  context.beginPath()
  context.rect(frame.gutter, 0, frame.width - frame.gutter, frame.height)
  context.clip()
  grid(context, scene, seen)
  lives(context, scene, seen)
  context.globalAlpha = lit === null ? 1 : 0.55
  load(context, scene, seen)
  spans(context, scene, seen)
  context.globalAlpha = lit === null ? 1 : 0.22
  marks(context, scene, seen)
  context.globalAlpha = lit === null ? 1 : 0.7
  deaths(context, scene, seen)
  context.globalAlpha = 1
  calm(context, scene)
  if (lit !== null) light(context, scene)
  violations(context, scene)
  elsewhere(context, scene)
  if (selected !== null) crosshair(context, scene, selected)
  context.restore()
  axis(context, scene)
  names(context, scene, seen)
}

const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000]

/** Times of the axis: as close as their words allow. */
function ticks ({ fromMs, toMs, width, gutter }: Frame): { at: number[]; digits: 0 | 1 | 3 } {
  const step = steps.find(step => step / (toMs - fromMs) * (width - gutter) >= 84) ?? steps.at(-1)! * Math.ceil((toMs - fromMs) / steps.at(-1)! / 8)
  const first = Math.ceil(fromMs / step) * step
  return { at: Array.from({ length: Math.max(0, Math.floor((toMs - first) / step) + 1) }, (_, index) => first + index * step), digits: step >= 1_000 ? 0 : step >= 100 ? 1 : 3 }
}

function grid (context: CanvasRenderingContext2D, { model, frame, palette }: Scene, seen: readonly number[]): void {
  context.fillStyle = palette.line
  for (const ms of ticks(frame).at) context.fillRect(Math.round(frame.x(ms)), sizes.axis, 1, frame.height)
  for (const lane of seen) context.fillRect(frame.gutter, Math.round(laneTop(frame, lane) + laneHeight(model, lane)) - 1, frame.width, 1)
}

function axis (context: CanvasRenderingContext2D, { frame, palette }: Scene): void {
  const { at, digits } = ticks(frame)
  context.fillStyle = palette.face
  context.fillRect(0, 0, frame.width, sizes.axis)
  context.fillStyle = palette.strong
  context.fillRect(0, sizes.axis - 1, frame.width, 1)
  context.fillStyle = palette.muted
  context.textAlign = 'center'
  for (const ms of at) if (frame.x(ms) > frame.gutter + 20 && frame.x(ms) < frame.width - 20) context.fillText(sinceStart(ms, digits), frame.x(ms), sizes.axis / 2)
}

function names (context: CanvasRenderingContext2D, { model, frame, palette, who }: Scene, seen: readonly number[]): void {
  context.save()
  context.beginPath()
  context.rect(0, sizes.axis, frame.gutter, frame.height)
  context.clip()
  context.fillStyle = palette.face
  context.fillRect(0, sizes.axis, frame.gutter, frame.height)
  context.textAlign = 'left'
  for (const lane of seen) {
    const { name, kind } = model.lanes[lane]!
    const isChosen = who !== '' && machineOf(who) === name
    context.fillStyle = palette.line
    context.fillRect(0, Math.round(laneTop(frame, lane) + laneHeight(model, lane)) - 1, frame.gutter, 1)
    context.font = kind === 'machine' ? `600 ${font}` : font
    context.fillStyle = isChosen ? palette.accent : kind === 'machine' ? palette.text : palette.muted
    context.fillText(named(name).slice(0, 40), 12, laneMiddle(model, frame, lane), frame.gutter - 18)
  }
  context.font = font
  context.fillStyle = palette.strong
  context.fillRect(frame.gutter - 1, sizes.axis, 1, frame.height)
  context.restore()
}

const inSight = ({ fromMs, toMs }: Frame, lasting: { fromMs: number; toMs: number }): boolean => lasting.toMs >= fromMs && lasting.fromMs <= toMs

/** From one time to another, within the picture, a pixel wide at least. */
function stretch (frame: Frame, { fromMs, toMs }: { fromMs: number; toMs: number }): [x: number, width: number] {
  const from = Math.max(frame.gutter - 8, frame.x(fromMs))
  return [from, Math.max(1.5, Math.min(frame.width + 8, frame.x(toMs)) - from)]
}

function lives (context: CanvasRenderingContext2D, { model, frame, palette }: Scene, seen: readonly number[]): void {
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

function deaths (context: CanvasRenderingContext2D, { model, frame, palette }: Scene, seen: readonly number[]): void {
  for (const life of model.lives) {
    if (seen.includes(life.lane) && inSight(frame, life) && (life.ending === 'crashed' || life.ending === 'failed')) cross(context, frame.x(life.toMs), laneMiddle(model, frame, life.lane), 4, palette.bad)
  }
}

function cross (context: CanvasRenderingContext2D, x: number, y: number, size: number, color: string): void {
  context.strokeStyle = color
  context.lineWidth = 2
  context.beginPath()
  context.moveTo(x - size, y - size)
  context.lineTo(x + size, y + size)
  context.moveTo(x - size, y + size)
  context.lineTo(x + size, y - size)
  context.stroke()
}

/** How much work a machine holds: the more, the darker its bar. Owned episodes and led runs are held all along, and do not count. */
function load (context: CanvasRenderingContext2D, { model, frame, palette }: Scene, seen: readonly number[]): void {
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

/** What befell the world stands in rows: the network, the trainer, the run. */
const worldRow = (text: string): number => text.startsWith('trainer') ? 1 : text.startsWith('run') ? 2 : 0

function spans (context: CanvasRenderingContext2D, { model, frame, palette }: Scene, seen: readonly number[]): void {
  if (seen.includes(1)) befell(context, { model, frame, palette })
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

/** The world's lane. A word may stand beside what it names, up to the next one of the row. */
function befell (context: CanvasRenderingContext2D, { model, frame, palette }: Pick<Scene, 'model' | 'frame' | 'palette'>): void {
  const top = laneTop(frame, 1) + 4
  const ends = [frame.width, frame.width, frame.width]
  for (const line of model.points.toReversed()) {
    const x = frame.x(model.ms[line]!)
    context.fillStyle = palette.warn
    context.beginPath()
    context.arc(x, top + 32.5, 3.5, 0, 7)
    context.fill()
    label(context, named(model.text(line).what.replace(/^the run is to be /, '')), x + 7, top + 33, ends[2]!)
    ends[2] = x - 4
  }
  for (const span of model.spans.toReversed()) {
    if (span.kind !== 'world' || !inSight(frame, span)) continue
    const [x, width] = stretch(frame, span)
    const row = worldRow(span.text)
    const y = top + 13 * row
    context.fillStyle = row === 0 ? palette['bad-tint'] : palette['warn-tint']
    context.fillRect(x, y, width, 12)
    context.fillStyle = row === 0 ? palette.bad : palette.warn
    context.fillRect(x, y, Math.min(2, width), 12)
    label(context, named(span.text), Math.max(x, frame.gutter) + 6, y + 6.5, ends[row]! - 2)
    ends[row] = x
  }
}

/** Words where there is room for them. */
function label (context: CanvasRenderingContext2D, text: string, x: number, y: number, end: number): void {
  const part = text.slice(0, 60)
  if (context.measureText(part).width > end - x) return
  context.textAlign = 'left'
  context.fillText(part, x, y)
}

function hatch (context: CanvasRenderingContext2D, x: number, y: number, width: number, height: number, color: string): void {
  context.save()
  context.beginPath()
  context.rect(x, y, width, height)
  context.clip()
  context.strokeStyle = color
  context.lineWidth = 1
  context.beginPath()
  for (let at = x - height; at < x + width; at += 6) {
    context.moveTo(at, y + height)
    context.lineTo(at + height, y)
  }
  context.stroke()
  context.restore()
}

const colorOf: (keyof Palette)[] = ['strong', 'muted', 'good', 'accent', 'warn', 'text', 'warn', 'bad']

/** Work in the upper row, what is read and written in the lower one. */
function marks (context: CanvasRenderingContext2D, { model, frame, palette, shown }: Scene, seen: readonly number[]): void {
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

function calm (context: CanvasRenderingContext2D, { model, frame, palette }: Scene): void {
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
  label(context, 'faults are over', x + 5, laneTop(frame, 0) + 14, x + 120)
}

/** What is lit: the work that was held, every line, and the way from lane to lane. */
function light (context: CanvasRenderingContext2D, { model, frame, palette, lit }: Scene): void {
  const { lines, id } = lit!
  context.strokeStyle = context.fillStyle = palette.second
  for (const hold of model.holds) {
    if (!inSight(frame, hold) || (hold.id !== id && !hold.id.startsWith(`${id}.`))) continue
    const [x, width] = stretch(frame, hold)
    const y = laneTop(frame, hold.lane) + 6
    context.globalAlpha = 0.22
    context.fillRect(x, y, width, 13)
    context.globalAlpha = 1
    context.lineWidth = 1
    context.strokeRect(x + 0.5, y + 0.5, Math.max(1, width - 1), 12)
    context.fillStyle = palette.text
    label(context, hold.id === id ? hold.delivery : named(hold.id.slice(id.length + 1)), Math.max(x, frame.gutter) + 5, y + 7, x + width - 4)
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

function violations (context: CanvasRenderingContext2D, { model, frame, palette }: Scene): void {
  const y = laneMiddle(model, frame, 0)
  const here = model.violations.filter(line => inSight(frame, { fromMs: model.ms[line]!, toMs: model.ms[line]! }))
  const columns = new Map<number, number[]>()
  for (const line of here) {
    const x = Math.round(frame.x(model.ms[line]!))
    columns.set(x, [...columns.get(x) ?? [], line])
  }
  let free = 0
  for (const [x, lines] of columns) {
    context.fillStyle = palette.bad
    context.beginPath()
    context.moveTo(x, y - 7)
    context.lineTo(x + 7, y)
    context.lineTo(x, y + 7)
    context.lineTo(x - 7, y)
    context.fill()
    const words = named([...new Set(lines.map(line => model.text(line).what))].slice(0, 3).join(', ')) + (lines.length > 1 ? ` × ${lines.length}` : '')
    const wide = context.measureText(words).width
    const start = x + 12 + wide < frame.width ? x + 12 : x - 12 - wide
    if (start < free) continue
    free = start + wide + 24
    label(context, words, start, y, Infinity)
  }
}

/** Broken rules that are not in sight: how many, and on which side. */
function elsewhere (context: CanvasRenderingContext2D, { model, frame, palette }: Scene): void {
  const y = laneMiddle(model, frame, 0)
  const [before, after] = [model.violations.filter(line => model.ms[line]! < frame.fromMs).length, model.violations.filter(line => model.ms[line]! > frame.toMs).length]
  context.fillStyle = palette.bad
  if (before > 0) label(context, `◂ ${before}`, frame.gutter + 8, y, frame.width)
  if (after === 0) return
  const next = model.violations.find(line => model.ms[line]! > frame.toMs)!
  const words = `${named(model.text(next).what)} at ${sinceStart(model.ms[next]!, 0)}${after > 1 ? ` and ${after - 1} more` : ''} ▸`
  label(context, words, frame.width - context.measureText(words).width - 10, y, Infinity)
}

function crosshair (context: CanvasRenderingContext2D, { model, frame, palette }: Scene, line: number): void {
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

/** All of the time in a strip: how many lines, where rules were broken and the network was cut, and the part that is in sight. */
export function drawStrip (context: CanvasRenderingContext2D, { model, frame, palette, shown }: Scene, height: number): void {
  const { width, gutter } = frame
  const room = width - gutter
  const x = (ms: number): number => gutter + ms / Math.max(1, model.endMs) * (room - 1)
  context.clearRect(0, 0, width, height)
  const counts = new Int32Array(Math.ceil(width) + 1)
  for (const line of shown) counts[Math.floor(x(model.ms[line]!))]!++
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
