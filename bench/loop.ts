// How long the event loop of a node is held up while 64 artifacts are verified at the same time: the delay of a timer,
// beside that of an idle loop in the same process. All verifications share the cores, the clean runs and the pool, as the
// episodes of a run do. Usage: node dist/bench/loop.js [--check] [--at-once 64] [--target npm:…]

import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { verifyBug } from '../actors/verifier.ts'
import { openArena } from '../src/arena/open.ts'
import { systemClock } from '../src/clock.ts'
import { createSandboxes } from '../src/sandbox/index.ts'
import { verifyPorts } from '../src/verify/ports.ts'
import { makeArtifacts } from './artifacts.ts'

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false }, 'at-once': { type: 'string', default: '64' }, target: { type: 'string', default: 'npm:qs@6.13.0' } } })
const markMs = 20
const cores = availableParallelism()
const atOnce = Number(values['at-once'])
const home = mkdtempSync(join(tmpdir(), 'bench-loop-'))
const sandboxes = await createSandboxes({ kind: 'process', home })

/** Delay of timers beyond their time, milliseconds. */
async function delayDuring (work: () => Promise<unknown>): Promise<{ p50: number; p99: number; max: number; seconds: number }> {
  const resolution = 10
  const delay = monitorEventLoopDelay({ resolution })
  const startedAt = performance.now()
  delay.enable()
  await work()
  delay.disable()
  const ms = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolution)
  return { p50: ms(delay.percentile(50)), p99: ms(delay.percentile(99)), max: ms(delay.max), seconds: (performance.now() - startedAt) / 1000 }
}

const shown = ({ p50, p99, max, seconds }: Awaited<ReturnType<typeof delayDuring>>): string => `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, max ${max.toFixed(1)} ms over ${seconds.toFixed(0)} s`

try {
  const arena = await openArena({ target: values.target, home, sandboxKind: 'process', onProgress: line => console.log(line) }, { sandboxes, clock: systemClock })
  const bugs = await makeArtifacts(arena, sandboxes, { count: 16, seed: 1, cores })
  const ports = verifyPorts(sandboxes)
  const verify = async (index: number): Promise<string> =>
    (await verifyBug({ bug: bugs[index % bugs.length]!, arena, params: { minPassing: 10, minFiles: 1, minFailing: 1 }, mode: 'strict', run: 'bench' }, ports)).failed ?? 'valid'
  await verify(0)
  const idle = await delayDuring(async () => await new Promise(resolve => setTimeout(resolve, 3000)))
  const verdicts: string[] = []
  const busy = await delayDuring(async () => verdicts.push(...await Promise.all(Array.from({ length: atOnce }, async (_, index) => await verify(index)))))
  const holds = busy.p99 <= markMs
  console.log(`idle loop: ${shown(idle)}`)
  console.log(`${atOnce} verifications at once (${verdicts.filter(verdict => verdict === 'valid').length} valid), ${cores} cores, load ${loadavg()[0]!.toFixed(1)}: ${shown(busy)}   mark p99 ≤ ${markMs} ms ${holds ? 'holds' : 'MISSED'}`)
  if (values.check && !holds) process.exitCode = 1
} finally {
  await sandboxes.close()
  rmSync(home, { recursive: true, force: true })
}
