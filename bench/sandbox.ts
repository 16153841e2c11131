// What sandboxes cost, each figure against a baseline of the same run:
//   ready      open to first command answered, on a tree of 5,000 files. Process sandboxes against bubblewrap with a bash that
//              answers, run from Node: cold, with none made ahead, and prepared, with time between for the next to be made.
//              Docker cold against the engine's own calls (create, attach, start, one command's answer), and prepared as
//              processes are, for an arena in an image and for one in a directory
//   command    one small command through the persistent shell, against starting a bash for it
//   throughput commands a second over several sandboxes at once
// `--check` turns the marks into an exit code. Usage: node dist/bench/sandbox.js [--check] [--rounds 30] [--only process|docker]

import Docker from 'dockerode'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { parseArgs, promisify } from 'node:util'

import type { Arena } from '../src/domain.ts'
import type { Sandbox, Sandboxes, SandboxSpec } from '../src/ports.ts'
import { createDockerSandboxes } from '../src/sandbox/docker/index.ts'
import { preparedMax } from '../src/sandbox/limits.ts'
import { createProcessSandboxes, type ProcessSandboxes } from '../src/sandbox/process/index.ts'
import { findTestEngine, makeArenaFolder, makeArenaImage, specOf } from '../test/helpers/sandbox-fixture.ts'

const run = promisify(execFile)
const { values } = parseArgs({ options: { check: { type: 'boolean', default: false }, rounds: { type: 'string', default: '30' }, only: { type: 'string' } } })
const rounds = Number(values.rounds)
const treeFiles = 5000
const marks = { processReadyMs: 15, preparedReadyMs: 5, dockerReadyRatio: 1, commandMs: 5, commandsPerSecond: 500 }
const failed: string[] = []
const warmUps = 2
const preparePauseMs = 50

const quantile = (times: number[], q: number): number => [...times].sort((a, b) => a - b)[Math.floor(times.length * q)]!
const p50 = (times: number[]): number => quantile(times, 0.5)

async function sample (count: number, work: () => Promise<() => Promise<unknown>>): Promise<number[]> {
  const times: number[] = []
  for (let round = 0; round < count; round++) {
    const startedAt = performance.now()
    const after = await work()
    times.push(performance.now() - startedAt)
    await after()
  }
  return times
}

function report (name: string, value: number, unit: string, baseline: string, mark?: { max?: number; min?: number }): void {
  const holds = mark === undefined || (value <= (mark.max ?? Infinity) && value >= (mark.min ?? -Infinity))
  const text = mark === undefined ? '' : `  mark ${mark.max !== undefined ? '≤ ' + mark.max : '≥ ' + mark.min} ${holds ? 'holds' : 'MISSED'}`
  console.log(`${name.padEnd(40)} ${value.toFixed(2).padStart(9)} ${unit.padEnd(4)} ${baseline}${text}`)
  if (!holds) failed.push(name)
}

const answer = async (sandbox: Sandbox, command: string): Promise<void> => {
  const result = await sandbox.exec(command, { timeoutMs: 30_000, outputBytesMax: 1000 })
  if (result.exitCode !== 0) throw new Error(`${command}: exit code ${result.exitCode}`)
}

async function openAndAnswer (sandboxes: Sandboxes, spec: SandboxSpec): Promise<() => Promise<void>> {
  const sandbox = await sandboxes.open(spec)
  await answer(sandbox, 'test -f a.txt')
  return () => sandbox.destroy()
}

/** To its first answer, which is all that can be compared: what comes after is not waited for. */
async function bareBwrap (): Promise<() => Promise<unknown>> {
  const child = spawn('bwrap', ['--unshare-all', '--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', '--die-with-parent', 'bash', '--noprofile', '--norc'], { stdio: ['pipe', 'pipe', 'ignore'] })
  const ended = once(child, 'exit')
  child.stdin.write('echo ready\n')
  await once(child.stdout, 'data')
  return async () => {
    child.kill('SIGKILL')
    await ended
  }
}

/** In turns, so that all meet the same machine. */
async function inTurns<Name extends string> (count: number, works: Record<Name, () => Promise<() => Promise<unknown>>>, pauseMs = 0): Promise<Record<Name, number>> {
  const times = new Map<string, number[]>()
  for (let round = -warmUps; round < count; round++) {
    for (const [name, work] of Object.entries(works) as [Name, () => Promise<() => Promise<unknown>>][]) {
      const [time] = await sample(1, work)
      if (round >= 0) times.set(name, [...times.get(name) ?? [], time!])
      await new Promise(resolve => setTimeout(resolve, pauseMs))
    }
  }
  return Object.fromEntries([...times].map(([name, all]) => [name, p50(all)])) as Record<Name, number>
}

async function benchProcess (arena: Arena, home: string): Promise<void> {
  for (const isolation of ['bubblewrap', 'namespaces', 'none'] as const) {
    const created = await Promise.all([0, preparedMax].map(prepared => createProcessSandboxes({ home, isolation, prepared }))).catch(() => null)
    if (created === null) { console.log(`${isolation}: not on this host`); continue }
    const [plain, ahead] = created as [ProcessSandboxes, ProcessSandboxes]
    try {
      const few = isolation === 'none' ? Math.ceil(rounds / 6) : rounds
      const { bare, cold } = await inTurns(few, { bare: bareBwrap, cold: () => openAndAnswer(plain, specOf(arena)) })
      const isMarked = isolation === 'bubblewrap' && plain.report.overlay
      report(`ready p50, process, ${isolation}, cold`, cold, 'ms', `${(cold / bare).toFixed(2)} × bare bwrap with a bash (${bare.toFixed(2)} ms)`, isMarked ? { max: marks.processReadyMs } : undefined)
      if (!plain.report.overlay) continue
      await benchPrepared(`process, ${isolation}`, ahead, specOf(arena), { count: few, cold, isMarked })
      if (isolation === 'bubblewrap') await benchCommands('process', plain, specOf(arena))
    } finally { await Promise.all(created.map(sandboxes => sandboxes.close())) }
  }
}

