// Goal: what a dead owner leaves behind goes, what a live one holds stays. Method: a child node process opens sandboxes in
// which daemons run, and is killed; then another owner reaps.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'

import { labels } from '../../src/sandbox/docker/engine.ts'
import { createDockerSandboxes } from '../../src/sandbox/docker/index.ts'
import { leaseFile, readLease, type Lease } from '../../src/sandbox/lease.ts'
import { defaultSandboxLimits, preparedMax, unleasedMsMax } from '../../src/sandbox/limits.ts'
import { currentOwner, ownerState } from '../../src/sandbox/owner.ts'
import { findCgroups } from '../../src/sandbox/process/cgroup.ts'
import { createProcessSandboxes } from '../../src/sandbox/process/index.ts'
import { findTestEngine, makeArenaFolder, makeArenaImage, openIsolation, run, specOf } from '../helpers/sandbox-fixture.ts'
import { testFolder } from '../helpers/test-folder.ts'

const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
const ownerProgram = fileURLToPath(new URL(`../helpers/sandbox-owner.${extension}`, import.meta.url))

/** Starts the child and returns when its sandbox runs a daemon; `marker` is an argument of that daemon. */
async function startOwner (home: string, kind: string, arenaFile: string, marker: string): Promise<{ child: ChildProcess; id: string }> {
  const child = spawn(process.execPath, [...process.execArgv, ownerProgram, home, kind, arenaFile, marker], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(createInterface({ input: child.stdout! }), 'line') as [string]
  return { child, id: line }
}

/** Processes of this host with the marker among their arguments. */
function marked (marker: string): number[] {
  return readdirSync('/proc').filter(name => /^\d+$/.test(name)).map(Number).filter(pid => {
    try { return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').includes(marker) && !readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('sandbox-owner') } catch { return false }
  })
}

const cgroupsOf = (home: string, id: string): string[] => readLease(join(home, 'sandboxes', id))!.cgroups

let counter = 0
const newMarker = (): string => String(7_000_000 + process.pid * 10 + counter++)

async function killOwner (child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

function prepare (t: Test): { home: string; arenaFile: string; arena: ReturnType<typeof makeArenaFolder> } {
  const folder = testFolder(t)
  const arena = makeArenaFolder(folder)
  const arenaFile = join(folder, 'arena.json')
  writeFileSync(arenaFile, JSON.stringify(arena))
  return { home: join(folder, 'home'), arenaFile, arena }
}

for (const isolation of ['bubblewrap', 'namespaces', 'none'] as const) {
  t.test(`process sandboxes with ${isolation}: a killed owner leaves nothing after the reaper`, async t => {
    const { home, arenaFile, arena } = prepare(t)
    const sandboxes = await openIsolation(t, home, isolation)
    if (sandboxes === null) return
    const marker = newMarker()
    const { child, id } = await startOwner(home, isolation, arenaFile, marker)
    t.teardown(() => child.kill('SIGKILL'))
    const mine = await sandboxes.open(specOf(arena))
    t.ok(marked(marker).length > 0, 'its daemon runs')
    t.same((await sandboxes.reap()).removed, [], 'a live owner keeps everything')
    t.ok(marked(marker).length > 0)
    const groups = cgroupsOf(home, id)
    await killOwner(child)
    const { removed } = await sandboxes.reap()
    t.ok(removed.some(text => text.includes(id)), 'says what it removed')
    t.same(marked(marker), [], 'no process')
    t.notOk(existsSync(join(home, 'sandboxes', id)), 'no folder')
    for (const group of groups) t.notOk(existsSync(group), 'no control group')
    const parents = new Set(groups.map(dirname))
    t.same([...parents].flatMap(parent => readdirSync(parent)).filter(name => name.startsWith(`spar-base-${child.pid}-`)), [], 'nor one that waited')
    t.notMatch(readFileSync('/proc/mounts', 'utf8'), id, 'no mount')
    t.equal((await run(mine, 'cat a.txt')).text, 'second\n', 'the live owner\'s sandbox lives')
    t.same((await sandboxes.reap()).removed, [], 'nothing is left to remove')
    await mine.destroy()
    t.equal(readdirSync(join(home, 'sandboxes')).filter(name => name !== 'layers').length, 1, 'but the folder that live sandboxes share')
  })
}

t.test('docker: a killed owner leaves nothing after the reaper', async t => {
  const found = await findTestEngine()
  if ('reason' in found) return process.env['CI'] !== undefined ? void t.fail(found.reason) : void t.pass('no engine here', { skip: found.reason })
  const { docker } = found
  const { home, arenaFile, arena: plain } = prepare(t)
  const { arena, remove } = await makeArenaImage(docker, plain)
  t.teardown(remove)
  writeFileSync(arenaFile, JSON.stringify(arena))
  const sandboxes = await createDockerSandboxes({ docker, home })
  t.teardown(() => sandboxes.close())
  const { child, id } = await startOwner(home, 'docker', arenaFile, newMarker())
  t.teardown(() => child.kill('SIGKILL'))
  const mine = await sandboxes.open(specOf(arena))
  const there = async (name: string): Promise<boolean> => await docker.getContainer(name).inspect().then(() => true, () => false)
  /** The one with the daemon and those made ahead: by the lease that is a label, and by that in the home. */
  const ofChild = async (): Promise<string[]> => (await docker.listContainers({ all: true, filters: { label: [labels.mark] } })).filter(({ Labels }) => (JSON.parse(Labels[labels.lease]!) as Lease).owner.pid === child.pid).map(({ Labels }) => Labels[labels.mark]!)
  const leased = (): string[] => readdirSync(join(home, 'sandboxes')).filter(name => readLease(join(home, 'sandboxes', name))?.owner.pid === child.pid)
  const held = await ofChild()
  await sandboxes.reap()
  t.ok(await there(id), 'a live owner keeps its container')
  t.equal(held.length, 1 + preparedMax, 'and those that it made ahead')
  t.same(leased().sort(), held.sort())
  await killOwner(child)
  await sandboxes.reap()
  t.same(await ofChild(), [], 'no container')
  t.same(leased(), [], 'no lease')
  t.equal((await run(mine, 'cat a.txt')).text, 'second\n', 'the live owner\'s sandbox lives')
  await mine.destroy()
})

t.test('a lease with no newline behind it, as earlier versions wrote it, holds and is reaped like any other', async t => {
  const home = join(testFolder(t), 'home')
  const sandboxes = await createProcessSandboxes({ home, isolation: 'none' })
  t.teardown(() => sandboxes.close())
  const group = findCgroups()?.make(`spar-test-${process.pid}-former`, defaultSandboxLimits).folders ?? []
  const long = new Date(Date.now() - 2 * unleasedMsMax)
  const leave = (id: string, lease: Pick<Lease, 'owner' | 'cgroups'>): string => {
    const folder = join(home, 'sandboxes', id)
    mkdirSync(folder)
    writeFileSync(join(folder, leaseFile), JSON.stringify({ id, run: 'r', purpose: 'solve', openedAt: Date.now(), process: null, ...lease }))
    utimesSync(folder, long, long)
    return folder
  }
  const live = leave('a'.repeat(12), { owner: currentOwner(), cgroups: [] })
  const dead = leave('b'.repeat(12), { owner: { ...currentOwner(), startedAt: '1' }, cgroups: group })
  await sandboxes.reap()
  t.ok(existsSync(live), 'a live owner keeps its sandbox')
  t.notOk(existsSync(dead), 'a dead one does not')
  t.same(group.filter(folder => existsSync(folder)), [], 'nor its control group')
  appendFileSync(join(live, leaseFile), '\n{"id":"torn')
  t.equal(readLease(live)?.id, 'a'.repeat(12), 'a line that was not written whole does not count')
})

t.test('an owner is known by more than its process id', t => {
  const here = currentOwner()
  t.equal(ownerState(here, here), 'live')
  t.equal(ownerState({ ...here, startedAt: '1' }, here), 'dead', 'the id was given to another process')
  t.equal(ownerState({ ...here, boot: 'before', host: 'before' }, here), 'dead', 'the machine was started again')
  t.equal(ownerState({ ...here, machine: 'other', host: 'other' }, here), 'unknown', 'another machine')
  t.end()
})
