// The arenas that a node holds. It opens what the runs on the bus need, one at a time; the first node that opens an arena
// writes down what it found, and a node that finds something else takes no work on it.
//
// R1. What nobody holds comes first, of the run that was submitted first; each node begins somewhere else. An arena that it holds
//     already for another run takes no more room.
// R2. A node whose room is taken up makes some for what nobody holds: gives up an arena that another one holds too (of those who
//     hold it the last by name, so that not all do; with each minute one more, since the last may be unable), or else one that only later
//     runs need. Before that it waits for whoever has room. Who does no work of an arena does not hold it.

import { underAny } from '../bus/abort.ts'
import type { Bus } from '../bus/types.ts'
import type { Arena } from '../domain.ts'
import { SparError, toPlain } from '../errors.ts'
import type { Clock } from '../ports.ts'
import { deriveSeed } from '../random.ts'
import { changeDocument, isFinal, type RunArena, type RunDocument } from './document.ts'
import { clusterLimits } from './limits.ts'
import { listNodes, type NodePresence } from './presence.ts'
import type { Retry } from './retry.ts'
import type { Runs } from './runs.ts'

export type OpenArena = (wanted: Pick<RunArena, 'target' | 'setup' | 'test'>, signal: AbortSignal) => Promise<Arena>

/** What a node says of an arena that it could not open. */
export interface Refusal { target: string; code: string; reason: string }

export interface HeldArenas {
  /** By arena id: also one that was given up, since its work may be taken already. */
  get (id: string): Arena | null
  ids (): string[]
  refusals (): Refusal[]
  /** Opens what active runs need, until the signal aborts. */
  attend (signal: AbortSignal): Promise<void>
}

export interface HeldArenasPorts { /** The node's name. */ node: string; bus: Bus; retry: Retry; runs: Runs; clock: Clock; open: OpenArena; onChange (): void; limits?: Partial<Pick<typeof clusterLimits, 'arenasMax' | 'targetsKnownMax' | 'arenaRetryMs'>> }

/** An arena of an active run that is not held. `age`: the place of the run among the active ones. */
interface Want { document: RunDocument; index: number; place: RunArena; age: number }
/** `instead`: what has to go for it, by id. */
interface Choice { want: Want; instead: string | null }
/** No choice: there is no room. `orphans`: those that nobody holds. */
interface Look { choice: Choice | null; orphans: readonly Want[] }

const noRoomCode = 'ARENA_NO_ROOM'
const works = ['run', 'verify', 'grade']
const doesWork = ({ slots, state }: NodePresence): boolean => state === 'serving' && works.every(kind => (slots[kind]?.total ?? 0) > 0)

/** Nodes of a newer version say what this one cannot read: then nobody is known. */
function passOver (error: unknown): NodePresence[] {
  if (!toPlain(error).code.startsWith('CLUSTER_')) throw error
  return []
}

const keyOf = ({ target, setup, test }: Pick<RunArena, 'target' | 'setup' | 'test'>): string => JSON.stringify([target, setup, test])

