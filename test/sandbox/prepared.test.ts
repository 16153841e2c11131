// Goal: sandboxes made ahead are fresh, few, and gone with their owner. Method: a fake opener for what is made when; real
// sandboxes of both kinds for what is handed out.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'

import { systemClock } from '../../src/clock.ts'
import type { SandboxSpec } from '../../src/ports.ts'
import { labels } from '../../src/sandbox/docker/engine.ts'
import { createDockerSandboxes, type DockerSandboxes } from '../../src/sandbox/docker/index.ts'
import { cgroupPids } from '../../src/sandbox/process/cgroup.ts'
import { Prepared } from '../../src/sandbox/prepared.ts'
import { createProcessSandboxes } from '../../src/sandbox/process/index.ts'
import { withDescendants } from '../../src/sandbox/process/processes.ts'
import { readLease, type Lease } from '../../src/sandbox/lease.ts'
import { findTestEngine, makeArenaFolder, makeArenaImage, run, specOf } from '../helpers/sandbox-fixture.ts'
import { testFolder } from '../helpers/test-folder.ts'

const arena = { id: 'a', dir: '/a', mounts: [], path: [], env: {} } as unknown as SandboxSpec['arena']

/** An opener that counts, and its sandboxes, which can be broken. */
function fake (max: number): { prepared: Prepared<{ usable: boolean; destroyed: boolean; destroy (): Promise<void> }>; made: { usable: boolean; destroyed: boolean; view: string }[]; settled (count: number): Promise<void> } {
  const made: { usable: boolean; destroyed: boolean; view: string; destroy (): Promise<void> }[] = []
  const prepared = new Prepared(max, systemClock, async spec => {
    if (spec.arena.id === 'fails') throw new Error('no room')
    const session = { usable: true, destroyed: false, view: spec.view, destroy: async () => { session.destroyed = true } }
    made.push(session)
    return session
  })
  /** Waits until so many were made, and then a while for more. */
  const settled = async (count: number): Promise<void> => {
    for (let step = 0; made.length < count && step < 500; step++) await systemClock.sleep(5)
    await systemClock.sleep(100)
  }
  return { prepared, made, settled }
}

t.test('prepares a view once it was opened twice, and no more than it may', async t => {
  const { prepared, made, settled } = fake(2)
  t.equal(prepared.take(specOf(arena)), null)
  await settled(0)
  t.equal(made.length, 0, 'opened once, nothing is prepared')
  t.equal(prepared.take(specOf(arena)), null)
  await settled(2)
  t.equal(made.length, 2)
  const [one, two] = [prepared.take({ ...specOf(arena), label: { run: 'another', purpose: 'other' } }), prepared.take(specOf(arena))]
  t.ok(one !== null && two !== null && one !== two, 'each is handed out once, whatever the label')
  t.equal(prepared.take(specOf(arena)), null, 'more have to be opened')
  t.equal(prepared.take(specOf(arena, 'history')), null, 'another view')
  t.equal(prepared.take(specOf(arena, 'tree', { pids: 7 })), null, 'other limits')
  t.equal(prepared.take(specOf({ ...arena, env: { A: '1' } })), null, 'another environment')
  await prepared.close()
})

t.test('nothing is prepared with a network, nor after closing, and what is left over is destroyed', async t => {
  const { prepared, made, settled } = fake(2)
  for (let count = 0; count < 3; count++) prepared.take({ ...specOf(arena), network: 'host' })
  await settled(0)
  t.equal(made.length, 0)
  for (let count = 0; count < 2; count++) prepared.take(specOf(arena))
  await settled(2)
  await prepared.close()
  t.same(made.map(({ destroyed }) => destroyed), [true, true])
})

t.test('a sandbox that broke while it waited is not handed out', async t => {
  const { prepared, made, settled } = fake(1)
  for (let count = 0; count < 2; count++) prepared.take(specOf(arena))
  await settled(1)
  made[0]!.usable = false
  t.equal(prepared.take(specOf(arena)), null)
  t.ok(made[0]!.destroyed)
  await prepared.close()
})

t.test('views that were not used lately give way, and one that cannot be opened is left alone', async t => {
  const { prepared, made, settled } = fake(1)
  for (const id of ['fails', 'a', 'b', 'c', 'd']) for (let count = 0; count < 2; count++) prepared.take(specOf({ ...arena, id }))
  await settled(3)
  t.equal(made.length, 3, 'of the three latest views')
  prepared.take(specOf({ ...arena, id: 'e' }))
  t.equal(made.filter(({ destroyed }) => destroyed).length, 1, 'the oldest gives way')
  await prepared.close()
})

const leaseIn = (home: string, id: string): Lease => readLease(join(home, 'sandboxes', id))!
/** Leases that nobody holds yet. */
const unheldIn = (home: string): Lease[] => readdirSync(join(home, 'sandboxes')).filter(name => existsSync(join(home, 'sandboxes', name, 'lease.json'))).map(name => leaseIn(home, name)).filter(lease => lease.purpose === 'prepared')

