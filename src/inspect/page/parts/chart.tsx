// The statechart of a machine, with the states that are active lit and the transition that led there.

import { createElement, type VNode } from 'preact'
import { useMemo } from 'preact/hooks'
import charts from 'spar-charts'
import { drawChart, viewBoxOf, type Shape } from '../../chart/draw.ts'
import { everyState, isWithin } from '../../chart/states.ts'
import type { StateNode, Transition } from '../../protocol.ts'

export const hasChart = (machine: string): boolean => Object.hasOwn(charts, machine)
export const knowsState = (machine: string, path: string): boolean => everyState(charts[machine]!.root).some(state => state.path === path)

/** `active`: paths of the innermost active states. `taken`: ids of transitions that led here; `beat` changes when they are to flash. */
export function Chart ({ machine, active, taken, beat }: { machine: string; active: string[]; taken: string[]; beat: number }) {
  const { placed } = charts[machine]!
  const shapes = useMemo(() => drawChart(placed), [machine])
  const lit = { active, taken: new Set(taken) }
  const [, , width] = viewBoxOf(placed).split(' ')
  return (
    <div class='chart' role='region' aria-label={`Statechart of ${machine}`} tabIndex={0}>
      <svg viewBox={viewBoxOf(placed)} style={{ maxWidth: `${width!}px`, minWidth: `${Math.min(Number(width), 560)}px` }} role='img' aria-label={`Statechart of ${machine}; active: ${active.join(', ') || 'none'}`}>
        {shapes.map(shape => elementOf(shape, lit, beat))}
      </svg>
    </div>
  )
}

interface Lit { active: string[]; taken: Set<string> }

function elementOf (shape: Shape, lit: Lit, beat: number): VNode {
  const { tag, attributes, children, text } = shape
  const light = lightOf(attributes, lit)
  // A new key starts the flash again.
  const key = light === ' taken' ? { key: `${attributes['d'] ?? ''}${attributes['x'] ?? ''}${attributes['y'] ?? ''}${beat}` } : {}
  return createElement(tag as 'g', { ...attributes, ...key, class: `${attributes['class'] ?? ''}${light}` }, text, ...children.map(child => elementOf(child, lit, beat))) as VNode
}

function lightOf (attributes: Shape['attributes'], { active, taken }: Lit): string {
  const state = attributes['data-state'] as string | undefined
  if (state !== undefined) return active.includes(state) ? ' lit' : state !== '' && active.some(path => isWithin(state, path)) ? ' around' : ''
  const transition = attributes['data-transition'] as string | undefined
  if (transition !== undefined) return taken.has(transition) ? ' taken' : ''
  const transitions = attributes['data-transitions'] as string | undefined
  return transitions !== undefined && transitions.split(' ').some(id => taken.has(id)) ? ' taken' : ''
}

/**
 * Ids of the transitions that may have led from one state to the next. The event is known only while somebody looked; without
 * it, they are those that go from the one to the other. A guard that held is not known: all candidates are meant.
 */
export function takenBetween (machine: string, from: string, to: string, event: string | null): string[] {
  const states = everyState(charts[machine]!.root)
  const [source, target] = [from.split(' ')[0]!, to.split(' ')[0]!]
  const candidates = innermostFirst(states, source).map(state => state.transitions.filter(transition => (event === null || fits(transition, event)) && leadsTo(states, state, transition, source, target)))
  const direct = candidates.find(list => list.length > 0)
  if (direct) return direct.map(({ id }) => id)
  return event === null ? [] : throughTransient(states, source, target, event)
}

const innermostFirst = (states: StateNode[], path: string): StateNode[] =>
  states.filter(state => isWithin(state.path, path)).sort((a, b) => b.path.length - a.path.length)

const fits = ({ event, kind }: Transition, given: string): boolean =>
  kind !== 'always' && (event === given || (event.endsWith('*') && given.startsWith(event.slice(0, -1))))

function leadsTo (states: StateNode[], state: StateNode, { targets }: Transition, source: string, target: string): boolean {
  const aim = targets[0]
  return aim === undefined ? source === target : target === resting(states, aim) && (state.path !== target || source === target)
}

/** The state in which one rests that enters another: its initial state, if it has one. */
function resting (states: StateNode[], path: string): string {
  const initial = states.find(state => state.path === path)?.initial ?? null
  return initial === null ? path : resting(states, initial)
}

/** An event may lead to a state that is left at once (`always`): both transitions are meant. */
function throughTransient (states: StateNode[], source: string, target: string, event: string): string[] {
  for (const state of innermostFirst(states, source)) {
    for (const transition of state.transitions.filter(transition => fits(transition, event))) {
      const between = states.find(({ path }) => path === transition.targets[0])
      const onward = between?.transitions.filter(({ kind, targets }) => kind === 'always' && targets[0] !== undefined && resting(states, targets[0]) === target) ?? []
      if (onward.length > 0) return [transition.id, ...onward.map(({ id }) => id)]
    }
  }
  return []
}
