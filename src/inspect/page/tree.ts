// Actors as a tree, and what of it is shown: rows with their depth, of what matches a search with all that stands above it. Within
// a parent they stand as they came, which is the oldest first.

import type { ActorRow } from '../protocol.ts'

export interface TreeRow { actor: ActorRow; depth: number; children: number; /** Children are hidden. */ folded: boolean; /** Shown only since something below matches. */ path: boolean }

export interface TreeOptions { search: string; folded: ReadonlySet<string>; withEnded: boolean }

export function treeOf (actors: readonly ActorRow[], { search, folded, withEnded }: TreeOptions): TreeRow[] {
  const shown = actors.filter(({ status }) => withEnded || status === 'active')
  const known = new Set(shown.map(({ key }) => key))
  const children = new Map<string | null, ActorRow[]>()
  for (const actor of shown) {
    const parent = actor.parent !== null && known.has(actor.parent) ? actor.parent : null
    const list = children.get(parent)
    if (list) list.push(actor)
    else children.set(parent, [actor])
  }
  const words = search.toLowerCase().split(/\s+/).filter(word => word !== '')
  const wanted = words.length === 0 ? null : withAncestors(shown, words)
  const rows: TreeRow[] = []
  // Not by recursion: how deep it goes is up to whoever sends the rows.
  const stack = (children.get(null) ?? []).sort(byNode).map(actor => ({ actor, depth: 0 })).reverse()
  while (stack.length > 0 && rows.length <= actors.length) {
    const { actor, depth } = stack.pop()!
    const match = wanted?.get(actor.key)
    if (wanted && match === undefined) continue
    const below = children.get(actor.key) ?? []
    const isFolded = wanted === null && folded.has(actor.key)
    rows.push({ actor, depth, children: below.length, folded: isFolded, path: match === 'above' })
    if (!isFolded) for (const child of below.toReversed()) stack.push({ actor: child, depth: depth + 1 })
  }
  return rows
}

const byNode = (a: ActorRow, b: ActorRow): number => a.node < b.node ? -1 : Number(a.node > b.node)

/** Every word has to be found in what is shown of an actor. */
function withAncestors (actors: readonly ActorRow[], words: string[]): Map<string, 'match' | 'above'> {
  const byKey = new Map(actors.map(actor => [actor.key, actor]))
  const wanted = new Map<string, 'match' | 'above'>()
  for (const actor of actors) {
    const text = textOf(actor)
    if (!words.every(word => text.includes(word))) continue
    wanted.set(actor.key, 'match')
    for (let above = actor.parent; above !== null && !wanted.has(above); above = byKey.get(above)?.parent ?? null) wanted.set(above, 'above')
  }
  return wanted
}

const textOf = ({ machine, id, state, node, run, tags, status, key }: ActorRow): string => `${machine} ${id} ${state} ${node} ${run ?? ''} ${tags.join(' ')} ${status} ${key}`.toLowerCase()
