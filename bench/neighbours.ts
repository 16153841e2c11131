// What the attacks of test/trust/escape cost a neighbour: one small command after the other in a sandbox beside, alone and
// while each attack that exhausts something goes on. No marks: on few cores an attacker's fair share is much of the machine.
// Usage: node dist/bench/neighbours.js [--only "fork bomb"] [--kind bubblewrap|namespaces|image|directory]

import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import type { Arena } from '../src/domain.ts'
import type { Sandboxes } from '../src/ports.ts'
import { createDockerSandboxes } from '../src/sandbox/docker/index.ts'
import { createProcessSandboxes } from '../src/sandbox/process/index.ts'
import { findTestEngine, makeArenaFolder, makeArenaImage, run, specOf } from '../test/helpers/sandbox-fixture.ts'
import { attacks, type Attack, type Outside } from '../test/trust/escape/attacks.ts'
import { answers } from '../test/trust/escape/suite.ts'

const { values } = parseArgs({ options: { only: { type: 'string' }, kind: { type: 'string' } } })
const aloneMs = 2_000
/** At least: an attack that is over at once is made again. */
const attackMs = 2_000

const quantile = (times: number[], q: number): number => [...times].sort((a, b) => a - b)[Math.floor(times.length * q)]!
const shown = (times: number[]): string => `p50 ${quantile(times, 0.5).toFixed(1).padStart(6)} p95 ${quantile(times, 0.95).toFixed(1).padStart(7)} max ${Math.max(...times).toFixed(0).padStart(5)}`

async function attack (sandboxes: Sandboxes, arena: Arena, { limits, steps }: Attack): Promise<string> {
  const sandbox = await sandboxes.open(specOf(arena, 'tree', limits))
  const ends: string[] = []
  try {
    for (const { run: command, timeoutMs = 20_000, outputBytesMax = 100_000, restMs = 0 } of steps) {
      const { killed, exitCode } = await run(sandbox, typeof command === 'string' ? command : command({} as Outside), { timeoutMs, outputBytesMax })
      ends.push(killed ?? `exit ${exitCode}`)
      await new Promise(resolve => setTimeout(resolve, restMs))
    }
  } finally { await sandbox.destroy() }
  return ends.join(', ')
}

async function bench (kind: string, sandboxes: Sandboxes, arena: Arena): Promise<void> {
  const neighbour = await sandboxes.open(specOf(arena))
  const during = async (work: () => Promise<string>): Promise<{ all: number[]; said: string }> => {
    const over = new AbortController()
    const answered = answers(neighbour, over.signal)
    const said = await work()
    over.abort()
    return { all: (await answered).all, said }
  }
  for (const row of attacks.filter(({ name, exhausts }) => exhausts === true && (values.only ?? name) === name)) {
    const alone = await during(async () => { await new Promise(resolve => setTimeout(resolve, aloneMs)); return '' })
    const beside = await during(async () => {
      const until = performance.now() + attackMs
      let said: string
      do said = await attack(sandboxes, arena, row); while (performance.now() < until)
      return said
    })
    const ratio = (q: number): string => (quantile(beside.all, q) / quantile(alone.all, q)).toFixed(1)
    console.log(`${kind.padEnd(10)} ${row.name.padEnd(36)} alone ${shown(alone.all)}   beside ${shown(beside.all)} ms   × ${ratio(0.5)} / ${ratio(0.95)}   ${beside.said}`)
  }
  await neighbour.destroy()
}

const folder = mkdtempSync(join(tmpdir(), 'bench-neighbours-'))
const closing: (() => Promise<void>)[] = []
try {
  const arena = makeArenaFolder(folder)
  const home = join(folder, 'home')
  console.log(`${availableParallelism()} cores, load ${loadavg().map(load => load.toFixed(1)).join(' ')}`)
  const found = await findTestEngine()
  const kinds = ['bubblewrap', 'namespaces', ...'docker' in found ? ['image', 'directory'] : []].filter(kind => (values.kind ?? kind) === kind)
  for (const kind of kinds) {
    const isProcess = kind === 'bubblewrap' || kind === 'namespaces'
    const sandboxes = isProcess ? await createProcessSandboxes({ home, isolation: kind }) : await createDockerSandboxes({ home })
    closing.push(() => sandboxes.close())
    const made = kind === 'image' && 'docker' in found ? await makeArenaImage(found.docker, arena) : null
    if (made !== null) closing.push(made.remove)
    await bench(kind, sandboxes, made?.arena ?? arena)
  }
} finally {
  for (const close of closing) await close()
  rmSync(folder, { recursive: true, force: true })
}
