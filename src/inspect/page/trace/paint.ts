// What every part of the picture is painted with: colours of the stylesheet, words where there is room, signs.

import type { Model } from './model.ts'
import type { Frame } from './places.ts'

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

export const font = '11px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif'

export const inSight = ({ fromMs, toMs }: Frame, lasting: { fromMs: number; toMs: number }): boolean => lasting.toMs >= fromMs && lasting.fromMs <= toMs

/** From one time to another, within the picture, a pixel wide at least. */
export function stretch (frame: Frame, { fromMs, toMs }: { fromMs: number; toMs: number }): [x: number, width: number] {
  const from = Math.max(frame.gutter - 8, frame.x(fromMs))
  return [from, Math.max(1.5, Math.min(frame.width + 8, frame.x(toMs)) - from)]
}

/** Words where there is room for them; how wide they are. */
export function label (context: CanvasRenderingContext2D, text: string, x: number, y: number, end: number): number {
  const part = text.slice(0, 60)
  const { width } = context.measureText(part)
  if (width > end - x) return 0
  context.textAlign = 'left'
  context.fillText(part, x, y)
  return width
}

export function cross (context: CanvasRenderingContext2D, x: number, y: number, size: number, color: string): void {
  context.strokeStyle = color
  context.lineWidth = 2
  context.beginPath()
  context.moveTo(x - size, y - size)
  context.lineTo(x + size, y + size)
  context.moveTo(x - size, y + size)
  context.lineTo(x + size, y - size)
  context.stroke()
}

export function hatch (context: CanvasRenderingContext2D, x: number, y: number, width: number, height: number, color: string): void {
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

/** What befell the world stands in rows: the network, the trainer, the run. */
export const worldRow = (text: string): number => text.startsWith('trainer') ? 1 : text.startsWith('run') ? 2 : 0
