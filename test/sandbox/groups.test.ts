// Goal: a control group is used again only when it is empty, its kills count from zero, and no more wait than may. Method:
// real groups of this host, with processes of our own in them.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'

import { systemClock } from '../../src/clock.ts'
import { defaultSandboxLimits, idleGroupsMax } from '../../src/sandbox/limits.ts'
import { findCgroups } from '../../src/sandbox/process/cgroup.ts'
import { Groups, removeGroupsOf, type Group } from '../../src/sandbox/process/groups.ts'
import { ProcessHost, type HostOptions, type Shared } from '../../src/sandbox/process/host.ts'
import { testFolder } from '../helpers/test-folder.ts'

const cgroups = findCgroups()
const skip = cgroups === null ? { skip: 'no control groups can be made here' } : {}
const limits = { ...defaultSandboxLimits, memoryBytes: 64 * 2 ** 20 }
const join0 = ({ procs }: Group, then: string): string[] => ['-c', `${procs.map(file => `echo 0 >'${file}'`).join(' && ')} && ${then}`]

function open (t: Test): { groups: Groups; folder: string } {
  const folder = join(testFolder(t), `.base-${process.pid}-test`)
  mkdirSync(folder)
  const groups = new Groups(cgroups!, folder, systemClock)
  t.teardown(() => groups.close())
  return { groups, folder }
}

t.test('a group is used again, for the same limits only, with no kills of before', skip, async t => {
  const { groups } = open(t)
  const first = await groups.take(limits)
  spawnSync('/bin/sh', join0(first, 'head -c 200M /dev/zero | tail -c 200M >/dev/null'))
  const kills = first.memoryKills()
  await groups.give(first)
  const other = await groups.take({ ...limits, pids: 7 })
  t.notSame(other.folders, first.folders)
  const second = await groups.take(limits)
  t.same(second.folders, first.folders)
  t.equal(second.memoryKills(), 0)
  t.ok(kills > 0, 'the limit has struck before')
  for (const group of [other, second]) await groups.give(group)
})

t.test('a group that still holds a process is emptied and removed', skip, async t => {
  const { groups } = open(t)
  const group = await groups.take(limits)
  const child = spawn('/bin/sh', join0(group, 'echo in; exec sleep 60'), { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = once(child, 'exit')
  await once(child.stdout!, 'data')
  await groups.give(group)
  await ended
  t.same(group.folders.filter(folder => existsSync(folder)), [])
  const next = await groups.take(limits)
  t.notSame(next.folders, group.folders)
  await groups.give(next)
})

t.test('so many wait at most, and whoever is left behind is found', skip, async t => {
  const { groups, folder } = open(t)
  const taken = await Promise.all(Array.from({ length: idleGroupsMax + 2 }, () => groups.take(limits)))
  for (const group of taken) await groups.give(group)
  t.equal(taken.filter(({ folders }) => existsSync(folders[0]!)).length, idleGroupsMax)
  t.match(readFileSync(join(folder, 'cgroups.json'), 'utf8'), /"prefix":"spar-base-\d+-test-/)
  t.equal((await removeGroupsOf(folder, systemClock)).length, idleGroupsMax * cgroups!.parents.length)
  t.equal(taken.filter(({ folders }) => folders.some(folder => existsSync(folder))).length, 0)
})

t.test('a group that comes back after closing is removed', skip, async t => {
  const { groups } = open(t)
  const late = await groups.take(limits)
  await groups.close()
  await groups.give(late)
  t.same(late.folders.filter(folder => existsSync(folder)), [])
})

t.test('a sandbox whose folder cannot be removed gives its group back', skip, async t => {
  const { groups, folder } = open(t)
  const group = await groups.take(limits)
  const file = join(folder, 'file')
  writeFileSync(file, '')
  // Below a file there is nothing that could be removed, whoever asks.
  const options = { folder: join(file, 'sandbox'), lease: { id: 'test' }, limits, group } as unknown as HostOptions
  await t.rejects(new ProcessHost({ groups, isolation: 'none' } as Shared, options).remove(), { code: 'ENOTDIR' })
  const next = await groups.take(limits)
  t.same(next.folders, group.folders)
  await groups.give(next)
})
