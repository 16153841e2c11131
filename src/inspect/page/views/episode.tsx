// One episode: how it came about, the five files, what verification says, the attempts side by side, and the rewards.

import { topics, type AttemptView, type BugView, type EpisodeView, type FileView, type RolloutRow } from '../../protocol.ts'
import { Badge, Copy, Empty, Failed, Loading, Meter, Panel, Stat, Wide } from '../parts/bits.tsx'
import { Diff } from '../parts/diff.tsx'
import { JsonText } from '../parts/json.tsx'
import { TextBlock, Word } from '../parts/text.tsx'
import { links, readRoute, tabs, type Tab } from '../route.ts'
import { useKeys, useTopic } from '../use.ts'
import { missing, plural, reward, share, spaced } from '../words.ts'
import { Verification } from './verification.tsx'

export function Episode ({ run, episode, tab }: { run: string; episode: string; tab: Tab }) {
  const { value, failure } = useTopic('episode', topics.episode(run, episode))
  const turn = (by: number) => (): void => {
    const route = readRoute(location.hash)
    const at = tabs.indexOf(route.view === 'episode' ? route.tab : tab)
    location.replace(links.episode(run, episode, tabs[(at + by + tabs.length) % tabs.length]!))
  }
  useKeys({ ArrowLeft: turn(-1), ArrowRight: turn(1) })
  if (value === undefined) return failure ? <Failed failure={failure} /> : <Loading what={`the episode ${episode}`} />
  return (
    <>
      <Head view={value} tab={tab} />
      {tab === 'overview' && <Overview view={value} />}
      {tab === 'files' && <Files lineage={value.lineage} state={value.state} />}
      {tab === 'checks' && (value.verdict === null ? <Empty title={value.ending === null ? 'Not verified yet' : 'There was nothing to verify'}>{value.state === 'verifying' ? 'The checks run now.' : value.ending === null ? `The episode is ${value.state}.` : 'The breaker submitted no artifact.'}</Empty> : <Verification verdict={value.verdict} />)}
      {tab === 'attempts' && <Attempts run={value.run} lineage={value.lineage} isOver={value.ending !== null} />}
    </>
  )
}

const titles: Record<Tab, string> = { overview: 'Overview', files: 'Files', checks: 'Verification', attempts: 'Attempts' }

function Head ({ view, tab }: { view: EpisodeView; tab: Tab }) {
  const { run, episode, state, ending, strategy, round, seed, arena, node, params } = view
  return (
    <div class='head'>
      <h1><a class='muted' href={links.run(run)}><Word>{run}</Word></a> {episode} <Badge>{ending?.kind ?? state}</Badge></h1>
      <p class='facts'>
        <span>{strategy}</span><span>round {round}</span><span>seed {seed}</span>
        {arena && <span><Word>{arena.target}</Word> at <code>{arena.commit.slice(0, 10)}</code>, {arena.runner}</span>}
        <span>asked for {plural(params.minFailing, 'failing test')}, {plural(params.minFiles, 'file')}</span>
        {node !== null && <span>on {node}</span>}
        {ending !== null && ending.reason !== '' && <span class='why'><Word>{ending.reason}</Word></span>}
      </p>
      <nav class='tabs' aria-label='Of this episode'>{tabs.map(name => <a key={name} href={links.episode(run, episode, name)} aria-current={name === tab ? 'page' : undefined}>{titles[name]}</a>)}</nav>
    </div>
  )
}

