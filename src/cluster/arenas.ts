// The arenas that a node holds. It opens what the runs on the bus need, one at a time; the first node that opens an arena
// writes down what it found, and a node that finds something else takes no work on it.

import { underAny } from '../bus/abort.ts'
import type { Bus } from '../bus/types.ts'
import type { Arena } from '../domain.ts'
import { SparError, toPlain } from '../errors.ts'
import type { Clock } from '../ports.ts'
import { changeDocument, isFinal, type RunArena, type RunDocument } from './document.ts'
import { clusterLimits } from './limits.ts'
import type { Retry } from './retry.ts'
import type { Runs } from './runs.ts'

export type OpenArena = (wanted: Pick<RunArena, 'target' | 'setup' | 'test'>, signal: AbortSignal) => Promise<Arena>

/** What a node says of an arena that it could not open. */
export interface Refusal { target: string; code: string; reason: string }

export interface HeldArenas {
  /** By arena id. */
  get (id: string): Arena | null
  ids (): string[]
  refusals (): Refusal[]
  /** Opens what active runs need, until the signal aborts. */
  attend (signal: AbortSignal): Promise<void>
}

export interface HeldArenasPorts { bus: Bus; retry: Retry; runs: Runs; clock: Clock; open: OpenArena; onChange (): void; limits?: Partial<Pick<typeof clusterLimits, 'arenasMax' | 'targetsKnownMax' | 'arenaRetryMs'>> }

const keyOf = ({ target, setup, test }: Pick<RunArena, 'target' | 'setup' | 'test'>): string => JSON.stringify([target, setup, test])

export function createHeldArenas ({ bus, retry, runs, clock, open, onChange, limits }: HeldArenasPorts): HeldArenas {
  const { arenasMax, targetsKnownMax, arenaRetryMs } = { ...clusterLimits, ...limits }
  const held = new Map<string, Arena>()
  /** By what is wanted, the latest last. */
  const opened = new Map<string, Arena>()
  const refused = new Map<string, Refusal & { at: number }>()

  const remember = (place: RunArena, arena: Arena): void => {
    opened.delete(keyOf(place))
    opened.set(keyOf(place), arena)
    if (opened.size > targetsKnownMax) opened.delete(opened.keys().next().value!)
  }

  /** What active runs need stays refused: it would be tried again at once. */
  const refuse = (place: RunArena, code: string, reason: string): void => {
    refused.delete(keyOf(place))
    refused.set(keyOf(place), { target: place.target, code, reason, at: clock.now() })
    if (refused.size <= targetsKnownMax) return
    const needed = new Set(runs.active().flatMap(({ arenas }) => arenas.map(keyOf)))
    const spare = [...refused.keys()].find(key => !needed.has(key))
    if (spare !== undefined) refused.delete(spare)
  }

  /** The first place of an active run that this node could serve and does not yet. */
  const wanted = (): { document: RunDocument; index: number } | null => {
    for (const document of runs.active()) {
      const index = document.arenas.findIndex(arena => {
        const refusal = refused.get(keyOf(arena))
        if (refusal !== undefined && clock.now() - refusal.at < arenaRetryMs) return false
        return arena.opened === null || !held.has(arena.opened.id)
      })
      if (index !== -1) return { document, index }
    }
    return null
  }

  async function hold (document: RunDocument, index: number, signal: AbortSignal): Promise<void> {
    const place = document.arenas[index]!
    try {
      const arena = opened.get(keyOf(place)) ?? await open(place, signal)
      remember(place, arena)
      const stands = await pin(document.name, index, arena)
      if (stands.id !== arena.id) throw new SparError('ARENA_DIFFERS', `This node finds another arena than the run plays on (${arena.id} at ${arena.commit.slice(0, 12)}, wanted ${stands.id} at ${stands.commit.slice(0, 12)}): its toolchain, its registry or its copy of the repository differ`)
      held.set(arena.id, arena)
      refused.delete(keyOf(place))
    } catch (error) {
      if (signal.aborted) throw error
      const plain = toPlain(error)
      opened.delete(keyOf(place))
      refuse(place, plain.code, plain.message)
      if (!plain.retryable && plain.code.startsWith('ARENA_') && plain.code !== 'ARENA_DIFFERS') await giveUp(document.name, index, plain)
    }
    onChange()
  }

  /** The arena that stands: this one, or the one that another node was first with. */
  async function pin (run: string, index: number, arena: Arena): Promise<Arena> {
    const document = await retry(() => changeDocument(bus, run, document => document.arenas[index]!.opened !== null ? null : {
      ...document, arenas: document.arenas.map((place, at) => at === index ? { ...place, opened: arena } : place)
    }))
    return document.arenas[index]!.opened!
  }

  /** A target that nobody has opened and that cannot be opened fails the run: waiting would help nobody. */
  async function giveUp (run: string, index: number, { code, message }: { code: string; message: string }): Promise<void> {
    await retry(() => changeDocument(bus, run, document => document.arenas[index]!.opened !== null || isFinal(document.state) ? null : { ...document, state: 'failed', reason: `${message} [${code}]` }))
  }

  /** Whether one more may be held. An arena that no run needs makes room, the oldest of them. */
  function hasRoom (): boolean {
    if (held.size < arenasMax) return true
    const needed = new Set(runs.active().flatMap(({ arenas }) => arenas.map(({ opened }) => opened?.id)))
    const spare = [...held.keys()].find(id => !needed.has(id))
    return spare !== undefined && held.delete(spare)
  }

  function refuseForRoom ({ arenas }: RunDocument, index: number): void {
    refuse(arenas[index]!, 'ARENA_NO_ROOM', `this node holds ${held.size} arenas that runs need, as many as it may: end a run, or start another node`)
    onChange()
  }

  return {
    get: id => held.get(id) ?? null,
    ids: () => [...held.keys()],
    refusals: () => [...refused.values()].map(({ target, code, reason }) => ({ target, code, reason })),
    async attend (signal) {
      let wake = (): void => {}
      const leave = runs.listen(() => wake())
      try {
        while (!signal.aborted) {
          const next = wanted()
          if (next !== null) {
            if (hasRoom()) await hold(next.document, next.index, signal)
            else refuseForRoom(next.document, next.index)
            continue
          }
          const woken = new AbortController()
          wake = () => woken.abort()
          await underAny([signal, woken.signal], either => clock.sleep(arenaRetryMs, either)).catch(() => {})
        }
      } finally { leave() }
    }
  }
}
