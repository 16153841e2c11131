// Training: how a run goes over its settled episodes, and how hard its bugs are beside what is best in theory.

import { topics, type TrainingView } from '../../protocol.ts'
import { Empty, Failed, Loading, Panel } from '../parts/bits.tsx'
import { BarPlot, LinePlot } from '../parts/plot.tsx'
import { Word } from '../parts/text.tsx'
import { useTopic } from '../use.ts'
import { count, plural, reward, share, spaced } from '../words.ts'
import { NoRun, RunHead, useRun } from './run.tsx'

export function Training ({ run: named }: { run: string | null }) {
  const { run, runs, failure } = useRun(named)
  const training = useTopic('training', run === undefined ? null : topics.training(run))
  if (run === undefined) return failure ? <Failed failure={failure} /> : runs === undefined ? <Loading what='the runs' /> : <NoRun />
  return (
    <>
      <RunHead run={run} runs={runs} tab='training' />
      {training.value === undefined ? training.failure ? <Failed failure={training.failure} /> : <Loading what='its figures' /> : <Shown view={training.value} />}
    </>
  )
}

function Shown ({ view }: { view: TrainingView }) {
  const { points, histogram, optimum, dropped, rejected, versions, group, alpha } = view
  if (points.length === 0) return <Empty title='No episode has settled yet'>Curves begin with the first one.</Empty>
  const xs = points.map(({ n }) => n)
  const staleness = points.map(point => point.staleness)
  const stalest = Math.max(1, ...staleness.map(value => value ?? 0))
  const each = points[0]!.episodes
  return (
    <>
      <p class='muted'>{plural(points.length, 'point')}{each > 1 ? `, each over ${each} episodes` : ', one an episode'}; {plural(versions.length, 'policy version')}; groups of {group}; α = {alpha}</p>
      <div class='plots'>
        <LinePlot title='Solve rate and validity' xName='episode' xs={xs} low={0} high={1} ticks={[0, 0.25, 0.5, 0.75, 1]} format={share} series={[{ name: 'solve rate', color: 1, values: points.map(point => point.solveRate) }, { name: 'valid artifacts', color: 2, values: points.map(point => point.validity) }]} />
        <LinePlot title='Mean reward' xName='episode' xs={xs} low={-1} high={1} ticks={[-1, -0.5, 0, 0.5, 1]} format={reward} series={[{ name: 'breaker', color: 1, values: points.map(point => point.breakerReward) }, { name: 'solver', color: 2, values: points.map(point => point.solverReward) }]} />
        <BarPlot title='Solve rate of bugs' counts={histogram.counts} peak={optimum.peak} curve={optimum.curve} />
        <LinePlot title='Staleness in versions' xName='episode' xs={xs} low={0} high={stalest} ticks={[0, stalest]} format={value => String(Math.round(value * 10) / 10)} series={[{ name: 'behind', color: 1, values: staleness }]} />
      </div>
      <div class='columns'>
        <Panel title='Rejected artifacts' note='by the check that failed'><Causes causes={rejected} none='Every artifact was valid' /></Panel>
        <Panel title='Dropped rollouts' note='they carry no reward'><Causes causes={dropped} none='Every rollout carries a reward' /></Panel>
      </div>
    </>
  )
}

function Causes ({ causes, none }: { causes: Record<string, number>; none: string }) {
  const sorted = Object.entries(causes).filter(([, number]) => number > 0).sort(([, a], [, b]) => b - a)
  if (sorted.length === 0) return <Empty title={none} />
  const most = sorted[0]![1]
  return <ul class='causes'>{sorted.map(([cause, number]) => <li key={cause}><span><Word>{spaced(cause)}</Word></span><span class='track'><i style={{ width: `${100 * number / most}%` }} /></span><span class='n'>{count(number)}</span></li>)}</ul>
}