function Overview ({ view }: { view: EpisodeView }) {
  const { run, breaker, lineage, reward: came, verdict } = view
  return (
    <>
      <Panel title='Lineage' note='from the breaker to the attempts'>
        <ol class='lineage'>
          <li><span class='step'>breaks</span>{breaker === null ? <span class='muted'>the breaker has not begun</span> : <RolloutLine run={run} row={breaker} />}</li>
          {lineage.map(bug => <Bug key={bug.bug} run={run} bug={bug} isRejected={verdict !== null && verdict.decided && !verdict.valid} />)}
          {lineage.length === 0 && <li><span class='step'>bug</span><span class='muted'>no artifact {view.ending === null ? 'yet' : 'was submitted'}</span></li>}
        </ol>
      </Panel>
      <Panel title='The breaker’s reward'>
        <dl class='stats'>
          <Stat label='reward' value={<span class={came.reward === null ? '' : came.reward < 0 ? 'bad' : 'good'}>{reward(came.reward)}</span>} />
          <Stat label='artifact' value={came.valid === null ? missing : came.valid ? 'valid' : 'invalid'} />
          <Stat label='solve rate' value={came.scored === 0 ? missing : share(came.solved / came.scored)} note={`${came.solved} of ${came.scored} scored`} />
          <Stat label='advantage' value={reward(breaker?.advantage ?? null)} note='against its round' />
        </dl>
        <p class='formula'><Word>{came.why}</Word></p>
        <p class='muted'>−1 for an invalid artifact; −α = −{came.alpha} for a bug that all or none of the attempts solve; else 1 − (1 + α)·s, where s is the share of scored attempts that solve it. At least {plural(came.scoredMin, 'scored attempt')}. A solver gets +1 or −1.</p>
      </Panel>
      {verdict && <Panel title='Verification' note={<a href={links.episode(run, view.episode, 'checks')}>with evidence</a>}>
        <ul class='checks'>{verdict.checks.map(({ name, verdict }) => <li key={name}><Badge>{verdict}</Badge> {name}</li>)}</ul>
      </Panel>}
    </>
  )
}

function Bug ({ run, bug: { bug, order, madeOf, attempts }, isRejected }: { run: string; bug: BugView; isRejected: boolean }) {
  const scored = attempts.filter(({ solved }) => solved !== null)
  return (
    <>
      <li><span class='step'>{order === 1 ? isRejected ? 'rejected' : 'bug' : 'second order'}</span><code>{bug}</code>{madeOf !== null && <span class='muted'> made of <a href={links.rollout(run, madeOf)}>{madeOf}</a>, which failed</span>}</li>
      {attempts.length > 0 && <li class='group'><span class='step'>solved</span>
        <div><p>{scored.length === 0 ? <span class='muted'>no attempt has a verdict yet</span> : <><Meter value={scored.filter(({ solved }) => solved).length} max={scored.length} title='solve rate' tone='good' /> {scored.filter(({ solved }) => solved).length} of {scored.length}</>}</p>
          <ul class='plain'>{attempts.map(({ rollout }) => <li key={rollout.rollout}><RolloutLine run={run} row={rollout} /></li>)}</ul></div></li>}
    </>
  )
}

export const RolloutLine = ({ run, row }: { run: string; row: RolloutRow }) => (
  <span class='rollout'>
    {row.hasRecord || row.outcome === 'playing' ? <a data-nav href={links.rollout(run, row.rollout)}>{row.rollout}</a> : <span>{row.rollout}</span>} <Badge>{row.outcome}</Badge>
    {row.policy && <span class='muted'><Word>{`${row.policy.name} ${row.policy.version}`}</Word></span>}
    {row.turns !== null && <span class='muted'>{plural(row.turns, 'turn')}</span>}
    {row.delivery !== null && row.delivery > 1 && <span class='warn'>delivery {row.delivery}</span>}
    <span class={row.reward === null ? 'muted' : row.reward < 0 ? 'bad' : 'good'}>{reward(row.reward)}</span>
    {row.reason !== '' && <span class='muted reason'><Word>{spaced(row.reason)}</Word></span>}
  </span>
)

function Files ({ lineage, state }: { lineage: BugView[]; state: string }) {
  if (lineage.length === 0) return <Empty title='No artifact'>{state === 'done' ? 'The breaker submitted none.' : 'The breaker has not submitted one yet.'}</Empty>
  return <>{lineage.map(({ bug, order, files }) => <section key={bug}><h2 class='over'>{order === 1 ? 'The bug' : 'The bug of the second order'} <code>{bug}</code></h2>{files.toSorted(byKind).map(file => <File key={file.name} file={file} />)}</section>)}</>
}

