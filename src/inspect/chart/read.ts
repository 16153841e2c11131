// The chart of a machine as plain data, read off its state nodes. They are taken by their shape, since src knows no xstate:
// `machine.root` has it. (`machine.definition` leaves out `always`.)

import type { StateNode, Transition } from '../protocol.ts'

export interface StateNodeLike {
  id: string
  key: string
  path: readonly string[]
  type: StateNode['type']
  states: Record<string, StateNodeLike>
  transitions: ReadonlyMap<string, readonly TransitionLike[]>
  always?: readonly TransitionLike[] | undefined
  invoke: readonly { id: string; src: unknown }[]
  entry: readonly unknown[]
  exit: readonly unknown[]
  tags: readonly string[]
  initial?: { target?: readonly { path: readonly string[] }[] | undefined } | undefined
}

export interface TransitionLike {
  target?: readonly { path: readonly string[] }[] | undefined
  guard?: unknown
  actions: readonly unknown[]
  reenter: boolean
}

export function readMachine (node: StateNodeLike): StateNode {
  const listed = [...node.transitions].flatMap(([event, list]) => list.map(transition => ({ event, transition })))
  const always = (node.always ?? []).map(transition => ({ event: '', transition }))
  return {
    path: pathOf(node),
    key: node.key,
    type: node.type,
    initial: node.type === 'compound' && node.initial?.target?.[0] ? pathOf(node.initial.target[0]) : null,
    tags: [...node.tags],
    entry: namesOf(node.entry),
    exit: namesOf(node.exit),
    invokes: node.invoke.map(({ id, src }) => ({ id, src: nameOf(src) })),
    transitions: [...listed, ...always].map(({ event, transition }, index) => readTransition(node, event, transition, index)),
    states: Object.values(node.states).map(readMachine)
  }
}

function readTransition (source: StateNodeLike, event: string, { target, guard, actions, reenter }: TransitionLike, index: number): Transition {
  return {
    id: `${source.id}#${index}`,
    ...eventOf(source.id, event),
    event,
    guard: guard === undefined || guard === null ? null : nameOf(guard),
    actions: namesOf(actions),
    targets: (target ?? []).map(pathOf),
    reenter
  }
}

/** What makes it happen, and in words. */
function eventOf (source: string, event: string): Pick<Transition, 'kind' | 'label'> {
  if (event === '') return { kind: 'always', label: 'always' }
  const [, ending, name] = /^xstate\.(done|error)\.(?:actor|state)\.(.*)$/.exec(event) ?? []
  if (ending !== undefined) return ending === 'done' ? { kind: 'done', label: `done ${name!}` } : { kind: 'error', label: `error ${name!}` }
  if (event.startsWith('xstate.after.')) return { kind: 'after', label: `after ${event.slice('xstate.after.'.length, -`.${source}`.length)}` }
  return { kind: 'event', label: event }
}

const pathOf = ({ path }: { path: readonly string[] }): string => path.join('.')

/** Actions with which the library itself starts and stops its timers are left out. */
const namesOf = (actions: readonly unknown[]): string[] => actions.map(nameOf).filter(name => !name.startsWith('xstate.'))

function nameOf (value: unknown): string {
  if (typeof value === 'string') return value
  const { type, name } = (value ?? {}) as { type?: unknown; name?: unknown }
  return typeof type === 'string' ? type : typeof name === 'string' && name !== '' ? name : 'inline'
}

export const everyState = (state: StateNode): StateNode[] => [state, ...state.states.flatMap(everyState)]
