// npm run chaos -- [--minutes 5] [--seed 1] [--nodes 3] [--cluster] [--sandbox process|docker] [--episodes n] [--keep dir] [--json]: plays a run while
// nodes, servers, connections, sandboxes and quotas fail, and checks that nothing of it is lost, twice or wrong.
// npm run chaos -- --power-cut [--json]: what is left of a store when the power goes. Exit code 0 or 1.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { renderTable } from '../../src/cli/table.ts'
import { natsServers } from '../helpers/nats-server.ts'
import { cutPower, powerCutRefusal } from './power-cut.ts'
import { playSession, type Report } from './session.ts'

const { values } = parseArgs({ options: {
  minutes: { type: 'string', default: '5' }, seed: { type: 'string', default: '1' }, nodes: { type: 'string', default: '3' }, episodes: { type: 'string' },
  sandbox: { type: 'string', default: 'process' }, cluster: { type: 'boolean', default: false }, 'power-cut': { type: 'boolean', default: false }, keep: { type: 'string' }, json: { type: 'boolean', default: false }
} })

/** What two cores play in a minute of chaos, about. */
const episodesPerMinute = 4
const minutes = Number(values.minutes)
const sandbox = sandboxOf(values.sandbox)
const server = natsServers().at(-1)
if (server === undefined) throw new Error('there is no nats-server: put one on the PATH, or name one in SPAR_TEST_NATS_SERVER')
const folder = values.keep === undefined ? mkdtempSync(join(tmpdir(), 'spar-chaos-')) : resolve(values.keep)
const say = (line: string): void => { process.stderr.write(`${line}\n`) }

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
const passed = values['power-cut'] ? await powerCuts(server.path, server.name) : await chaos(server.path, server.name)
if (values.keep === undefined && passed) rmSync(folder, { recursive: true, force: true })
else say(`kept in ${folder}`)
process.exitCode = passed ? 0 : 1

async function chaos (binary: string, version: string): Promise<boolean> {
  say(`nats-server ${version}${values.cluster ? ', three of them' : ''}, ${values.nodes} nodes, seed ${values.seed}, everything in ${folder}`)
  const report = await playSession({
    folder, binary, knowsSync: !version.startsWith('2.9'), size: values.cluster ? 3 : 1, nodes: Number(values.nodes), sandbox, seed: Number(values.seed),
    episodes: values.episodes === undefined ? Math.max(1, Math.round(minutes * episodesPerMinute)) : Number(values.episodes), chaosMs: minutes * 60_000,
    ackWaitMs: 3_000, reapMs: 20_000, pauseMs: { min: 1_500, max: 5_000 }, group: 4, maxOrder: 2, onLine: say
  })
  const passed = report.checks.every(({ holds }) => holds)
  if (values.json) print({ seed: Number(values.seed), server: version, passed, ...report })
  else process.stdout.write(`${textOf(report)}\n\n${passed ? 'Everything holds.' : 'Something does not hold.'}\n`)
  return passed
}

async function powerCuts (binary: string, version: string): Promise<boolean> {
  const refusal = version.startsWith('2.9') ? 'nats-server 2.9 has no sync_interval: name a current one in SPAR_TEST_NATS_SERVER' : powerCutRefusal()
  if (refusal !== null) throw new Error(`the power cannot be cut here: ${refusal}`)
  const synced = await cutPower({ binary, folder: join(folder, 'always'), sync: 'always' })
  const unsynced = await cutPower({ binary, folder: join(folder, 'default'), sync: null })
  const passed = synced.missing.length === 0 && unsynced.missing.length > 0
  if (values.json) print({ server: version, passed, cuts: [synced, unsynced] })
  else {
    const rows = [synced, unsynced].map(({ sync, confirmed, missing, total }) => [sync, String(confirmed), String(missing.length), Object.entries(total).map(([kind, count]) => `${kind} ${count}`).join(', ')])
    process.stdout.write(`nats-server ${version}\n${renderTable(['sync_interval', 'confirmed', 'missing', 'confirmed, by kind'], rows)}\n\n${passed ? 'What was confirmed is there; without syncing it is not, so that the probe can see it.' : 'The probe failed, or proves nothing.'}\n`)
  }
  return passed
}

function print (result: object): void { process.stdout.write(`${JSON.stringify(result)}\n`) }

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

function sandboxOf (kind: string): 'process' | 'docker' {
  if (kind !== 'process' && kind !== 'docker') throw new Error(`--sandbox takes process or docker, not ${kind}`)
  return kind
}
