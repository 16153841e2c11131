// What has changed since somebody looked last: rows of all actors, or one actor. Changes between two looks are one, so that a busy
// process tells no more than a quiet one; what is more than a look tells comes with the next ones, whoever has waited longest first.

import { inspectLimits, type InspectLimits } from './limits.ts'
import type { ActorChange, ActorView, ActorsChange, ActorsView } from './protocol.ts'
import type { Entry, Registry } from './registry.ts'
import { changeOf, rowOf, viewOf } from './rows.ts'

export interface Sampler<View, Change> {
  full (): View
  /** null: nothing has changed. */
  next (): Change | null
}

export function sampleActors (registry: Registry, limits: InspectLimits = inspectLimits): Sampler<ActorsView, ActorsChange> {
  /** What was told, by key; a row that was told goes to the end. */
  const told = new Map<string, number>()
  /** Number of the last actor that was told of. */
  let last = 0
  const take = (entries: Entry[]): ActorsView['rows'] => entries.map(entry => {
    told.delete(entry.key)
    told.set(entry.key, entry.version)
    last = Math.max(last, entry.number)
    return rowOf(entry)
  })
  const leftOut = (): number => registry.leftOut + Math.max(0, registry.size - told.size)
  return {
    full () {
      told.clear()
      registry.sweep()
      const rows = take([...registry.after(0, limits.actorRowsMax)])
      return { rows, leftOut: leftOut() }
    },
    next () {
      registry.sweep()
      const gone: string[] = []
      const changed: Entry[] = []
      for (const [key, version] of told) {
        const entry = registry.get(key)
        if (entry === null) gone.push(key)
        else if (entry.version !== version && changed.length < limits.rowsPerLookMax) changed.push(entry)
      }
      for (const key of gone) told.delete(key)
      const fresh = [...registry.after(last, Math.min(limits.rowsPerLookMax, limits.actorRowsMax - told.size))]
      if (changed.length === 0 && gone.length === 0 && fresh.length === 0) return null
      const rows = take([...fresh, ...changed])
      return { rows, gone, leftOut: leftOut() }
    }
  }
}

export function sampleActor (entry: Entry, limits: InspectLimits = inspectLimits): Sampler<ActorView, ActorChange> {
  let version = 0
  let told = { steps: 0, events: 0 }
  const note = (): void => {
    version = entry.version
    told = { steps: entry.transitions, events: entry.eventsMade }
  }
  return {
    full () {
      const view = viewOf(entry, limits)
      note()
      return view
    },
    next () {
      if (entry.version === version) return null
      const change = changeOf(entry, told, limits)
      note()
      return change
    }
  }
}
