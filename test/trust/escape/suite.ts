// Goal: whatever code in a sandbox tries, it is contained, the caller sees how it ended, and the neighbours go on.
// Method: every attack of the table is made for real, in a sandbox beside one whose commands have to be answered meanwhile;
// then it is looked for what is left on the host. Each kind of sandbox runs this suite.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { Test } from 'tap'

import type { Arena } from '../../../src/domain.ts'
import { SparError } from '../../../src/errors.ts'
import type { Sandbox, Sandboxes } from '../../../src/ports.ts'
import { run, specOf } from '../../helpers/sandbox-fixture.ts'
import { attacks, type Attack, type Step } from './attacks.ts'
import { fileAttacks, type FileAttack } from './files.ts'
import { openHost, type Host } from './outside.ts'

export interface Target {
  sandboxes: Sandboxes
  arena: Arena
  /** `docker` or the isolation of processes. */
  isolation: string
  /** Whether the memory limit is enforced here. */
  holdsMemory: boolean
  /** A folder of the host for its sockets. */
  folder: string
  /** What the sandboxes hold on the host, by something that only grows with it. */
  leftOf: (sandbox: Sandbox) => string[] | Promise<string[]>
}

/** No answer of a neighbour takes longer, on however slow a machine: the table's attacks that exhaust run for seconds. */
const neighbourMsMax = 10_000

export function escapeSuite (t: Test, target: Target): void {
  let host: Host
  let neighbour: Sandbox
  t.before(async () => {
    host = await openHost(target.folder)
    neighbour = await target.sandboxes.open(specOf(target.arena))
  })
  t.teardown(() => host.close())

  const held = attacks.filter(({ kinds, limits }) => (kinds?.includes(target.isolation) ?? true) && (target.holdsMemory || limits?.memoryBytes === undefined))
  for (const attack of held) t.test(attack.name, async t => await tryAttack(t, target, host, neighbour, attack))
  t.test('files that are read and written from outside', async t => await tryFiles(t, target, host))
  t.test('nobody reached the host', async t => {
    t.equal(host.reached(), 0)
    t.equal(host.readSecret(), host.word)
  })
}

async function tryAttack (t: Test, { sandboxes, arena, leftOf }: Target, host: Host, neighbour: Sandbox, attack: Attack): Promise<void> {
  const sandbox = await sandboxes.open(specOf(arena, 'tree', attack.limits))
  t.teardown(() => sandbox.destroy())
  // An argument by which processes are found from outside: nothing else has it.
  const marker = `/spar-escape-${sandbox.id}`
  await run(sandbox, `(exec -a ${marker} sleep 600) >/dev/null 2>&1 & disown; until grep -qs '[s]par-escape-' /proc/[0-9]*/cmdline; do sleep 0.02; done`)
  t.ok(processesWith(marker).length > 0, 'its processes can be found')
  const over = new AbortController()
  const slowest = attack.exhausts === true ? answers(neighbour, over.signal) : null
  for (const step of attack.steps) await takeStep(t, sandbox, host, step, async () => (await leftOf(sandbox)).length === 0)
  over.abort()
  if (slowest !== null) {
    const { count, ms } = await slowest
    t.ok(count > 0 && ms < neighbourMsMax, `the neighbour answered ${count} times, at last after ${ms.toFixed(0)} ms`)
  }
  if (attack.after === 'ended') {
    await t.rejects(run(sandbox, 'true'), { code: 'SANDBOX_DISK_LIMIT', retryable: false })
    await t.rejects(sandbox.readFile('a.txt', 100), { code: 'SANDBOX_DISK_LIMIT' })
    t.same(processesWith(marker), [], 'its processes are gone')
    t.same(await leftOf(sandbox), [], 'what it took is given back')
  } else {
    t.match(await run(sandbox, 'echo on; cat a.txt'), { exitCode: 0, text: 'on\nsecond\n' })
  }
  await sandbox.destroy()
  t.same(processesWith(marker), [], 'no process outlives it')
  t.same(await leftOf(sandbox), [], 'nor anything else')
}

async function takeStep (t: Test, sandbox: Sandbox, host: Host, step: Step, isGone: () => Promise<boolean>): Promise<void> {
  const command = typeof step.run === 'string' ? step.run : step.run(host)
  const startedAt = performance.now()
  const timeoutMs = step.timeoutMs ?? 20_000
  const { exitCode, killed, text } = await run(sandbox, command, { timeoutMs, outputBytesMax: step.outputBytesMax ?? 100_000 })
  t.match(killed ?? `exit ${exitCode}`, step.ends, text.slice(-500))
  t.notMatch(text, /ESCAPED/)
  if (step.prints !== undefined) t.match(text, step.prints)
  t.ok(performance.now() - startedAt < timeoutMs + neighbourMsMax, 'it ended in time')
  if (step.restMs !== undefined) await rest(t, step.restMs, isGone)
}

/** Nobody reads what is printed while no command runs: it would keep this process busy. */
async function rest (t: Test, ms: number, isGone: () => Promise<boolean>): Promise<void> {
  const before = readBytes()
  const until = performance.now() + ms
  while (performance.now() < until && !await isGone()) await new Promise(resolve => setTimeout(resolve, 100))
  t.ok(readBytes() - before < 8 * 2 ** 20, 'what is printed between commands is not read for ever')
}

/** By this process, from whatever. */
const readBytes = (): number => Number(/^rchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))![1])

/** A neighbour's small commands, one after the other. */
export async function answers (neighbour: Sandbox, signal: AbortSignal): Promise<{ count: number; ms: number; all: number[] }> {
  const all: number[] = []
  do {
    const startedAt = performance.now()
    const { text, exitCode } = await run(neighbour, 'cat a.txt; ls | wc -l')
    if (exitCode !== 0 || !text.startsWith('second\n')) throw new Error(`The neighbour answered ${exitCode} ${text}`)
    all.push(performance.now() - startedAt)
    await new Promise(resolve => setTimeout(resolve, 20))
  } while (!signal.aborted)
  return { count: all.length, ms: Math.max(...all), all }
}

async function tryFiles (t: Test, { sandboxes, arena }: Target, host: Host): Promise<void> {
  const sandbox = await sandboxes.open(specOf(arena))
  t.teardown(() => sandbox.destroy())
  for (const attack of fileAttacks) {
    await run(sandbox, attack.prepare(host))
    const end = await endOf(sandbox, attack, host)
    t.match(end, attack.ends, attack.name)
    t.match(await run(sandbox, 'echo on'), { text: 'on\n' }, `after: ${attack.name}`)
  }
  t.notOk(existsSync(`${host.secret}-written`))
}

async function endOf (sandbox: Sandbox, { reads, writes }: FileAttack, host: Host): Promise<string> {
  try {
    if (reads !== undefined) return `read ${Buffer.from(await sandbox.readFile(reads(host), 100_000)).toString()}`
    await sandbox.writeFile(writes!(host), Buffer.from('written'))
    return 'written'
  } catch (error) {
    if (error instanceof SparError) return error.code
    throw error
  }
}

/** Processes of this host with this first argument. */
function processesWith (marker: string): number[] {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).filter(pid => {
    try { return readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith(`${marker}\0`) } catch { return false }
  })
}