/** Patches first: they are the bug. */
const byKind = (a: FileView, b: FileView): number => Number(b.kind === 'diff') - Number(a.kind === 'diff')

const purposes: Record<string, string> = {
  'bug_inject.diff': 'puts the bug into the code', 'test_weaken.diff': 'hides it from the tests', 'test_script.sh': 'runs the tests', 'test_files.txt': 'the oracle: its files are put back before grading',
  'pred_patch.diff': 'the failed attempt, applied last'
}

const File = ({ file: { name, kind, content } }: { file: FileView }) => (
  <Panel title={name} note={<>{purposes[name] ?? (name.startsWith('test_parser') ? 'reads the log of the tests' : '')} <Copy text={content.text} /></>}>
    {kind === 'diff' ? <Diff content={content} label={name} /> : <TextBlock content={content} label={name} />}
  </Panel>
)

function Attempts ({ run, lineage, isOver }: { run: string; lineage: BugView[]; isOver: boolean }) {
  if (lineage.every(({ attempts }) => attempts.length === 0)) return <Empty title={isOver ? 'Nobody tried' : 'No attempt yet'}>{isOver ? 'There was no verified bug to solve.' : 'Solvers begin when the bug is verified.'}</Empty>
  return <>{lineage.filter(({ attempts }) => attempts.length > 0).map(({ bug, attempts }) => <section key={bug}><h2 class='over'>{plural(attempts.length, 'attempt')} on <code>{bug}</code></h2><Wide label={`Attempts on ${bug}`}><div class='attempts'>{attempts.map(attempt => <Attempt key={attempt.member} run={run} attempt={attempt} />)}</div></Wide></section>)}</>
}

const Attempt = ({ run, attempt: { rollout, member, solved, patch, grade } }: { run: string; attempt: AttemptView }) => (
  <article class='card attempt'>
    <header><strong>{member}</strong> {solved === null ? <Badge tone='quiet'>{rollout.outcome}</Badge> : <Badge tone={solved ? 'good' : 'bad'}>{solved ? 'solved' : 'not solved'}</Badge>} <span class={rollout.reward === null ? 'muted' : rollout.reward < 0 ? 'bad' : 'good'}>{reward(rollout.reward)}</span> <span class='muted'>advantage {reward(rollout.advantage)}</span></header>
    <p><a data-nav href={links.rollout(run, rollout.rollout)}>{rollout.rollout}</a>{rollout.turns !== null && <span class='muted'>, {plural(rollout.turns, 'turn')}</span>}</p>
    {grade && <p>{spaced(grade.outcome)}{grade.reason !== '' && grade.reason !== grade.outcome && <span class='muted'>: <Word>{grade.reason}</Word></span>}</p>}
    {grade && grade.failing.length > 0 && <Names title='still failing' names={grade.failing} />}
    {grade && grade.missing.length > 0 && <Names title='without a result' names={grade.missing} />}
    {patch === null ? <p class='muted none'>It submitted no patch</p> : <Diff content={patch} label={`Patch of ${rollout.rollout}`} narrow />}
    {grade && grade.evidence.text !== '' && grade.evidence.text !== '{}' && <details><summary>evidence</summary><JsonText content={grade.evidence} label='Evidence of the grade' /></details>}
  </article>
)

const namesFirst = 12

export const Names = ({ title, names, total = names.length }: { title: string; names: string[]; total?: number }) => (
  <details class='names' open={names.length > 0 && names.length <= 4}><summary>{title} <b>{total}</b></summary><ul class='plain'>{names.slice(0, namesFirst * 8).map(name => <li key={name}><code><Word>{name}</Word></code></li>)}{total > Math.min(names.length, namesFirst * 8) && <li class='muted'>and {total - Math.min(names.length, namesFirst * 8)} more</li>}</ul></details>
)
