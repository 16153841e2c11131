// The machines as data, for drawing: what runs is what is shown.

import type { AnyStateMachine, StateNode as MachineNode, TransitionDefinition } from 'xstate'
import { breaker } from '../machines/breaker.ts'
import { episode } from '../machines/episode.ts'
import { node } from '../machines/node.ts'
import { run } from '../machines/run.ts'
import { sandbox } from '../machines/sandbox.ts'
import { slot } from '../machines/slot.ts'
import { solver } from '../machines/solver.ts'
import { verifier } from '../machines/verifier.ts'
import type { MachineView, StateNode, Transition } from '../src/inspect/protocol.ts'

type AnyNode = MachineNode<never, never>
type AnyTransition = TransitionDefinition<never, never>

const machines: Record<string, AnyStateMachine> = { node, slot, run, episode, breaker, solver, verifier, sandbox }

/** All machines, made once. */
export const machineViews = (): MachineView[] => views ??= Object.entries(machines).map(([machine, { root }]) => ({ machine, root: stateOf(root as never, machine) }))
let views: MachineView[] | null = null

function stateOf (state: AnyNode, machine: string): StateNode {
  return {
    path: pathOf(state), key: state.key, type: state.type,
    initial: state.type === 'compound' ? pathOf(state.initial.target[0] as never) : null,
    tags: [...state.tags], entry: namesOf(state.entry), exit: namesOf(state.exit),
    invokes: state.invoke.map(({ id, src }) => ({ id, src: typeof src === 'string' ? src : id })),
    transitions: transitionsOf(state, machine),
    states: (Object.values(state.states) as AnyNode[]).map(child => stateOf(child, machine))
  }
}

const pathOf = ({ path }: Pick<AnyNode, 'path'>): string => path.join('.')

function transitionsOf (state: AnyNode, machine: string): Transition[] {
  const all = [...[...state.transitions.values()].flat(), ...state.always ?? []] as AnyTransition[]
  // One that goes nowhere and does nothing only keeps an event from the states around it.
  return all.filter(({ target, actions }) => target !== undefined || actions.length > 0).map((transition, index) => ({
    id: `${[machine, ...state.path].join('.')}#${index}`,
    ...kindOf(transition.eventType, state.id),
    event: transition.eventType,
    guard: transition.guard === undefined ? null : nameOf(transition.guard),
    actions: transition.actions.map(nameOf),
    targets: (transition.target ?? []).map(target => pathOf(target as never)),
    reenter: transition.reenter
  }))
}

function kindOf (event: string, state: string): Pick<Transition, 'kind' | 'label'> {
  if (event === '') return { kind: 'always', label: '' }
  if (event.startsWith('xstate.after.')) return { kind: 'after', label: `after ${event.slice('xstate.after.'.length, -`.${state}`.length)}` }
  const ended = /^xstate\.(done|error)\.(?:actor|state)\.(.*)$/.exec(event)
  return ended === null ? { kind: 'event', label: event } : { kind: ended[1] as 'done' | 'error', label: `${ended[1] === 'done' ? 'done' : 'failed'} ${ended[2]!}` }
}

/** A delay is a pair of actions that nobody wrote. */
const namesOf = (actions: readonly unknown[]): string[] => actions.map(nameOf).filter(name => name !== 'raise' && name !== 'cancel')

/** Guards and actions by name; those of XState itself without its prefix. */
function nameOf (named: unknown): string {
  const type = typeof named === 'string' ? named : typeof named === 'function' ? named.name : (named as { type?: string }).type ?? ''
  return type.replace(/^xstate\./, '')
}
