// Where everything of a chart stands. Layout is made when Spar is built (elkjs is a development dependency): whoever shows a
// chart only draws. Transitions between the same two states share one line, with a row for each.

import { createRequire } from 'node:module'
import type { ELK as Elk, ElkExtendedEdge, ElkNode } from 'elkjs'
import type { StateNode, Transition } from '../protocol.ts'
import { sizes, type Box, type Placed, type PlacedEdge, type Point, type Row } from './placed.ts'
import { everyState, isWithin } from './states.ts'

interface Pair { source: string; target: string; transitions: Transition[] }

export async function layOut (root: StateNode): Promise<Placed> {
  const states = everyState(root)
  const pairs = pairsOf(states)
  const lay = (widen: Map<string, number>): Promise<ElkNode> =>
    elk().layout({ id: 'all', children: [nodeOf(root, widen)], edges: pairs.map(edgeOf), layoutOptions: options })
  const laid = await lay(missingWidths(states, boxesIn(await lay(new Map()))))
  const boxes = boxesIn(laid)
  const edges = edgesIn(laid)
  const origin = boxes.get(idOf(''))!
  const shift = <At extends Point>(at: At): At => ({ ...at, x: round(at.x - origin.x), y: round(at.y - origin.y) })
  const initials = new Set(states.map(state => state.initial))
  return {
    width: round(origin.width),
    height: round(origin.height),
    states: states.map(state => {
      const { path, key, type, tags } = state
      return { path, key, type, tags, isInitial: initials.has(path), rows: rowsOf(state), ...shift(boxes.get(idOf(path))!) }
    }),
    edges: pairs.map((pair, index) => placeEdge(pair, edges.get(`edge.${index}`)!, shift))
  }
}

const round = (value: number): number => Math.round(value * 2) / 2
const idOf = (path: string): string => `state.${path}`

/** The package's main module reaches for Web Workers; this one is the layout itself. */
function elk (): Elk {
  const Made = createRequire(import.meta.url)('elkjs/lib/elk.bundled.js') as new () => Elk
  return new Made()
}

const options = {
  'elk.algorithm': 'layered',
  'elk.direction': 'DOWN',
  'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
  'org.eclipse.elk.json.edgeCoords': 'ROOT',
  'org.eclipse.elk.json.shapeCoords': 'ROOT',
  'elk.randomSeed': '1',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX',
  'elk.layered.spacing.nodeNodeBetweenLayers': '30',
  'elk.layered.spacing.edgeNodeBetweenLayers': '16',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '12',
  'elk.spacing.edgeLabel': '4',
  'elk.spacing.nodeNode': '32',
  'elk.spacing.edgeNode': '20',
  'elk.spacing.edgeEdge': '14'
}

/** A line from a state to one that it holds would start inside: such a transition is a row of the state, as is one that stays. */
function pairsOf (states: StateNode[]): Pair[] {
  const pairs = new Map<string, Pair>()
  for (const { path: source, transitions } of states) {
    for (const transition of transitions) {
      const target = transition.targets[0]
      if (target === undefined || isWithin(source, target)) continue
      const pair = pairs.get(`${source}>${target}`) ?? { source, target, transitions: [] }
      pair.transitions.push(transition)
      pairs.set(`${source}>${target}`, pair)
    }
  }
  return [...pairs.values()]
}

function rowsOf ({ path, invokes, entry, exit, transitions }: StateNode): Row[] {
  const named = (kind: 'entry' | 'exit', actions: string[]): Row[] => actions.length === 0 ? [] : [{ kind, text: actions.join(', '), note: '', transition: null }]
  return [
    ...invokes.map(({ id, src }): Row => ({ kind: 'runs', text: id, note: src === id ? '' : src, transition: null })),
    ...named('entry', entry),
    ...named('exit', exit),
    ...transitions.filter(({ targets }) => targets.every(target => isWithin(path, target))).map((transition): Row =>
      ({ kind: 'on', text: textOf(transition), note: noteOf(path, transition), transition: transition.id }))
  ]
}

