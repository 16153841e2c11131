// Draws the lanes of a trace onto a canvas, in their order: what is lit is drawn over all of it, and the rest steps back.

import { named } from '../ansi.ts'
import { sinceStart } from '../words.ts'
import { crosshair, light } from './draw-lit.ts'
import { deaths, lives, load, marks, spans } from './draw-machines.ts'
import { befell, calm, elsewhere, violations } from './draw-world.ts'
import { machineOf } from './model.ts'
import { font, type Scene } from './paint.ts'
import { laneHeight, laneMiddle, laneTop, sizes, type Frame } from './places.ts'

export function drawLanes (context: CanvasRenderingContext2D, scene: Scene): void {
  const { model, frame, lit, selected } = scene
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
  if (seen.includes(1)) befell(context, scene)
  context.globalAlpha = lit === null ? 1 : 0.22
  marks(context, scene, seen)
  context.globalAlpha = lit === null ? 1 : 0.7
  deaths(context, scene, seen)
  context.globalAlpha = 1
  calm(context, scene)
  if (lit !== null) light(context, scene)
  violations(context, scene, elsewhere(context, scene))
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
