// What has to hold after chaos, each as a line with its figure and, where it does not hold, what is wrong.

import type { Bus } from '../../src/bus/types.ts'
import { episodeKey } from '../../src/cluster/keys.ts'
import { listNodes } from '../../src/cluster/presence.ts'
import { openRunStore } from '../../src/store/run.ts'
import { episodesOf, essenceOf, rolloutsOf, wrongRewards } from './outcomes.ts'
import type { RunRecords } from './played.ts'
import { sleep } from './processes.ts'

export interface Check { name: string; holds: boolean; figure: string; wrong: string[] }

/** Lines that a check shows of what is wrong. */
const wrongMax = 10

export const check = (name: string, wrong: readonly string[], figure: string): Check =>
  ({ name, holds: wrong.length === 0, figure, wrong: [...wrong.slice(0, wrongMax), ...(wrong.length > wrongMax ? [`… and ${wrong.length - wrongMax} more`] : [])] })

export interface Totals { dispatched: number; settled: number; cancelled: number; quarantined: number; open: number }

export function ledgerBalances (name: string, { dispatched, settled, cancelled, quarantined, open }: Totals): Check {
  const wrong = dispatched === settled + cancelled + quarantined && open === 0 ? [] : [`${open} of ${dispatched} are open`]
  return check(name, wrong, `${dispatched} = ${settled} settled + ${cancelled} cancelled + ${quarantined} quarantined`)
}

export function nothingQuarantined ({ endings }: RunRecords): Check {
  const wrong = [...endings].flatMap(([work, ending]) => ending.kind === 'quarantined' ? [`${work}: ${ending.reason} [${ending.code}], failures: ${ending.failures.map(({ delivery, node, code }) => `${delivery} on ${node} ${code}`).join(', ') || 'none'}`] : [])
  return check('nothing is in quarantine', wrong, `${wrong.length} of ${endings.size}`)
}

export function nothingLost (dir: string, episodes: number, { dispatched, endings, settled, samples }: RunRecords): Check {
  const store = openRunStore(dir)
  const wrong = [
    ...[...dispatched].filter(work => !endings.has(work)).map(work => `${work} has no ending`),
    ...Array.from({ length: episodes }, (_, index) => `e${String(index + 1).padStart(4, '0')}`).filter(episode => !settled.has(episode)).map(episode => `${episode} has no outcome`),
    ...episodesOf(store).flatMap(rolloutsOf).filter(rollout => !samples.has(rollout)).map(rollout => `${rollout} has no sample`)
  ]
  return check('nothing is lost', wrong, `${settled.size} episodes, ${dispatched.size} pieces of work, ${samples.size} samples`)
}

export function nothingTwice ({ samples, entries }: RunRecords): Check {
  const wrong = [...samples, ...entries].filter(([, times]) => times > 1).map(([key, times]) => `${key} is there ${times} times`)
  return check('nothing is there twice', wrong, `${samples.size} samples, ${entries.size} records`)
}

export function rewardsFollow (dir: string): Check {
  const { checked, wrong } = wrongRewards(dir)
  return check('every reward follows from its evidence', wrong, `${checked} rewards`)
}

export function faultsUnscored (dir: string): Check {
  const samples = openRunStore(dir).samples.all()
  const faults = samples.filter(({ outcome }) => outcome === 'infra_fault' || outcome === 'cancelled')
  const wrong = [
    ...faults.filter(({ reward, solved }) => reward !== null || solved !== null).map(({ rollout_id: id, outcome, reward }) => `${id} is ${outcome} and has ${reward}`),
    ...faults.map(({ rollout_id: id, outcome, reason }) => `${id} ended as ${outcome}: ${reason}`)
  ]
  return check('no fault of infrastructure is an outcome', wrong, `${faults.length} of ${samples.length} samples`)
}

export function sameAs (calmDir: string, dir: string): Check {
  const calm = essenceOf(calmDir)
  const played = essenceOf(dir)
  const wrong = [...new Set([...calm.keys(), ...played.keys()])].sort().flatMap(episode => {
    const [one, other] = [JSON.stringify(calm.get(episode)), JSON.stringify(played.get(episode))]
    return one === other ? [] : [`${episode}\n    calm  ${one}\n    chaos ${other}`]
  })
  return check('the same episodes as without chaos', wrong, `${played.size} of ${calm.size}, ${[...played.values()].reduce((sum, { bugs }) => sum + bugs.length, 0)} bugs`)
}

/** Nothing of a run that has ended waits anywhere, and every node is seen. */
export async function busIsClean (bus: Bus, runs: readonly string[], episodes: number): Promise<Check> {
  const waiting = (await Promise.all(runs.map(run => bus.queue.subjects(run)))).flat()
  const numbers = Array.from({ length: episodes }, (_, index) => `e${String(index + 1).padStart(4, '0')}`)
  const kept = await Promise.all(runs.flatMap(run => numbers.map(async episode => await bus.kv.episodes.get(episodeKey(run, episode)) === null ? [] : [`the snapshot of ${episode} of ${run} is kept`])))
  return check('nothing is left on the bus', [...waiting.map(({ kind, run, id }) => `${kind} ${id} of ${run} waits`), ...kept.flat()], `${waiting.length} messages, ${kept.flat().length} snapshots`)
}

/** A node says so again within its period, once the bus is back. */
const seenMsMax = 15_000

export async function nodesAreSeen (bus: Bus, names: readonly string[]): Promise<Check> {
  let seen: string[] = []
  for (const since = Date.now(); names.some(name => !seen.includes(name)) && Date.now() - since < seenMsMax; await sleep(500)) seen = await listNodes(bus).then(nodes => nodes.map(({ node }) => node), () => [])
  return check('every node is seen', names.filter(name => !seen.includes(name)).map(name => `${name} does not say that it is there`), `${seen.length} of ${names.length}`)
}
