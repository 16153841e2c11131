// Goal: a package that lives in a directory is played in containers, the same game as in processes, and a container that is
// killed while it grades costs a delivery and never a reward. Method: the real command line on a real published package,
// with the real engine; `docker kill` strikes the containers that grade.

import Docker from 'dockerode'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { GradeResult } from '../../src/run/results.ts'
import type { RunSummary } from '../../src/run/summary.ts'
import { labels } from '../../src/sandbox/docker/engine.ts'
import { imageLabels } from '../../src/sandbox/docker/images.ts'
import { readLease } from '../../src/sandbox/lease.ts'
import { spar, type Ran } from '../helpers/spar.ts'
import { testFolder } from '../helpers/test-folder.ts'

const target = 'npm:process-warning@4.0.0 - 5.0.0'
const options = ['--episodes', '1', '--group', '2', '--max-order', '1', '--min-files', '1', '--min-passing', '5', '--json']

const essence = (summary: RunSummary): unknown => [summary.bugs.map(({ id, f2p, dispatched, scored, solved, breakerReward }) => ({ id, f2p, dispatched, scored, solved, breakerReward })), summary.rejected, summary.faults]

const gradesIn = (out: string): GradeResult[] => readdirSync(join(out, 'results')).filter(name => /grade/.test(name)).map(name => JSON.parse(readFileSync(join(out, 'results', name), 'utf8')) as GradeResult)

/** Kills the first containers that grade, by the leases in `home`; stop() says how many they were. */
function killGraders (docker: Docker, home: string, countMax: number): { stop (): Promise<number> } {
  const killed = new Set<string>()
  let stopped = false
  const hunting = (async () => {
    while (!stopped && killed.size < countMax) {
      const running = await docker.listContainers({ filters: { label: [labels.mark] } })
      const found = running.filter(({ Labels }) => readLease(join(home, 'sandboxes', Labels[labels.mark]!))?.purpose === 'grade')
      for (const { Id } of found) {
        if (killed.size < countMax && !killed.has(Id) && await docker.getContainer(Id).kill().then(() => true, () => false)) killed.add(Id)
      }
      // An attempt that makes the original again is graded in a moment.
      await new Promise(resolve => setTimeout(resolve, 2))
    }
  })()
  return { stop: async () => { stopped = true; await hunting; return killed.size } }
}

t.test('spar play --sandbox docker', { timeout: 900_000 }, async t => {
  const docker = new Docker()
  if (!await docker.ping().then(() => true, () => false)) {
    return void (process.env['CI'] !== undefined ? t.fail('no Docker engine answers') : t.pass('no engine here', { skip: 'no Docker engine answers' }))
  }
  const cwd = testFolder(t)
  const home = join(cwd, 'home')
  const play = (name: string, sandbox: string): Promise<Ran> => spar(['play', target, ...options, '--sandbox', sandbox, '--out', join(cwd, name)], { home, cwd })
  const inProcesses = await play('process', 'process')
  t.equal(inProcesses.code, 0, inProcesses.err)

  t.test('plays the same game as in processes', async t => {
    const inContainers = await play('docker', 'docker')
    t.equal(inContainers.code, 0, inContainers.err)
    t.strictSame(essence(inContainers.json), essence(inProcesses.json))
  })

  t.test('a container that is killed while it grades is an attempt issued again, never a reward', async t => {
    const hunt = killGraders(docker, home, 2)
    const struck = await play('struck', 'auto')
    t.ok(await hunt.stop() > 0, 'containers were killed')
    t.equal(struck.code, 0, struck.err)
    t.match(struck.err, /is issued again/)
    t.strictSame(essence(struck.json), essence(inProcesses.json))
    const { dispatched, settled } = (struck.json as RunSummary).ledger
    t.equal(dispatched, settled, 'nothing was given up')
    const grades = gradesIn(join(cwd, 'struck'))
    t.ok(grades.some(({ delivery }) => delivery > 1), 'a grade came with a later delivery')
  })

  t.test('spar arena remove takes the images too', async t => {
    const imagesHere = async (): Promise<number> => (await docker.listImages({ filters: { label: [imageLabels.from] } })).filter(image => image.Labels[imageLabels.from]!.startsWith(join(home, 'arenas'))).length
    t.ok(await imagesHere() > 0)
    const removed = await spar(['arena', 'remove', target, '--json'], { home, cwd })
    t.equal(removed.code, 0, removed.err)
    t.equal(await imagesHere(), 0)
  })
})
