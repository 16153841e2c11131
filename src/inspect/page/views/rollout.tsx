// One rollout: what was said and done turn by turn, what it cost, and the tokens behind it. All of it is a model's text.

import { useEffect, useState } from 'preact/hooks'
import { topics, turnsPerPage, type RolloutView, type TurnView } from '../../protocol.ts'
import { Badge, Empty, Failed, Loading, Meter, Panel, Wide } from '../parts/bits.tsx'
import { TextBlock, Word } from '../parts/text.tsx'
import { links } from '../route.ts'
import { useKeys, useTopic } from '../use.ts'
import { bytes, count, duration, missing, plural, reward } from '../words.ts'
import { Tokens } from './tokens.tsx'

export function Rollout ({ run, rollout, page, turn }: { run: string; rollout: string; page: number; turn: number | null }) {
  const { value, failure } = useTopic('rollout', topics.rollout(run, rollout, page))
  const go = (to: number): void => { if (value && to >= 0 && to < value.pages) location.hash = links.rollout(run, rollout, to) }
  useKeys({ ArrowLeft: () => go(page - 1), ArrowRight: () => go(page + 1), j: () => step(1), k: () => step(-1) })
  const isHere = value !== undefined
  useEffect(() => { if (isHere && turn !== null) show(document.getElementById(`turn-${turn}`)) }, [isHere, turn])
  if (value === undefined) return failure ? <Failed failure={failure} /> : <Loading what={`the rollout ${rollout}`} />
  return (
    <>
      <Head view={value} />
      {value.findings.length > 0 && <Panel title='What was odd'><ul class='plain'>{value.findings.map((finding, index) => <li key={index}><Word>{finding}</Word></li>)}</ul></Panel>}
      <Panel title='Transcript' note={`${plural(value.turnsTotal, 'turn')}${value.isLive ? ', still played' : ''}; text of a model`}>
        {value.turns.length === 0 ? <Empty title={value.isLive ? 'It has not said anything yet' : 'Nothing was said'} /> : <ol class='turns' start={page * turnsPerPage + 1}>{value.turns.map(turn => <Turn key={turn.n} turn={turn} link={links.rollout(run, rollout, page, turn.n)} />)}</ol>}
        <Pages view={value} />
      </Panel>
      <Model view={value} />
    </>
  )
}

/** Goes to the next turn from the one that is seen. */
function step (by: 1 | -1): void {
  const turns = [...document.querySelectorAll<HTMLElement>('.turn')]
  const top = 90
  const at = turns.findLastIndex(turn => turn.getBoundingClientRect().top <= top + 4)
  show(turns[Math.max(0, Math.min(turns.length - 1, at + by))] ?? null)
}

function show (turn: HTMLElement | null): void {
  turn?.scrollIntoView({ block: 'start' })
  turn?.focus({ preventScroll: true })
}

function Head ({ view }: { view: RolloutView }) {
  const { run, episode, row, isLive, bug, budget, startedAt, endedAt, sandbox, versions, untrainable } = view
  return (
    <div class='head'>
      <h1><a class='muted' href={links.episode(run, episode)}>{episode}</a> {row.rollout} <Badge {...(isLive ? { tone: 'busy' as const } : {})}>{isLive ? 'playing' : row.outcome}</Badge></h1>
      <p class='facts'>
        <span>{row.role}</span>
        {row.policy && <span><Word>{`${row.policy.name} ${versions.start}${versions.end === versions.start ? '' : ` to ${versions.end}`}`}</Word></span>}
        {startedAt !== null && endedAt !== null && <span>{duration(endedAt - startedAt)}</span>}
        {sandbox && <span>{sandbox.kind} sandbox, {sandbox.isolation}</span>}
        {bug !== null && <span><code>{bug}</code></span>}
        <span>reward <b class={row.reward === null ? '' : row.reward < 0 ? 'bad' : 'good'}>{reward(row.reward)}</b>, advantage {reward(row.advantage)}</span>
        {row.reason !== '' && <span class='why'><Word>{row.reason}</Word></span>}
      </p>
      <p class='budget'>
        <Budget name='turns' used={budget.turns.used} max={budget.turns.max} />
        {budget.tokens.used !== null && <Budget name='tokens' used={budget.tokens.used} max={budget.tokens.max} />}
      </p>
      {untrainable !== null && <p class='muted'>Nothing is trained on it: <Word>{untrainable}</Word></p>}
    </div>
  )
}

