// The picture of a trace: lanes over time, and above them all of the time in a strip. Wheel, drag and pinch move in time; what stands
// under the pointer is said, and chosen by a click.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { drawLanes } from '../trace/draw.ts'
import { drawStrip } from '../trace/draw-strip.ts'
import { nearest, panned, windowOf, within, zoomed, type TimeWindow } from '../trace/look.ts'
import { kinds, machineOf, type Model } from '../trace/model.ts'
import { readPalette, type Palette, type Scene } from '../trace/paint.ts'
import { frameOf, laneAtY, lanesHeight, laneTop, type Frame } from '../trace/places.ts'
import { duration, plural, sinceStart } from '../words.ts'
import { Word } from './text.tsx'

export interface LanesProps {
  model: Model
  window: TimeWindow | null
  shown: Int32Array
  lit: Scene['lit']
  selected: number | null
  who: string
  onWindow: (window: TimeWindow | null) => void
  onLine: (line: number) => void
  onWho: (who: string) => void
}

const stripHeight = 34
/** How near a mark the pointer has to be, pixels. */
const reach = 7
/** A pointer that has moved less has not moved. */
const still = 4

/** What stands at a place. */
interface Found { line: number; lastsMs: number | null; text: string | null }

export function Lanes (props: LanesProps) {
  const { model, window, shown, lit, selected, who } = props
  const box = useRef<HTMLDivElement>(null)
  const lanes = useRef<HTMLCanvasElement>(null)
  const strip = useRef<HTMLCanvasElement>(null)
  const [size, setSize] = useState({ width: 0, height: 0, scrollTop: 0 })
  const [hover, setHover] = useState<{ x: number; y: number; found: Found } | null>(null)
  const palette = usePalette(box)
  const look = (): void => {
    const { clientWidth: width, clientHeight: height, scrollTop } = box.current!
    setSize(size => size.width === width && size.height === height && size.scrollTop === scrollTop ? size : { width, height, scrollTop })
  }
  useLayoutEffect(() => {
    look()
    const observer = new ResizeObserver(look)
    observer.observe(box.current!)
    return () => observer.disconnect()
  }, [])
  const frame = useMemo(() => frameOf(windowOf(model, window), size), [model, window, size])
  useLayoutEffect(() => {
    if (palette === null || size.width === 0) return
    const scene: Scene = { model, frame, palette, shown, lit, selected, who }
    drawLanes(contextOf(lanes.current!, size.width, size.height), scene)
    drawStrip(contextOf(strip.current!, size.width, stripHeight), scene, stripHeight)
  }, [model, frame, palette, shown, lit, selected, who])
  const found = useLatest((x: number, y: number): Found | null => findAt({ ...props, frame }, x, y))
  const movers = usePointers(box, { props, size, frame, onStill: (x, y) => {
    const lane = laneAtY(model, frame, y)
    const at = x < frame.gutter ? null : found(x, y)
    if (at !== null) props.onLine(at.line)
    else if (x < frame.gutter && lane !== null && lane > 1) props.onWho(machineOf(who) === model.lanes[lane]!.name ? '' : model.lanes[lane]!.name)
  }, onHover: (x, y) => {
    const at = x < frame.gutter ? null : found(x, y)
    setHover(at === null ? null : { x, y, found: at })
  } })
  return (
    <div class='lanes'>
      <canvas ref={strip} class='strip' style={{ height: `${stripHeight}px` }} role='img' aria-label='All of the time: lines, broken rules and the part in sight' {...stripPointers(model, size.width, props)} />
      <div ref={box} class='lanesbox' role='group' aria-label='Timeline' tabIndex={0} onScroll={look} style={{ height: `${lanesHeight(model)}px` }} {...movers} onPointerLeave={() => setHover(null)}>
        <div style={{ height: `${lanesHeight(model)}px` }}>
          <canvas ref={lanes} style={{ height: `${size.height}px` }} role='img' aria-label={`${plural(model.lanes.length - 2, 'machine')} over ${duration(model.endMs)}; ${plural(model.violations.length, 'broken rule')}. Every line stands in the list below`} />
        </div>
      </div>
      {hover !== null && <Hint model={model} {...hover} width={size.width} />}
    </div>
  )
}

