// Entries of the registry as the protocol shows them.

import { inspectLimits, type InspectLimits } from './limits.ts'
import type { ActorChange, ActorRow, ActorView, EventLine, Step } from './protocol.ts'
import type { Entry, KeptEvent, KeptStep } from './registry.ts'
import { cutJson } from './text.ts'

export function rowOf (entry: Entry): ActorRow {
  const { key, about, look, snapshot, counts } = entry
  const isKnown = snapshot !== null
  const state = isKnown ? look.state(snapshot) : ''
  const active = entry.status === 'active'
  return {
    key, parent: entry.parent, node: key.slice(0, key.lastIndexOf('/')), machine: about.machine, id: about.id,
    run: about.run, episode: about.episode, rollout: about.rollout, work: about.work,
    state, tags: isKnown ? look.tags(snapshot) : [], status: entry.status,
    sinceAt: entry.since(snapshot => look.state(snapshot) === state), startedAt: entry.startedAt, endedAt: entry.endedAt, transitions: entry.transitions,
    restarts: counts.starts - 1, failures: counts.failures, reason: counts.reason,
    acts: isKnown && active ? look.acts(snapshot) : []
  }
}

export const viewOf = (entry: Entry, limits: InspectLimits = inspectLimits): ActorView => changeOf(entry, { steps: 0, events: 0 }, limits)

/** What is new since so many steps and events. */
export function changeOf (entry: Entry, told: { steps: number; events: number }, { contextBytesMax }: InspectLimits = inspectLimits): ActorChange {
  const steps = entry.steps(told.steps)
  const events = entry.events.filter(({ n }) => n > told.events)
  return {
    row: rowOf(entry),
    steps: steps.map(step => stepOf(entry, step, contextBytesMax)),
    stepsLeftOut: entry.transitions - told.steps - steps.length,
    events: events.map(event => lineOf(event, contextBytesMax)),
    eventsLeftOut: entry.eventsMade - told.events - events.length,
    children: entry.snapshot === null ? [] : entry.look.children(entry.snapshot)
  }
}

function stepOf (entry: Entry, { n, at, snapshot, event }: KeptStep, bytesMax: number): Step {
  const { look } = entry
  const isLast = n === entry.transitions
  return { n, at, event, state: look.state(snapshot), tags: look.tags(snapshot), status: isLast ? entry.status : 'active', context: cutJson(look.context(snapshot), bytesMax) }
}

function lineOf ({ n, at, event, from }: KeptEvent, bytesMax: number): EventLine {
  const { type, ...rest } = event
  return { n, at, event: type, from, data: Object.keys(rest).length === 0 ? { text: '', bytes: 0, cut: false } : cutJson(rest, bytesMax, 0) }
}
