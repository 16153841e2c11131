// Where things stand in the picture of a trace, in pixels, and what stands at a place.

import type { TimeWindow } from './look.ts'
import type { Model } from './model.ts'

/** Room beside the end of all of it, for marks that stand there. */
const right = 16

export const sizes = { axis: 24, checker: 28, world: 46, machine: 40 }

/** The picture: `gutter` is left of the times, `scrollTop` what of the lanes is above it. */
export interface Frame extends TimeWindow { width: number; height: number; gutter: number; scrollTop: number; x (ms: number): number; ms (x: number): number }

export function frameOf ({ fromMs, toMs }: TimeWindow, { width, height, scrollTop }: { width: number; height: number; scrollTop: number }): Frame {
  const gutter = width < 600 ? 62 : 92
  const scale = Math.max(1, width - gutter - right) / (toMs - fromMs)
  return { fromMs, toMs, width, height, gutter, scrollTop, x: ms => gutter + (ms - fromMs) * scale, ms: x => fromMs + (x - gutter) / scale }
}

export const laneHeight = ({ lanes }: Pick<Model, 'lanes'>, lane: number): number => sizes[lanes[lane]!.kind]

/** Below the axis, without what is scrolled away. */
const offset = (lane: number): number => lane === 0 ? 0 : lane === 1 ? sizes.checker : sizes.checker + sizes.world + (lane - 2) * sizes.machine

export const laneTop = ({ scrollTop }: Pick<Frame, 'scrollTop'>, lane: number): number => sizes.axis + offset(lane) - scrollTop
export const laneMiddle = (model: Pick<Model, 'lanes'>, frame: Pick<Frame, 'scrollTop'>, lane: number): number => laneTop(frame, lane) + laneHeight(model, lane) / 2 - (lane > 1 ? 0.5 : 0)
export const lanesHeight = ({ lanes }: Pick<Model, 'lanes'>): number => sizes.axis + offset(lanes.length)

/** null: the axis, or below the last. */
export function laneAtY ({ lanes }: Pick<Model, 'lanes'>, { scrollTop }: Pick<Frame, 'scrollTop'>, y: number): number | null {
  if (y < sizes.axis) return null
  const below = y - sizes.axis + scrollTop
  const lane = below < sizes.checker ? 0 : below < sizes.checker + sizes.world ? 1 : 2 + Math.floor((below - sizes.checker - sizes.world) / sizes.machine)
  return lane < lanes.length ? lane : null
}