const Budget = ({ name, used, max }: { name: string; used: number | null; max: number | null }) => (
  <span>{max !== null && used !== null && <Meter value={used} max={max} title={`${used} of ${max} ${name}`} tone={used >= max ? 'bad' : 'busy'} />} <b>{count(used)}</b>{max === null ? '' : ` of ${count(max)}`} {name}</span>
)

function Turn ({ turn: { n, said, call, observation, exitCode, timedOut, truncatedBytes, ms }, link }: { turn: TurnView; link: string }) {
  return (
    <li class='turn' id={`turn-${n}`} tabIndex={-1}>
      <a class='number' href={link} aria-label={`Turn ${n}`}>{n}</a>
      <div class='said'><TextBlock content={said} label={`What was said in turn ${n}`} /></div>
      {call && <div class='call'><p class='tool'><b>{call.tool}</b>{call.path !== null && <code><Word>{call.path}</Word></code>}</p><TextBlock content={call.shown} label={`Tool call of turn ${n}`} first={2_000} /></div>}
      {observation && <div class={`observed ${exitCode === 0 ? '' : 'nonzero'}`}>
        <p class='tool'>{timedOut ? <Badge tone='bad'>timed out</Badge> : exitCode === null ? <Badge tone='bad'>killed</Badge> : <span class={exitCode === 0 ? 'good' : 'bad'}>exit {exitCode}</span>} <span class='muted'>{ms === null ? '' : duration(ms)}{truncatedBytes > 0 ? `, ${bytes(truncatedBytes)} left out` : ''}</span></p>
        <TextBlock content={observation} label={`Output of turn ${n}`} first={2_000} />
      </div>}
      {!call && !observation && <p class='muted none'>No tool was called</p>}
    </li>
  )
}

const Pages = ({ view: { run, row, page, pages } }: { view: RolloutView }) => pages < 2
  ? null
  : <nav class='pages' aria-label='Pages of the transcript'>{page > 0 && <a href={links.rollout(run, row.rollout, page - 1)}>◂ earlier turns</a>} <span class='muted'>page {page + 1} of {pages}</span> {page + 1 < pages && <a href={links.rollout(run, row.rollout, page + 1)}>later turns ▸</a>}</nav>

function Model ({ view: { run, row, calls, segments } }: { view: RolloutView }) {
  const [segment, setSegment] = useState(0)
  if (calls.length === 0 && segments.length === 0) return null
  return (
    <>
      {segments.length > 0 && <Panel title='Tokens' note='as the server said them: what the policy drew is coloured by how sure it was'>
        {segments.length > 1 && <p class='tools'>{segments.map(({ n, tokens, breakReason }) => <button key={n} class='quiet' aria-pressed={segment === n} onClick={() => setSegment(n)}>run {n + 1} ({count(tokens)}{breakReason === null ? '' : `, ${breakReason}`})</button>)}</p>}
        <Tokens run={run} rollout={row.rollout} segment={segments.find(({ n }) => n === segment) ?? segments[0]!} />
      </Panel>}
      {calls.length > 0 && <Panel title='Calls of the model' note={plural(calls.length, 'call')}>
        <Wide label='Calls of the model'><table><thead><tr><th class='n'>#</th><th>version</th><th>model</th><th class='n'>prompt</th><th class='n'>cached</th><th class='n'>drawn</th><th>ended by</th><th class='n'>took</th><th>at</th></tr></thead>
          <tbody>{calls.map(({ n, version, model, promptTokens, cachedTokens, completionTokens, finishReason, ms, endpoint, error }) => <tr key={n}><td class='n'>{n}</td><td><Word>{version}</Word></td><td><Word>{model}</Word></td><td class='n'>{count(promptTokens)}</td><td class='n'>{count(cachedTokens)}</td><td class='n'>{count(completionTokens)}</td><td>{error ? <span class='bad'><code>{error.code}</code> <Word>{error.message}</Word></span> : <Word>{finishReason ?? missing}</Word>}</td><td class='n'>{duration(ms)}</td><td class='muted'><Word>{endpoint}</Word></td></tr>)}</tbody></table></Wide>
      </Panel>}
    </>
  )
}