function contextOf (canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const dots = devicePixelRatio
  const [wide, high] = [Math.round(width * dots), Math.round(height * dots)]
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high })
  const context = canvas.getContext('2d')!
  context.setTransform(dots, 0, 0, dots, 0, 0)
  return context
}

/** A function that stays the same and does what the latest does. */
function useLatest<Given extends unknown[], Result> (latest: (...given: Given) => Result): (...given: Given) => Result {
  const kept = useRef(latest)
  kept.current = latest
  return useRef((...given: Given) => kept.current(...given)).current
}

/** Colours of the stylesheet, read anew when the page turns light or dark. */
function usePalette (box: { current: HTMLElement | null }): Palette | null {
  const [palette, setPalette] = useState<Palette | null>(null)
  useLayoutEffect(() => {
    const probe = box.current!.appendChild(document.createElement('i'))
    probe.hidden = true
    const read = (): void => setPalette(readPalette(probe))
    read()
    const observer = new MutationObserver(read)
    observer.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] })
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    scheme.addEventListener('change', read)
    return () => {
      observer.disconnect()
      scheme.removeEventListener('change', read)
      probe.remove()
    }
  }, [])
  return palette
}

function findAt ({ model, shown, lit, frame }: LanesProps & { frame: Frame }, x: number, y: number): Found | null {
  const lane = laneAtY(model, frame, y)
  if (lane === null) return null
  const ms = frame.ms(x)
  const reachMs = frame.ms(x + reach) - ms
  const row = y - laneTop(frame, lane) < 20 ? 0 : 1
  const isHere = (line: number): boolean => model.lane[line] === lane && (lane < 2 || model.rowOfWhat[model.trace.lines.what[line]!] === row || model.kind[line] === kinds.indexOf('life'))
  const line = (lit === null ? null : nearest(model, lit.lines, ms, reachMs, isHere)) ?? nearest(model, shown, ms, reachMs, isHere)
  if (line !== null) return { line, lastsMs: null, text: null }
  const span = model.spans.findLast(span => span.lane === lane && ms >= span.fromMs && ms <= span.toMs)
  if (span !== undefined) return { line: span.line, lastsMs: span.toMs - span.fromMs, text: span.text }
  const life = model.lives.find(life => life.lane === lane && ms >= life.fromMs && ms <= life.toMs)
  return life === undefined ? null : { line: life.line, lastsMs: life.toMs - life.fromMs, text: `${life.who}, ${life.ending === 'open' ? 'to the end' : life.ending}` }
}

function Hint ({ model, x, y, found: { line, lastsMs, text }, width }: { model: Model; x: number; y: number; found: Found; width: number }) {
  const { who, what, detail } = model.text(line)
  const at = sinceStart(model.ms[line]!)
  return (
    <div class='hint' style={{ left: `${Math.max(4, Math.min(x + 14, width - 330))}px`, top: `${y + stripHeight + 18}px` }}>
      {text === null ? <><b><Word>{who}</Word></b> <Word>{what}</Word> <Word>{detail.slice(0, 160)}</Word></> : <Word>{text}</Word>}
      <span class='muted n'> {at}{lastsMs === null ? '' : `, for ${duration(lastsMs)}`}</span>
    </div>
  )
}

interface Moving { props: LanesProps; size: { width: number; height: number; scrollTop: number }; frame: Frame; onStill: (x: number, y: number) => void; onHover: (x: number, y: number) => void }

