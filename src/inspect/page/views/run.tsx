// A run: its episodes as they go, the newest first.

import { useMemo, useRef, useState } from 'preact/hooks'
import { topics, type EpisodeRow, type RunRow } from '../../protocol.ts'
import { Badge, Empty, Failed, Loading, Meter } from '../parts/bits.tsx'
import { Word } from '../parts/text.tsx'
import { Virtual } from '../parts/virtual.tsx'
import { links } from '../route.ts'
import { useKeys, useTopic } from '../use.ts'
import { count, missing, plural, reward, share, spaced } from '../words.ts'

/** The run that is meant: the one that is named, or the one that began last. undefined: not known yet. */
export function useRun (named: string | null): { run: string | undefined; runs: RunRow[] | undefined; failure: ReturnType<typeof useTopic>['failure'] } {
  const { value: runs, failure } = useTopic('runs', topics.runs)
  const latest = useMemo(() => runs?.toSorted((a, b) => (b.startedAt ?? 0) - (a.startedAt ?? 0))[0]?.run, [runs])
  return { run: named ?? latest, runs, failure }
}

export function Run ({ run: named }: { run: string | null }) {
  const { run, runs, failure } = useRun(named)
  const episodes = useTopic('episodes', run === undefined ? null : topics.episodes(run))
  if (run === undefined) return failure ? <Failed failure={failure} /> : runs === undefined ? <Loading what='the runs' /> : <NoRun />
  if (episodes.value === undefined) return <>{<RunHead run={run} runs={runs} tab='episodes' />}{episodes.failure ? <Failed failure={episodes.failure} /> : <Loading what='the episodes' />}</>
  return <Episodes run={run} runs={runs} rows={episodes.value.rows} leftOut={episodes.value.leftOut} />
}

export const NoRun = () => <Empty title='No run yet'>Start one with <code>spar play</code>, or <code>spar run</code> on a cluster: it appears here.</Empty>

export function RunHead ({ run, runs, tab }: { run: string; runs: RunRow[] | undefined; tab: 'episodes' | 'training' }) {
  const row = runs?.find(row => row.run === run)
  const link = tab === 'episodes' ? links.run : links.training
  return (
    <div class='head'>
      <h1><span class='muted'>run</span> {runs !== undefined && runs.length > 1
        ? <select aria-label='Run' value={run} onChange={event => { location.hash = link(event.currentTarget.value) }}>{runs.map(({ run }) => <option key={run} value={run}>{run}</option>)}</select>
        : <Word>{run}</Word>} {row && <Badge>{row.state}</Badge>}</h1>
      {row && <p class='facts'><span><Word>{row.targets.join(', ')}</Word></span><span>{count(row.episodes.settled)}{row.episodes.total === null ? '' : ` of ${count(row.episodes.total)}`} episodes settled</span><span>groups of {row.group}</span><span>seed {row.seed}</span><span>{row.policies.breaker === row.policies.solver ? <Word>{row.policies.breaker}</Word> : <Word>{`${row.policies.breaker} breaks, ${row.policies.solver} solves`}</Word>}</span></p>}
      <nav class='tabs' aria-label='Of this run'><a href={links.run(run)} aria-current={tab === 'episodes' ? 'page' : undefined}>Episodes</a><a href={links.training(run)} aria-current={tab === 'training' ? 'page' : undefined}>Training</a></nav>
    </div>
  )
}

function Episodes ({ run, runs, rows: all, leftOut }: { run: string; runs: RunRow[] | undefined; rows: EpisodeRow[]; leftOut: number }) {
  const [search, setSearch] = useState('')
  const [selectedId, setSelectedId] = useState<string | null>(null)
  const input = useRef<HTMLInputElement>(null)
  const rows = useMemo(() => {
    const words = search.toLowerCase().split(/\s+/).filter(word => word !== '')
    return all.filter(row => words.every(word => textOf(row).includes(word))).sort((a, b) => b.number - a.number)
  }, [all, search])
  const selected = rows.findIndex(({ episode }) => episode === selectedId)
  const move = (index: number): void => setSelectedId(rows[Math.max(0, Math.min(rows.length - 1, index))]?.episode ?? null)
  const open = (index: number): void => { const row = rows[index]; if (row) location.hash = links.episode(run, row.episode) }
  useKeys({ j: () => move(selected + 1), k: () => move(selected - 1), ArrowDown: () => move(selected + 1), ArrowUp: () => move(selected - 1), Enter: () => open(selected), '/': () => input.current?.focus(), Escape: () => { setSearch(''); input.current?.blur() } })
  return (
    <div class='full'>
      <RunHead run={run} runs={runs} tab='episodes' />
      <div class='bar'><input ref={input} type='search' placeholder='Search: id, state, strategy, ending, bug' aria-label='Search episodes' value={search} onInput={event => setSearch(event.currentTarget.value)} onKeyDown={event => { if (event.key === 'Enter') { event.currentTarget.blur(); move(0) } }} />
        <span class='muted'>{plural(rows.length, 'episode')}{leftOut > 0 ? `, ${count(leftOut)} more are not listed` : ''}</span></div>
      {rows.length === 0 ? <Empty title={all.length === 0 ? 'No episode has begun' : 'No episode matches'} /> : <>
        <div class='episode labels' aria-hidden='true'><span>episode</span><span>state</span><span>strategy</span><span>what came of it</span><span>solved</span><span class='n'>breaker</span></div>
        <Virtual label='Episodes' role='listbox' count={rows.length} selected={selected} onSelect={move} onOpen={open} row={index => ({ key: rows[index]!.episode, attributes: { role: 'option', 'data-episode': rows[index]!.episode }, content: <Row row={rows[index]!} /> })} />
      </>}
    </div>
  )
}

const textOf = ({ episode, state, strategy, ending, bugs }: EpisodeRow): string => `${episode} ${state} ${strategy} ${ending?.kind ?? ''} ${ending?.failed ?? ''} ${bugs.map(({ bug }) => bug).join(' ')}`.toLowerCase()

/** How it ended, in words. */
export function endingWords (row: EpisodeRow): string {
  const { ending, bugs } = row
  if (ending === null) return bugs.length > 0 ? `${bugs[0]!.bug}` : ''
  if (ending.kind === 'played') return `${bugs[0]?.bug ?? 'a bug'}${bugs.length > 1 ? ' and one of the second order' : ''}`
  return ending.kind === 'rejected' ? `rejected: ${ending.failed ?? ''}` : spaced(ending.outcome ?? 'fault')
}

function Row ({ row }: { row: EpisodeRow }) {
  const { episode, state, strategy, ending, bugs, breakerReward } = row
  const [scored, solved] = [bugs.reduce((sum, bug) => sum + bug.scored, 0), bugs.reduce((sum, bug) => sum + bug.solved, 0)]
  return (
    <div class='episode'>
      <span class='id'>{episode}</span>
      <span><Badge>{ending?.kind ?? state}</Badge></span>
      <span class='muted'>{strategy}</span>
      <span class='what'><Word>{endingWords(row)}</Word></span>
      <span class='rate'>{scored > 0 ? <><Meter value={solved} max={scored} title={`${solved} of ${scored} attempts solved it`} tone='good' /> {share(solved / scored)}</> : <span class='muted'>{missing}</span>}</span>
      <span class={`n ${breakerReward === null ? 'muted' : breakerReward < 0 ? 'bad' : 'good'}`}>{reward(breakerReward)}</span>
    </div>
  )
}
