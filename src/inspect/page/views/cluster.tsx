// The cluster, or the one process: what is going on in words, nodes with their slots, runs, queues, what went wrong.

import { useMemo } from 'preact/hooks'
import { topics, type ClusterView, type NodeRow, type RunRow } from '../../protocol.ts'
import { Act, Badge, Empty, Failed, Loading, Meter, Panel, Stat, Wide } from '../parts/bits.tsx'
import { Word } from '../parts/text.tsx'
import { links } from '../route.ts'
import { figuresOf, sentenceOf } from '../summary.ts'
import { useLink, useNow, useTopic } from '../use.ts'
import { count, duration, missing, plural, ticking } from '../words.ts'

export function Cluster () {
  const { value, failure } = useTopic('cluster', topics.cluster)
  if (value === undefined) return failure ? <Failed failure={failure} /> : <Loading what='the cluster' />
  return <Shown cluster={value} />
}

/** The runs whose episodes the sentence is made from: the last ones that play, or the last one. */
const summedMax = 3

function Shown ({ cluster }: { cluster: ClusterView }) {
  const now = useNow()
  const source = useLink().hello()?.source
  const { nodes, queues, ledger, throughput, policies, faults, runs, runsLeftOut } = cluster
  const waiting = queues.reduce((sum, queue) => sum + queue.waiting, 0)
  const gone = nodes.filter(({ state }) => state === 'gone').length
  const minutes = throughput.windowMs / 60_000
  return (
    <>
      <Sentence cluster={cluster} />
      <dl class='stats'>
        <Stat label='work done' value={count(ledger.settled)} note={`of ${count(ledger.dispatched)}`} />
        <Stat label='open' value={count(ledger.open)} note={`${count(waiting)} waiting`} />
        {source !== 'folder' && <Stat label='rollouts a minute' value={(throughput.rollouts / minutes).toFixed(1)} note={`last ${duration(throughput.windowMs).replace(' 00 s', '')}`} />}
        <Stat label='episodes' value={count(runs.reduce((sum, run) => sum + run.episodes.settled, 0))} note='settled' />
        <Stat label='given up' value={<span class={ledger.quarantined > 0 ? 'bad' : ''}>{count(ledger.quarantined)}</span>} note={`${count(ledger.cancelled)} cancelled`} />
      </dl>
      <Panel title='Runs' note={`${plural(runs.length, 'run')}${runsLeftOut > 0 ? `, ${count(runsLeftOut)} more are not listed` : ''}`}>
        {runs.length === 0 ? <Empty title='No run yet'>Start one with <code>spar play</code>, or <code>spar run</code> on a cluster.</Empty> : <Runs runs={runs} now={now} />}
      </Panel>
      {source !== 'folder' && <Panel title={source === 'process' ? 'This process' : 'Nodes'} note={plural(nodes.length - gone, 'node') + (gone > 0 ? `, ${count(gone)} gone` : '')}>
        {nodes.length === 0 ? <Empty title='No node is there'>A node joins with <code>spar node</code>.</Empty> : <div class='cards'>{nodes.map(node => <Node key={node.node} node={node} now={now} />)}</div>}
      </Panel>}
      {source !== 'folder' && <div class='columns'>
        <Panel title='Queues'>
          {queues.length === 0 ? <Empty title='No queue' /> : <table><thead><tr><th>work</th><th class='n'>waits</th><th class='n'>taken</th></tr></thead>
            <tbody>{queues.map(({ kind, waiting, taken }) => <tr key={kind}><td>{kind}</td><td class='n'>{count(waiting)}</td><td class='n'>{count(taken)}</td></tr>)}</tbody></table>}
        </Panel>
        <Panel title='Policies'>
          {policies.length === 0 ? <Empty title='No model has published a version'>Programs play, or a model whose weights stay.</Empty> : <table><thead><tr><th>model</th><th>version</th><th class='n'>since</th></tr></thead>
            <tbody>{policies.map(({ model, version, at }) => <tr key={model}><td><Word>{model}</Word></td><td><Word>{version}</Word></td><td class='n'>{at === null ? missing : ticking(now - at)}</td></tr>)}</tbody></table>}
        </Panel>
      </div>}
      <Panel title='Faults' note='what went wrong, by cause'>
        {faults.length === 0 ? <Empty title='Nothing went wrong'>Faults of the infrastructure would stand here. They are played again, and never scored.</Empty> : <Wide label='Faults'><table><thead><tr><th>cause</th><th class='n'>times</th><th>last</th><th>why</th><th class='n'>ago</th></tr></thead>
          <tbody>{faults.map(({ code, count: times, reason, work, at }) => <tr key={code}><td><code>{code}</code></td><td class='n'>{count(times)}</td><td><code><Word>{work}</Word></code></td><td class='why'><Word>{reason}</Word></td><td class='n'>{at === null ? missing : ticking(now - at)}</td></tr>)}</tbody></table></Wide>}
      </Panel>
    </>
  )
}