/** A drag moves in time and over lanes, two fingers look closer, and the wheel does both. */
function usePointers (box: { current: HTMLDivElement | null }, moving: Moving) {
  const latest = useRef(moving)
  latest.current = moving
  const fingers = useRef(new Map<number, { x: number; y: number }>())
  const begun = useRef({ window: null as TimeWindow | null, x: 0, y: 0, spread: 0, scrollTop: 0, hasMoved: false })
  const middle = (): { x: number; y: number; spread: number } => {
    const all = [...fingers.current.values()]
    const [one, other = one] = all as [{ x: number; y: number }, { x: number; y: number }?]
    return { x: (one.x + other!.x) / 2, y: (one.y + other!.y) / 2, spread: Math.hypot(one.x - other!.x, one.y - other!.y) }
  }
  const placeOf = (event: { clientX: number; clientY: number }): { x: number; y: number } => {
    const { left, top } = box.current!.getBoundingClientRect()
    return { x: event.clientX - left, y: event.clientY - top }
  }
  const begin = (hasMoved: boolean): void => {
    if (fingers.current.size > 0) begun.current = { ...middle(), window: latest.current.props.window, scrollTop: box.current!.scrollTop, hasMoved }
  }
  const end = (event: PointerEvent): void => {
    if (!fingers.current.delete(event.pointerId)) return
    const { hasMoved, x, y } = begun.current
    if (!hasMoved && event.type === 'pointerup' && fingers.current.size === 0) latest.current.onStill(x, y)
    begin(true)
  }
  useEffect(() => {
    const turned = (event: WheelEvent): void => {
      const { props: { model, window, onWindow }, size, frame } = latest.current
      const { x } = placeOf(event)
      if (x < frame.gutter) return
      event.preventDefault()
      const [dx, dy] = event.shiftKey && event.deltaX === 0 ? [event.deltaY, 0] : [event.deltaX, event.deltaY]
      const lines = event.deltaMode === 1 ? 16 : 1
      if (Math.abs(dx) > Math.abs(dy)) onWindow(panned(model, window, dx * lines / (size.width - frame.gutter)))
      else onWindow(zoomed(model, window, Math.exp(Math.max(-400, Math.min(400, dy * lines)) * (event.ctrlKey ? 0.008 : 0.002)), frame.ms(x)))
    }
    const element = box.current!
    element.addEventListener('wheel', turned, { passive: false })
    return () => element.removeEventListener('wheel', turned)
  }, [])
  return {
    onPointerDown (event: PointerEvent) {
      // A press on the scrollbar is one of that.
      if (event.button !== 0 || placeOf(event).x > box.current!.clientWidth) return
      fingers.current.set(event.pointerId, placeOf(event))
      box.current!.setPointerCapture(event.pointerId)
      begin(fingers.current.size > 1)
    },
    onPointerMove (event: PointerEvent) {
      const { props: { model, onWindow }, size, onHover } = latest.current
      const place = placeOf(event)
      if (!fingers.current.has(event.pointerId)) return event.pointerType === 'mouse' ? onHover(place.x, place.y) : undefined
      fingers.current.set(event.pointerId, place)
      const [now, from] = [middle(), begun.current]
      if (!from.hasMoved && Math.hypot(now.x - from.x, now.y - from.y) < still) return
      from.hasMoved = true
      const before = frameOf(windowOf(model, from.window), size)
      const scale = from.spread > 20 && now.spread > 20 ? from.spread / now.spread : 1
      // What was under the fingers stays under them.
      const fromMs = before.ms(from.x) - (before.ms(now.x) - before.fromMs) * scale
      onWindow(within(model, { fromMs, toMs: fromMs + (before.toMs - before.fromMs) * scale }))
      box.current!.scrollTop = from.scrollTop + from.y - now.y
    },
    onPointerUp: end,
    onPointerCancel: end
  }
}

/** A press in the strip brings that time into sight. */
function stripPointers (model: Model, width: number, { window, onWindow }: LanesProps) {
  const show = (event: PointerEvent & { currentTarget: HTMLCanvasElement }): void => {
    const { gutter } = frameOf(windowOf(model, null), { width, height: 0, scrollTop: 0 })
    const ms = (event.clientX - event.currentTarget.getBoundingClientRect().left - gutter) / Math.max(1, width - gutter) * model.endMs
    const { fromMs, toMs } = windowOf(model, window)
    const half = window === null ? model.endMs / 20 : (toMs - fromMs) / 2
    onWindow(within(model, { fromMs: ms - half, toMs: ms + half }))
  }
  return {
    onPointerDown (event: PointerEvent & { currentTarget: HTMLCanvasElement }) {
      event.currentTarget.setPointerCapture(event.pointerId)
      show(event)
    },
    onPointerMove (event: PointerEvent & { currentTarget: HTMLCanvasElement }) { if (event.currentTarget.hasPointerCapture(event.pointerId)) show(event) }
  }
}
