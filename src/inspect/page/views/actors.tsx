// The tree of all actors, live: who supervises whom, in which state, for how long. Thousands of rows: only those in sight are drawn.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { topics, type SilentNode } from '../../protocol.ts'
import { Empty, Failed, Loading, toneOf } from '../parts/bits.tsx'
import { Word } from '../parts/text.tsx'
import { Virtual } from '../parts/virtual.tsx'
import { links } from '../route.ts'
import { treeOf, type TreeRow } from '../tree.ts'
import { useKeys, useLink, useNow, useTopic } from '../use.ts'
import { count, plural, ticking } from '../words.ts'

export function Actors ({ search }: { search: string }) {
  const { value, failure, lag } = useTopic('actors', topics.actors)
  const isFolder = useLink().hello()?.source === 'folder'
  if (isFolder) return <Empty title='This run is over: nobody acts any more'>Its episodes, rollouts and figures are all there. Watch actors with <code>spar play --inspect</code> or <code>spar inspect</code> while a run is played.</Empty>
  if (value === undefined) return failure ? <Failed failure={failure} /> : <Loading what='the actors' />
  return <Tree rows={value.rows} leftOut={value.leftOut} silent={value.silent ?? []} lag={lag} search={search} />
}

function Tree ({ rows: actors, leftOut, silent, lag, search }: { rows: Parameters<typeof treeOf>[0]; leftOut: number; silent: SilentNode[]; lag: number; search: string }) {
  const now = useNow()
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set())
  const [withEnded, setWithEnded] = useState(false)
  const [selectedKey, setSelectedKey] = useState<string | null>(null)
  const input = useRef<HTMLInputElement>(null)
  const rows = useMemo(() => treeOf(actors, { search, folded, withEnded }), [actors, search, folded, withEnded])
  const selected = rows.findIndex(({ actor }) => actor.key === selectedKey)
  const move = (index: number): void => setSelectedKey(rows[Math.max(0, Math.min(rows.length - 1, index))]?.actor.key ?? null)
  const fold = (key: string, isFolded: boolean): void => setFolded(folded => {
    const next = new Set(folded)
    if (isFolded) next.add(key)
    else next.delete(key)
    return next
  })
  const open = (index: number): void => { const row = rows[index]; if (row) location.hash = links.actor(row.actor.key) }
  const left = (): void => {
    const row = rows[selected]
    if (!row) return
    if (row.children > 0 && !row.folded) fold(row.actor.key, true)
    else move(rows.findLastIndex(({ depth }, index) => index < selected && depth < row.depth))
  }
  const right = (): void => { const row = rows[selected]; if (row?.folded) fold(row.actor.key, false); else if (row && row.children > 0) move(selected + 1) }
  useKeys({
    j: () => move(selected + 1), k: () => move(selected - 1), ArrowDown: () => move(selected + 1), ArrowUp: () => move(selected - 1),
    ArrowLeft: left, ArrowRight: right, Home: () => move(0), End: () => move(rows.length - 1), Enter: () => open(selected),
    '/': () => input.current?.focus(), Escape: () => { input.current?.blur(); history.replaceState(null, '', links.actors()); dispatchEvent(new HashChangeEvent('hashchange')) }
  })
  const live = actors.reduce((sum, { status }) => sum + Number(status === 'active'), 0)
  return (
    <div class='full'>
      <div class='bar'>
        <input ref={input} type='search' placeholder='Search: machine, id, state, node, run' aria-label='Search actors' value={search}
          onInput={event => { history.replaceState(null, '', links.actors(event.currentTarget.value)); dispatchEvent(new HashChangeEvent('hashchange')) }}
          onKeyDown={event => { if (event.key === 'Enter') { event.currentTarget.blur(); move(rows.findIndex(({ path }) => !path)) } }} />
        <label><input type='checkbox' checked={withEnded} onChange={event => setWithEnded(event.currentTarget.checked)} /> ended too</label>
        <span class='muted'>{plural(live, 'live actor')}{rows.length === live ? '' : `, ${count(rows.length)} rows`}{leftOut > 0 ? `, ${count(leftOut)} more are not listed` : ''}{lag > 0 ? `, ${count(lag)} changes left out` : ''}</span>
      </div>
      {silent.map(({ node, code, message }) => <p key={node} class='bad' role='status'><Word>{node}</Word> does not tell its actors: <Word>{message}</Word> (<code>{code}</code>)</p>)}
      {rows.length === 0
        ? <Empty title={search === '' ? 'No actor is live' : 'No actor matches'}>{search === '' ? 'They appear as soon as a run is played.' : 'Every word has to be found in its machine, id, state, node or run.'}</Empty>
        : <Virtual label='Actors' role='tree' count={rows.length} selected={selected} onSelect={move} onOpen={open} row={index => {
          const row = rows[index]!
          return { key: row.actor.key, attributes: { role: 'treeitem', 'aria-level': row.depth + 1, ...(row.children > 0 ? { 'aria-expanded': !row.folded } : {}), 'data-key': row.actor.key }, content: <Row row={row} now={now} onFold={fold} /> }
        }} />}
    </div>
  )
}

const indentMax = 12

function Row ({ row: { actor, depth, children, folded, path }, now, onFold }: { row: TreeRow; now: number; onFold: (key: string, folded: boolean) => void }) {
  const { key, machine, id, state, status, sinceAt, endedAt, restarts, failures, node, tags } = actor
  const flash = useFlash(`${state} ${status}`)
  return (
    <div class={`actor ${path ? 'dim' : ''} ${status}`}>
      <span class='indent' style={{ width: `${Math.min(depth, indentMax) * 18}px` }} />
      <span class='twist' aria-hidden='true' onClick={event => { event.stopPropagation(); if (children > 0) onFold(key, !folded) }}>{children > 0 ? folded ? '▸' : '▾' : ''}</span>
      <span class={`dot ${status === 'active' ? tags.length > 0 ? 'busy' : 'quiet' : toneOf(status)}`} aria-hidden='true' />
      <span class='machine'>{machine}</span>
      <span class='id'>{id}</span>
      {folded && <span class='muted'>+{children}</span>}
      <span class={`state ${flash}`}>{status === 'active' ? state : `${status}${state === '' || state === status ? '' : `, in ${state}`}`}</span>
      <span class='since n'>{ticking((endedAt ?? now) - sinceAt)}</span>
      <span class='counts'>{restarts > 0 && <span class='badge warn'>{plural(restarts, 'restart')}</span>}{failures > 0 && <span class='badge bad'>{plural(failures, 'failure')}</span>}</span>
      <span class='node muted'>{node}</span>
    </div>
  )
}

/** A class that changes when the value does, so that its animation starts again; none at first. */
function useFlash (value: string): string {
  const before = useRef(value)
  const [beat, setBeat] = useState(0)
  useEffect(() => {
    if (before.current === value) return
    before.current = value
    setBeat(beat => beat + 1)
  }, [value])
  return beat === 0 ? '' : beat % 2 === 0 ? 'flash-a' : 'flash-b'
}