t.test('what is handed out is a sandbox like any other', async t => {
  const folder = testFolder(t)
  const home = join(folder, 'home')
  const sandboxes = await createProcessSandboxes({ home })
  t.teardown(() => sandboxes.close())
  const real = makeArenaFolder(folder)
  const leaseOf = (id: string): Lease => leaseIn(home, id)
  const waiting = (): Lease[] => unheldIn(home).filter(lease => lease.process !== null)
  for (let count = 0; count < 2; count++) await (await sandboxes.open(specOf(real))).destroy()
  for (let step = 0; waiting().length < 2 && step < 400; step++) await systemClock.sleep(25)
  await systemClock.sleep(300)
  const before = waiting().map(({ id }) => id)
  t.equal(before.length, 2)
  const sandbox = await sandboxes.open(specOf(real))
  t.ok(before.includes(sandbox.id))
  const lease = leaseOf(sandbox.id)
  t.match(lease, { run: 'test', purpose: 'contract' }, 'its lease names who holds it')
  t.equal((await run(sandbox, 'cat a.txt; ls -A; sleep 60 & ')).text, 'second\na.txt\nsub\n')
  for (const group of lease.cgroups) {
    const inside = cgroupPids(group)
    t.same(withDescendants(lease.process!.pid).filter(pid => !inside.includes(pid)), [], 'all of its processes are in its control groups')
  }
  const rest = before.find(id => id !== sandbox.id)!
  process.kill(leaseOf(rest).process!.pid, 'SIGKILL')
  await systemClock.sleep(300)
  for (let count = 0; count < 3; count++) {
    const next = await sandboxes.open(specOf(real))
    t.not(next.id, rest)
    t.equal((await run(next, 'cat a.txt')).text, 'second\n')
  }
})

t.test('what is handed out is a container like any other', async t => {
  const found = await findTestEngine()
  if ('reason' in found) return process.env['CI'] !== undefined ? void t.fail(found.reason) : void t.pass('no engine here', { skip: found.reason })
  const { docker } = found
  const folder = testFolder(t)
  const home = join(folder, 'home')
  const plain = makeArenaFolder(folder)
  const { arena, remove } = await makeArenaImage(docker, plain)
  t.teardown(remove)

  /** Opens a view twice and waits for what is made ahead; returns the ids. */
  const ahead = async (t: Test, spec: SandboxSpec): Promise<{ sandboxes: DockerSandboxes; ids: string[] }> => {
    const sandboxes = await createDockerSandboxes({ docker, home })
    t.teardown(() => sandboxes.close())
    for (let count = 0; count < 2; count++) await (await sandboxes.open(spec)).destroy()
    const isRunning = async ({ id }: Lease): Promise<boolean> => await docker.getContainer(id).inspect().then(({ State }) => State.Running, () => false)
    for (let step = 0; step < 400; step++) {
      const waiting = unheldIn(home)
      if (waiting.length === 2 && (await Promise.all(waiting.map(isRunning))).every(Boolean)) break
      await systemClock.sleep(25)
    }
    // The shell of the last one answers a moment after its container runs.
    await systemClock.sleep(500)
    return { sandboxes, ids: unheldIn(home).map(({ id }) => id) }
  }
  const containers = async (): Promise<string[]> => (await docker.listContainers({ all: true, filters: { label: [labels.mark] } })).filter(({ Labels }) => existsSync(join(home, 'sandboxes', Labels[labels.mark]!))).map(({ Labels }) => Labels[labels.mark]!)
  const volumesOf = async (ids: string[]): Promise<number> => (await docker.listVolumes()).Volumes.filter(({ Labels }) => ids.includes(Labels?.[labels.mark] ?? '')).length

  for (const [name, spec, shown] of [
    ['a tree in an image, without its history', specOf(arena), 'a.txt\nsub\n'], ['nothing of an image', specOf(arena, 'empty'), ''],
    ['a directory', specOf(plain), 'a.txt\nsub\n'], ['a directory with its history', specOf(plain, 'history'), '.git\na.txt\nsub\n'], ['nothing of a directory', specOf(plain, 'empty'), '']
  ] as const) {
    t.test(name, async t => {
      const { sandboxes, ids } = await ahead(t, spec)
      t.equal(ids.length, 2)
      const sandbox = await sandboxes.open({ ...spec, label: { run: 'taker', purpose: 'solve' } })
      t.ok(ids.includes(sandbox.id), 'it was made ahead')
      t.match(leaseIn(home, sandbox.id), { run: 'taker', purpose: 'solve', owner: { pid: process.pid } }, 'its lease names who holds it')
      t.equal((await run(sandbox, 'ls -A; echo x > mine')).text, shown)
      const next = await sandboxes.open(spec)
      t.not(next.id, sandbox.id, 'it is handed out once')
      t.equal((await run(next, 'ls -A')).text, shown, 'and what is done in it stays in it')
      const made = await containers()
      t.ok(made.includes(sandbox.id))
      await sandboxes.close()
      t.same(await containers(), [], 'all go with their owner')
      t.same([unheldIn(home).length, await volumesOf([...ids, ...made])], [0, 0], 'leases and volumes too')
    })
  }

  t.test('one that was killed while it waited is not handed out', async t => {
    const { sandboxes, ids } = await ahead(t, specOf(arena))
    for (const id of ids) await docker.getContainer(id).kill()
    await systemClock.sleep(300)
    const sandbox = await sandboxes.open(specOf(arena))
    t.notOk(ids.includes(sandbox.id))
    t.equal((await run(sandbox, 'cat a.txt')).text, 'second\n')
  })
})