export function createHeldArenas ({ node, bus, retry, runs, clock, open, onChange, limits }: HeldArenasPorts): HeldArenas {
  const { arenasMax, targetsKnownMax, arenaRetryMs } = { ...clusterLimits, ...limits }
  const held = new Map<string, Arena>()
  /** By what is wanted, the latest last. */
  const opened = new Map<string, Arena>()
  /** `noRoom`: how often there was no room for it. */
  const refused = new Map<string, Refusal & { at: number; isTold: boolean; noRoom: number }>()

  const told = (): Refusal[] => [...refused.values()].filter(({ isTold }) => isTold).map(({ target, code, reason }) => ({ target, code, reason }))

  const remember = (place: RunArena, arena: Arena): void => {
    opened.delete(keyOf(place))
    opened.set(keyOf(place), arena)
    if (opened.size > targetsKnownMax) opened.delete(opened.keys().next().value!)
  }

  /** What active runs need stays refused: it would be tried again at once. */
  const refuse = (place: RunArena, code: string, reason: string, isTold = true): void => {
    const before = refused.get(keyOf(place))
    const noRoom = (before?.noRoom ?? 0) + (code === noRoomCode ? 1 : 0)
    // Why it could not be opened tells more than that there is no room now.
    const why = code === noRoomCode && before !== undefined && before.code !== noRoomCode ? before : { code, reason, isTold }
    refused.delete(keyOf(place))
    refused.set(keyOf(place), { target: place.target, code: why.code, reason: why.reason, isTold: why.isTold, at: clock.now(), noRoom })
    if (refused.size <= targetsKnownMax) return
    const needed = new Set(runs.active().flatMap(({ arenas }) => arenas.map(keyOf)))
    const spare = [...refused.keys()].find(key => !needed.has(key))
    if (spare !== undefined) refused.delete(spare)
  }

  /** What active runs need and this node could open, those of the run that was submitted first before the others. */
  const wanted = (): Want[] => byAge().flatMap((document, age) => document.arenas.flatMap((place, index) => {
    const refusal = refused.get(keyOf(place))
    if (refusal !== undefined && clock.now() - refusal.at < arenaRetryMs) return []
    return place.opened === null || !held.has(place.opened.id) ? [{ document, index, place, age }] : []
  }))

  const byAge = (): RunDocument[] => runs.active().sort((one, other) => one.submittedAt - other.submittedAt || (one.name < other.name ? -1 : 1))

  /** Of each arena that active runs need, by id, the age of the first of them. */
  function agesOf (): Map<string, number> {
    const ages = new Map<string, number>()
    for (const [age, { arenas }] of byAge().entries()) for (const { opened } of arenas) if (opened !== null && !ages.has(opened.id)) ages.set(opened.id, age)
    return ages
  }

  async function lookAround (wants: readonly Want[]): Promise<Look> {
    const alike = wants.find(({ place }) => held.has(opened.get(keyOf(place))?.id ?? ''))
    if (alike !== undefined) return { choice: { want: alike, instead: null }, orphans: [] }
    const isScarce = new Set(byAge().flatMap(({ arenas }) => arenas.map(keyOf))).size > arenasMax
    const others = isScarce ? await holders() : new Map<string, string[]>()
    const holdersOf = (id: string | undefined): string[] => id === undefined ? [] : others.get(id) ?? []
    const sorted = wants.map(want => {
      const { length: holders } = holdersOf(want.place.opened?.id)
      return { want, holders, isOrphan: isScarce ? holders === 0 : want.place.opened === null, turn: deriveSeed(0, `${node} ${keyOf(want.place)}`) }
    }).sort((one, other) => Number(other.isOrphan) - Number(one.isOrphan) || one.want.age - other.want.age || one.holders - other.holders || one.turn - other.turn)
    const { want, isOrphan } = sorted[0]!
    const orphans = sorted.filter(({ isOrphan }) => isOrphan).map(({ want }) => want)
    const choose = (instead: string | null): Look => ({ choice: { want, instead }, orphans })
    if (held.size < arenasMax) return choose(null)
    const ages = agesOf()
    const spare = [...held.keys()].find(id => !ages.has(id))
    if (spare !== undefined) return choose(spare)
    const tries = refused.get(keyOf(want.place))?.noRoom ?? 0
    if (!isOrphan || tries === 0) return { choice: null, orphans }
    const isShared = (id: string): boolean => holdersOf(id).length > 0 && holdersOf(id).filter(name => name > node).length < tries
    const instead = [...held.keys()].find(isShared) ?? [...held.keys()].find(id => ages.get(id)! > want.age)
    return instead === undefined ? { choice: null, orphans } : choose(instead)
  }

  /** The other nodes that hold each arena, by its id. */
  async function holders (): Promise<Map<string, string[]>> {
    const others = new Map<string, string[]>()
    for (const presence of await retry(() => listNodes(bus)).catch(passOver)) {
      if (presence.node !== node && doesWork(presence)) for (const id of presence.arenas) others.set(id, [...others.get(id) ?? [], presence.node])
    }
    return others
  }

  async function hold ({ want: { document, index, place }, instead }: Choice, signal: AbortSignal): Promise<void> {
    try {
      const arena = opened.get(keyOf(place)) ?? await open(place, signal)
      remember(place, arena)
      const stands = await pin(document.name, index, arena)
      if (stands.id !== arena.id) throw new SparError('ARENA_DIFFERS', `This node finds another arena than the run plays on (${arena.id} at ${arena.commit.slice(0, 12)}, wanted ${stands.id} at ${stands.commit.slice(0, 12)}): its toolchain, its registry or its copy of the repository differ`)
      if (instead !== null) held.delete(instead)
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

  /** What another node holds is no refusal that anybody has to be told of. */
  function refuseForRoom (wants: readonly Want[], orphans: readonly Want[]): void {
    const before = JSON.stringify(told())
    for (const want of wants) refuse(want.place, noRoomCode, `this node holds ${held.size} arenas that runs need, as many as it may, and nobody else holds this one: end a run, or start another node`, orphans.includes(want))
    if (JSON.stringify(told()) !== before) onChange()
  }

  return {
    get: id => held.get(id) ?? [...opened.values()].find(arena => arena.id === id) ?? null,
    ids: () => [...held.keys()],
    refusals: told,
    async attend (signal) {
      let wake = (): void => {}
      const leave = runs.listen(({ state }) => {
        // Whatever had no room may have some now.
        if (isFinal(state)) for (const refusal of refused.values()) if (refusal.code === noRoomCode) refusal.at = -Infinity
        wake()
      })
      try {
        while (!signal.aborted) {
          const wants = wanted()
          if (wants.length > 0) {
            const { choice, orphans } = await lookAround(wants)
            if (choice === null) refuseForRoom(wants, orphans)
            else await hold(choice, signal)
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
