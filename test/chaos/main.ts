// npm run chaos -- [--minutes 5] [--seed 1] [--nodes 3] [--cluster] [--episodes n] [--keep dir] [--json]: plays a run while
// nodes, servers, connections, sandboxes and disks fail, and checks that nothing of it is lost, twice or wrong. Exit code 0 or 1.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { renderTable } from '../../src/cli/table.ts'
import { natsServers } from '../helpers/nats-server.ts'
import { playSession, type Report } from './session.ts'

const { values } = parseArgs({ options: {
  minutes: { type: 'string', default: '5' }, seed: { type: 'string', default: '1' }, nodes: { type: 'string', default: '3' }, episodes: { type: 'string' },
  cluster: { type: 'boolean', default: false }, keep: { type: 'string' }, json: { type: 'boolean', default: false }
} })

/** What two cores play in a minute of chaos, about. */
const episodesPerMinute = 6
const minutes = Number(values.minutes)
const server = natsServers().at(-1)
if (server === undefined) throw new Error('there is no nats-server: put one on the PATH, or name one in SPAR_TEST_NATS_SERVER')
const folder = values.keep === undefined ? mkdtempSync(join(tmpdir(), 'spar-chaos-')) : resolve(values.keep)
const say = (line: string): void => { process.stderr.write(`${line}\n`) }

say(`nats-server ${server.name}${values.cluster ? ', three of them' : ''}, ${values.nodes} nodes, seed ${values.seed}, everything in ${folder}`)
const report = await playSession({
  folder, binary: server.path, knowsSync: !server.name.startsWith('2.9'), size: values.cluster ? 3 : 1, nodes: Number(values.nodes), seed: Number(values.seed),
  episodes: values.episodes === undefined ? Math.max(1, Math.round(minutes * episodesPerMinute)) : Number(values.episodes), chaosMs: minutes * 60_000,
  ackWaitMs: 3_000, reapMs: 20_000, pauseMs: { min: 1_500, max: 5_000 }, group: 4, maxOrder: 2, onLine: say
})
const passed = report.checks.every(({ holds }) => holds)
if (values.json) process.stdout.write(`${JSON.stringify({ seed: Number(values.seed), server: server.name, passed, ...report })}\n`)
else process.stdout.write(`${textOf(report)}\n\n${passed ? 'Everything holds.' : 'Something does not hold.'}\n`)
if (values.keep === undefined && passed) rmSync(folder, { recursive: true, force: true })
else say(`kept in ${folder}`)
process.exitCode = passed ? 0 : 1

function textOf ({ checks, faults, failures, redelivered, episodes, calmMs, chaosMs, restMs, ownEnds }: Report): string {
  const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`
  return [
    `${episodes} episodes: ${seconds(calmMs)} without chaos, ${seconds(chaosMs + restMs)} with ${seconds(chaosMs)} of it.`,
    `Faults: ${Object.entries(faults).map(([kind, count]) => `${kind} ${count}`).join(', ')}.`,
    `${redelivered} pieces of work ended at a later delivery than the first; failed deliveries: ${Object.entries(failures).map(([code, count]) => `${code} ${count}`).join(', ') || 'none'}; nodes that ended by themselves: ${ownEnds}.`,
    '',
    renderTable(['', 'check', 'figure'], checks.map(({ holds, name, figure }) => [holds ? '✓' : '✗', name, figure])),
    ...checks.flatMap(({ name, wrong }) => wrong.map(line => `${name}: ${line}`))
  ].join('\n')
}