/** With time between for the next to be made, as a rollout's own work gives it. */
async function benchPrepared (name: string, sandboxes: Sandboxes, spec: SandboxSpec, { count, cold, isMarked }: { count: number; cold: number; isMarked: boolean }): Promise<void> {
  const pauseMs = preparePauseMs + 3 * cold
  const { prepared } = await inTurns(count, { prepared: () => openAndAnswer(sandboxes, spec) }, pauseMs)
  report(`ready p50, ${name}, prepared`, prepared, 'ms', `one every ${(pauseMs + prepared).toFixed(0)} ms`, isMarked ? { max: marks.preparedReadyMs } : undefined)
}

async function benchCommands (kind: string, sandboxes: Sandboxes, spec: SandboxSpec): Promise<void> {
  const spawned = p50(await sample(rounds, async () => { await run('bash', ['-c', ':']); return async () => {} }))
  const opened = await Promise.all([1, 2, 3, 4].map(() => sandboxes.open(spec)))
  try {
    for (const [name, command] of [['builtin', 'test -f a.txt'], ['fork', '/bin/true']] as const) {
      const times = await sample(rounds * 10, async () => { await answer(opened[0]!, command); return async () => {} })
      report(`command p50, ${kind}, ${name}`, p50(times), 'ms', `${(p50(times) / spawned).toFixed(3)} × a new bash (${spawned.toFixed(2)} ms), p99 ${quantile(times, 0.99).toFixed(2)} ms`, { max: marks.commandMs })
    }
    const total = rounds * 40
    const startedAt = performance.now()
    await Promise.all(opened.map(async sandbox => { for (let count = 0; count < total / 4; count++) await answer(sandbox, '/bin/true') }))
    const perSecond = total / (performance.now() - startedAt) * 1000
    report(`commands a second, ${kind}, fork`, perSecond, '/s', `${(perSecond / (1000 / spawned)).toFixed(2)} × new bashes one by one (${(1000 / spawned).toFixed(0)}/s)`, { min: marks.commandsPerSecond })
  } finally { await Promise.all(opened.map(sandbox => sandbox.destroy())) }
}

/** The calls that cannot be avoided, without limits, labels, leases or a shell of ours. */
async function bareContainer (docker: Docker, arena: Arena): Promise<() => Promise<void>> {
  const container = await docker.createContainer({
    Image: arena.image!, Entrypoint: ['bash'], Cmd: [], WorkingDir: arena.imagePath!, OpenStdin: true, AttachStdin: true, AttachStdout: true, HostConfig: { NetworkMode: 'none', Init: true, LogConfig: { Type: 'none', Config: {} } }
  })
  const stream = await container.attach({ stream: true, stdin: true, stdout: true, hijack: true }) as unknown as Duplex
  await container.start()
  stream.write('rm -rf .git; test -f a.txt; echo answered\n')
  await new Promise<void>(resolve => stream.on('data', chunk => { if (String(chunk).includes('answered')) resolve() }))
  return async () => { stream.destroy(); await container.remove({ force: true, v: true }) }
}

async function benchDocker (plain: Arena, home: string): Promise<void> {
  const found = await findTestEngine()
  if ('reason' in found) return console.log(`docker: ${found.reason}`)
  const { docker } = found
  const { arena, remove } = await makeArenaImage(docker, plain)
  const [sandboxes, ahead] = [await createDockerSandboxes({ docker, home, prepared: 0 }), await createDockerSandboxes({ docker, home })]
  try {
    const { bare, image, directory } = await inTurns(Math.ceil(rounds / 2), {
      bare: () => bareContainer(docker, arena), image: () => openAndAnswer(sandboxes, specOf(arena)), directory: () => openAndAnswer(sandboxes, specOf(plain))
    })
    for (const [name, ready, spec] of [['image', image, specOf(arena)], ['directory', directory, specOf(plain)]] as const) {
      report(`ready p50, docker, ${name}`, ready, 'ms', `bare engine calls ${bare.toFixed(2)} ms`)
      report(`ready, docker, ${name}, over bare calls`, ready / bare, '×', '', { max: marks.dockerReadyRatio })
      await benchPrepared(`docker, ${name}`, ahead, spec, { count: Math.ceil(rounds / 2), cold: ready, isMarked: true })
    }
    await benchCommands('docker', sandboxes, specOf(arena))
  } finally {
    await Promise.all([sandboxes.close(), ahead.close()])
    await remove()
  }
}

const folder = mkdtempSync(join(tmpdir(), 'bench-sandbox-'))
try {
  const arena = makeArenaFolder(folder, treeFiles)
  console.log(`load ${loadavg().map(load => load.toFixed(1)).join(' ')} before`)
  if (values.only !== 'docker') await benchProcess(arena, join(folder, 'home'))
  if (values.only !== 'process') await benchDocker(arena, join(folder, 'home'))
  console.log(`load ${loadavg().map(load => load.toFixed(1)).join(' ')} after`)
} finally { rmSync(folder, { recursive: true, force: true }) }
if (values.check && failed.length > 0) {
  console.error(`missed: ${failed.join(', ')}`)
  process.exitCode = 1
}
