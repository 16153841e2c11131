// Goal: sandboxes made ahead are fresh, few, and gone with their owner. Method: a fake opener for what is made when; real
// sandboxes for what is handed out.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

import { systemClock } from '../../src/clock.ts'
import type { SandboxSpec } from '../../src/ports.ts'
import { cgroupPids } from '../../src/sandbox/process/cgroup.ts'
import { createProcessSandboxes } from '../../src/sandbox/process/index.ts'
import { Prepared } from '../../src/sandbox/process/prepared.ts'
import { withDescendants } from '../../src/sandbox/process/processes.ts'
import { readLease, type Lease } from '../../src/sandbox/lease.ts'
import { makeArenaFolder, run, specOf } from '../helpers/sandbox-fixture.ts'
import { testFolder } from '../helpers/test-folder.ts'

const arena = { id: 'a', dir: '/a', mounts: [], path: [], env: {} } as unknown as SandboxSpec['arena']

/** An opener that counts, and its sandboxes, which can be broken. */
function fake (max: number): { prepared: Prepared<{ session: { usable: boolean; destroyed: boolean; destroy (): Promise<void> } }>; made: { usable: boolean; destroyed: boolean; view: string }[]; settled (count: number): Promise<void> } {
  const made: { usable: boolean; destroyed: boolean; view: string; destroy (): Promise<void> }[] = []
  const prepared = new Prepared(max, systemClock, async spec => {
    if (spec.arena.id === 'fails') throw new Error('no room')
    const session = { usable: true, destroyed: false, view: spec.view, destroy: async () => { session.destroyed = true } }
    made.push(session)
    return { session }
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

t.test('what is handed out is a sandbox like any other', async t => {
  const folder = testFolder(t)
  const home = join(folder, 'home')
  const sandboxes = await createProcessSandboxes({ home })
  t.teardown(() => sandboxes.close())
  const real = makeArenaFolder(folder)
  const leaseOf = (id: string): Lease => readLease(join(home, 'sandboxes', id))!
  const waiting = (): Lease[] => readdirSync(join(home, 'sandboxes')).filter(name => existsSync(join(home, 'sandboxes', name, 'lease.json'))).map(leaseOf).filter(lease => lease.purpose === 'prepared' && lease.process !== null)
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
