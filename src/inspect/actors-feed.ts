// The actors of all nodes in one list, kept up for as long as somebody wants it. A node that does not answer is asked again; one that
// is gone takes its actors along.

import type { Clock } from '../ports.ts'
import { failureOf } from './failure.ts'
import type { InspectLimits } from './limits.ts'
import type { Nodes } from './nodes.ts'
import type { ActorRow, ActorsChange, ActorsView, SilentNode } from './protocol.ts'
import type { Update } from './service.ts'

export interface ActorsFeed {
  /** The list, for as long as somebody holds it. */
  readonly rows: ReadonlyMap<string, ActorRow>
  hold (): () => void
  /** Updates of the list until the signal aborts. */
  updates (signal: AbortSignal): AsyncGenerator<Update>
}

/** Before a node that did not answer is asked again. */
const againMs = 2_000
/** How long nodes may take before the list is shown without theirs. */
const firstMs = 1_000

export function createActorsFeed (nodes: Nodes, { clock, limits }: { clock: Clock; limits: InspectLimits }): ActorsFeed {
  const rows = new Map<string, ActorRow>()
  const leftOut = new Map<string, number>()
  /** Keys that have changed or are gone, for each reader. */
  const readers = new Set<Set<string>>()
  /** Nodes that have told their actors since somebody holds the list, or failed to. */
  const heard = new Set<string>()
  /** Why a node did not tell its actors when it was asked last. */
  const silent = new Map<string, SilentNode>()
  let holders = 0
  let over = new AbortController()

  const mark = (key: string): void => { for (const changed of readers) changed.add(key) }
  const drop = (key: string): void => { if (rows.delete(key)) mark(key) }
  const dropNode = (node: string): void => { for (const key of [...rows.keys()]) if (key.startsWith(`${node}/`)) drop(key) }
  const take = (node: string, { rows: told, gone, leftOut: more }: ActorsChange): void => {
    for (const row of told) {
      // A node speaks for its own actors alone.
      if (!row.key.startsWith(`${node}/`)) continue
      if (rows.size < limits.actorRowsMax || rows.has(row.key)) { rows.set(row.key, row); mark(row.key) }
    }
    for (const key of gone) if (key.startsWith(`${node}/`)) drop(key)
    leftOut.set(node, more)
  }
  const follow = async (node: string, signal: AbortSignal): Promise<void> => {
    for await (const update of nodes.of(node).watch({ topic: 'actors' }, { signal })) {
      if (signal.aborted) return
      if ('full' in update) {
        const { rows: told, leftOut: more } = update.full as ActorsView
        const keys = new Set(told.map(({ key }) => key))
        for (const key of [...rows.keys()]) if (key.startsWith(`${node}/`) && !keys.has(key)) drop(key)
        take(node, { rows: told, gone: [], leftOut: more })
        heard.add(node)
        silent.delete(node)
      } else take(node, update.change as ActorsChange)
    }
  }
  const run = async (signal: AbortSignal): Promise<void> => {
    const followed = new Map<string, AbortController>()
    const pause = async (): Promise<void> => { await clock.sleep(againMs, signal).catch(() => {}) }
    // Followed anew when it is back: changes alone say nothing of actors that are idle.
    const leave = (node: string): void => {
      followed.get(node)?.abort()
      followed.delete(node)
      dropNode(node)
      leftOut.delete(node)
      silent.delete(node)
    }
    while (!signal.aborted) {
      const there = await nodes.list().catch(() => null)
      for (const { node } of there ?? []) {
        if (followed.has(node)) continue
        const gone = new AbortController()
        followed.set(node, gone)
        // What it said before is shown until it is known to be gone.
        void follow(node, AbortSignal.any([signal, gone.signal])).catch(error => {
          heard.add(node)
          if (!signal.aborted && !gone.signal.aborted) silent.set(node, { node, ...failureOf(error) })
        }).then(pause).then(() => { if (followed.get(node) === gone) followed.delete(node) })
      }
      if (there !== null) for (const node of new Set([...followed.keys(), ...silent.keys(), ...[...rows.values()].map(({ node }) => node)])) if (!there.some(row => row.node === node)) leave(node)
      await pause()
    }
    rows.clear()
    heard.clear()
    silent.clear()
  }
  const first = async (signal: AbortSignal): Promise<void> => {
    const until = clock.now() + firstMs
    const there = await nodes.list().catch(() => [])
    while (there.some(({ node }) => !heard.has(node)) && clock.now() < until && !signal.aborted) await clock.sleep(10, signal).catch(() => {})
  }

  const hold = (): () => void => {
    if (holders++ === 0) {
      over = new AbortController()
      void run(over.signal)
    }
    let held = true
    return () => {
      if (held && --holders === 0) over.abort()
      held = false
    }
  }
  return {
    rows,
    hold,
    async * updates (signal) {
      const release = hold()
      const changed = new Set<string>()
      readers.add(changed)
      const more = (): number => [...leftOut.values()].reduce((sum, count) => sum + count, 0)
      const rest = (): Pick<ActorsView, 'leftOut' | 'silent'> => ({ leftOut: more(), ...silent.size === 0 ? {} : { silent: [...silent.values()] } })
      try {
        await first(signal)
        changed.clear()
        let told = JSON.stringify(rest())
        yield { full: { rows: [...rows.values()], ...rest() } satisfies ActorsView }
        while (!signal.aborted) {
          await clock.sleep(limits.everyMs, signal).catch(() => {})
          const tells = JSON.stringify(rest())
          if ((changed.size === 0 && tells === told) || signal.aborted) continue
          told = tells
          const keys = [...changed]
          changed.clear()
          yield { change: { rows: keys.flatMap(key => rows.get(key) ?? []), gone: keys.filter(key => !rows.has(key)), ...rest() } satisfies ActorsChange }
        }
      } finally {
        readers.delete(changed)
        release()
      }
    }
  }
}
