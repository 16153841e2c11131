// A placed chart as shapes of SVG, for a file and for the page alike. States and rows carry the paths and ids that they stand
// for, so that a page can light them. Colours are classes. Nothing in it comes from a model: names are those of the code.

import { sizes, type Placed, type PlacedEdge, type PlacedState, type Point, type Row } from './placed.ts'

/** An element of SVG: its name, its attributes, and its children or its text. */
export interface Shape { tag: string; attributes: Record<string, string | number>; children: Shape[]; text: string }

const shape = (tag: string, attributes: Shape['attributes'], inside: Shape[] | string = []): Shape =>
  typeof inside === 'string' ? { tag, attributes, children: [], text: inside } : { tag, attributes, children: inside, text: '' }

/** Space around the chart, for the strokes of its border. */
export const margin = 2

export const viewBoxOf = ({ width, height }: Placed): string => `${-margin} ${-margin} ${width + 2 * margin} ${height + 2 * margin}`

export const drawChart = ({ states, edges }: Placed): Shape[] => [...states.map(drawState), ...edges.map(drawEdge), ...edges.map(drawLabel)]

function drawState ({ path, key, type, isInitial, tags, rows, x, y, width, height }: PlacedState): Shape {
  const kind = type === 'compound' || type === 'parallel' ? 'compound' : type === 'final' ? 'final' : 'atomic'
  const box = (inset: number, radius: number, name: string): Shape =>
    shape('rect', { class: name, x: x + inset, y: y + inset, width: width - 2 * inset, height: height - 2 * inset, rx: radius })
  return shape('g', { class: `state ${kind}`, 'data-state': path }, [
    box(0, 8, 'box'),
    ...(type === 'final' ? [box(3, 5.5, 'inner')] : []),
    ...(isInitial ? [shape('circle', { class: 'start', cx: x + 15, cy: y + 16.5, r: 4 })] : []),
    shape('text', { class: 'name', x: x + sizes.padding + (isInitial ? 13 : 0), y: y + 21 }, key),
    ...drawTags(tags, x + width - 6, y + 8),
    ...rows.map((row, index) => drawRow(row, x + sizes.padding, y + sizes.title + 9 + index * sizes.row))
  ])
}

/** From the right edge to the left. */
function drawTags (tags: string[], right: number, y: number): Shape[] {
  let end = right
  return tags.map(tag => {
    const width = tag.length * sizes.tagChar + 12
    const x = end - width
    end = x - 4
    return shape('g', { class: 'tag' }, [shape('rect', { x, y, width, height: sizes.tag, rx: 8.5 }), shape('text', { x: x + 6, y: y + 12 }, tag)])
  })
}

function drawRow ({ kind, text, note, transition }: Row, x: number, y: number): Shape {
  const parts = [shape('tspan', { class: 'mark' }, `${kind} `), shape('tspan', {}, text), ...(note === '' ? [] : [shape('tspan', { class: 'note' }, ` ${note}`)])]
  return shape('text', { class: 'row', x, y, ...(transition === null ? {} : { 'data-transition': transition }) }, parts)
}

function drawEdge ({ source, target, lines, rows }: PlacedEdge): Shape {
  const last = lines.at(-1)
  return shape('g', { class: 'edge', 'data-source': source, 'data-target': target, 'data-transitions': rows.map(row => row.transition).join(' ') }, [
    ...lines.map(points => shape('path', { class: 'line', d: rounded(points) })),
    ...(last ? [arrow(last)] : [])
  ])
}

function drawLabel ({ label, rows }: PlacedEdge): Shape {
  return shape('g', {}, [
    shape('rect', { class: 'back', ...label, rx: 3 }),
    ...rows.map(({ text, transition }, index) => shape('text', { class: 'row label', 'data-transition': transition!, x: label.x + 4, y: label.y + 12 + index * sizes.labelRow }, text))
  ])
}

const cornerRadius = 6

/** The line through the points, with its corners rounded. */
function rounded (points: Point[]): string {
  const corners = points.slice(1, -1).map((corner, index) => {
    const from = towards(corner, points[index]!)
    const to = towards(corner, points[index + 2]!)
    return `L${from.x} ${from.y}Q${corner.x} ${corner.y} ${to.x} ${to.y}`
  })
  const [start, end] = [points[0]!, points.at(-1)!]
  return `M${start.x} ${start.y}${corners.join('')}L${end.x} ${end.y}`
}

function towards (from: Point, to: Point): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y)
  const share = length === 0 ? 0 : Math.min(cornerRadius, length / 2) / length
  return { x: half(from.x + (to.x - from.x) * share), y: half(from.y + (to.y - from.y) * share) }
}

const half = (value: number): number => Math.round(value * 2) / 2

function arrow (points: Point[]): Shape {
  const [before, end] = [points.at(-2)!, points.at(-1)!]
  const length = Math.hypot(end.x - before.x, end.y - before.y) || 1
  const [dx, dy] = [(end.x - before.x) / length, (end.y - before.y) / length]
  const corner = (side: number): string => `${half(end.x - dx * 8 - dy * side)} ${half(end.y - dy * 8 + dx * side)}`
  return shape('path', { class: 'head', d: `M${end.x} ${end.y}L${corner(4)}L${corner(-4)}Z` })
}