const textOf = ({ kind, label, guard }: Transition): string => `${kind === 'always' ? 'always' : label}${guard === null ? '' : ` [${guard}]`}`

function noteOf (path: string, { targets, actions }: Transition): string {
  const goes = targets[0] === undefined ? [] : [targets[0] === path ? 'again' : `→ ${targets[0].slice(path === '' ? 0 : path.length + 1)}`]
  return [...goes, ...(actions.length > 0 ? [`/ ${actions.join(', ')}`] : [])].join(' ')
}

function contentOf (state: StateNode): { width: number; height: number } {
  const rows = rowsOf(state)
  const title = state.key.length * sizes.nameChar + 12 + state.tags.reduce((sum, tag) => sum + tag.length * sizes.tagChar + 18, 0)
  const widths = rows.map(({ kind, text, note }) => (kind.length + text.length + note.length + 2) * sizes.rowChar)
  return {
    width: Math.ceil(Math.max(sizes.minWidth, title, ...widths) + sizes.padding * 2),
    height: sizes.title + (rows.length > 0 ? rows.length * sizes.row + 6 : 0)
  }
}

function nodeOf (state: StateNode, widen: Map<string, number>): ElkNode {
  const { width, height } = contentOf(state)
  const id = idOf(state.path)
  if (state.states.length === 0) return { id, width, height }
  return {
    id,
    layoutOptions: { ...options, 'elk.padding': `[top=${height + 22},left=22,bottom=22,right=${22 + (widen.get(id) ?? 0)}]` },
    children: state.states.map(child => nodeOf(child, widen))
  }
}

/** A state that holds others is made as wide as those need; what its own rows need beyond that. */
function missingWidths (states: StateNode[], boxes: Map<string, Box>): Map<string, number> {
  return new Map(states.map(state => {
    const id = idOf(state.path)
    return [id, Math.max(0, contentOf(state).width - boxes.get(id)!.width)]
  }))
}

function edgeOf ({ source, target, transitions }: Pair, index: number): ElkExtendedEdge {
  const texts = transitions.map(textOf)
  const label = { id: `label.${index}`, text: 'label', width: Math.ceil(Math.max(...texts.map(text => text.length)) * sizes.rowChar) + 8, height: texts.length * sizes.labelRow + 3 }
  return { id: `edge.${index}`, sources: [idOf(source)], targets: [idOf(target)], labels: [label] }
}

function placeEdge ({ source, target, transitions }: Pair, { labels = [], sections = [] }: ElkExtendedEdge, shift: <At extends Point>(at: At) => At): PlacedEdge {
  const { x = 0, y = 0, width = 0, height = 0 } = labels[0] ?? {}
  return {
    source,
    target,
    lines: sections.map(({ startPoint, bendPoints = [], endPoint }) => [startPoint, ...bendPoints, endPoint].map(({ x, y }) => shift({ x, y }))),
    label: shift({ x, y, width, height }),
    rows: transitions.map(transition => ({ kind: 'edge', text: textOf(transition), note: '', transition: transition.id }))
  }
}

function boxesIn (node: ElkNode, boxes = new Map<string, Box>()): Map<string, Box> {
  for (const child of node.children ?? []) {
    boxes.set(child.id, { x: child.x!, y: child.y!, width: round(child.width!), height: round(child.height!) })
    boxesIn(child, boxes)
  }
  return boxes
}

/** Edges are moved to the state that holds both of their ends. */
function edgesIn (node: ElkNode, edges = new Map<string, ElkExtendedEdge>()): Map<string, ElkExtendedEdge> {
  for (const edge of node.edges ?? []) edges.set(edge.id, edge)
  for (const child of node.children ?? []) edgesIn(child, edges)
  return edges
}