function Sentence ({ cluster }: { cluster: ClusterView }) {
  const latest = cluster.runs.toSorted((a, b) => (b.startedAt ?? 0) - (a.startedAt ?? 0))
  const playing = latest.filter(({ state }) => state === 'running' || state === 'paused')
  const [first, second, third] = (playing.length > 0 ? playing : latest.slice(0, 1)).slice(0, summedMax).map(({ run }) => topics.episodes(run))
  const known = [useTopic('episodes', first ?? null), useTopic('episodes', second ?? null), useTopic('episodes', third ?? null)].map(({ value }) => value)
  const figures = useMemo(() => known.every(value => value === undefined) ? null : figuresOf(known.flatMap(value => value?.rows ?? [])), known)
  const { now, so } = sentenceOf(cluster, figures, useLink().hello()?.source ?? 'cluster')
  return <div class='sentence'><p>{now}</p><p class='so'>{so}</p></div>
}

const Runs = ({ runs, now }: { runs: RunRow[]; now: number }) => (
  <Wide label='Runs'><table class='rows'>
    <thead><tr><th>run</th><th>state</th><th>episodes</th><th>target</th><th>policies</th><th class='n'>group</th><th class='n'>began</th><th /></tr></thead>
    <tbody>{runs.map(row => {
      const { run, state, reason, episodes, targets, policies, group, startedAt, acts, wait } = row
      const total = episodes.total
      return (
        <tr key={run}>
          <td><a data-nav href={links.run(run)}><Word>{run}</Word></a></td>
          <td><Badge>{state}</Badge>{reason !== '' && <span class='muted'> <Word>{reason}</Word></span>}{wait !== null && <span class='muted'> waits for {wait.trainer}</span>}</td>
          <td class='progress'><Meter value={episodes.settled} max={total ?? episodes.settled} title={`${episodes.settled} of ${total ?? 'no end of'} episodes settled`} tone={state === 'done' ? 'good' : 'busy'} /> {count(episodes.settled)}{total === null ? '' : ` / ${count(total)}`}</td>
          <td><Word>{targets.join(', ')}</Word></td>
          <td class='muted'><Word>{policies.breaker === policies.solver ? policies.breaker : `${policies.breaker}, ${policies.solver}`}</Word></td>
          <td class='n'>{group}</td>
          <td class='n'>{startedAt === null ? missing : `${ticking(now - startedAt)} ago`}</td>
          <td class='acts'>{acts.map(verb => <Act key={verb} action={{ do: verb, run }} label={verb} {...(verb === 'cancel' ? { sure: 'Ends the run for good.' } : {})} />)}</td>
        </tr>
      )
    })}</tbody>
  </table></Wide>
)

function Node ({ node: row, now }: { node: NodeRow; now: number }) {
  const { node, host, pid, version, state, labels, slots, arenas, refusals, actors, startedAt, seenAt } = row
  return (
    <article class={`card ${state}`}>
      <header><a data-nav href={links.actors(node)}><Word>{node}</Word></a> <Badge>{state}</Badge>
        {state === 'serving' && <Act action={{ do: 'drain', node }} label='drain' sure='It takes nothing more, finishes what it has, and leaves.' />}</header>
      <ul class='slots'>{slots.map(({ kind, total, busy, done }) => (
        <li key={kind}><span class='kind'>{kind}</span><Meter value={busy} max={total} title={`${busy} of ${total} ${kind} slots are busy`} /><span class='n'>{busy} / {total}</span><span class='n muted'>{count(done)} done</span></li>
      ))}</ul>
      <p class='muted'>{host}, process {pid}, Spar {version}{Object.entries(labels).map(([name, value]) => `, ${name} ${value}`).join('')}</p>
      <p class='muted'>{actors === null ? '' : `${plural(actors, 'actor')}, `}{plural(arenas.length, 'arena')}, up for {ticking(now - startedAt)}{state === 'silent' || state === 'gone' ? `, heard of ${ticking(now - seenAt)} ago` : ''}</p>
      {refusals.map(({ target, code, reason }) => <p key={target} class='why'><code>{code}</code> <Word>{target}</Word>: <Word>{reason}</Word></p>)}
    </article>
  )
}
