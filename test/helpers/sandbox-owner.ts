// A program for reaper.test.ts: opens a sandbox, starts a daemon in it, has others made ahead, prints its id and waits to be
// killed.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Arena } from '../../src/domain.ts'
import { systemClock } from '../../src/clock.ts'
import { createDockerSandboxes } from '../../src/sandbox/docker/index.ts'
import { leaseFile, readLease, type Lease } from '../../src/sandbox/lease.ts'
import { preparedMax } from '../../src/sandbox/limits.ts'
import { createProcessSandboxes } from '../../src/sandbox/process/index.ts'
import type { Isolation } from '../../src/sandbox/process/launch.ts'
import { run, specOf } from './sandbox-fixture.ts'

const [home = '', kind = '', arenaFile = '', marker = ''] = process.argv.slice(2)
const arena = JSON.parse(readFileSync(arenaFile, 'utf8')) as Arena
const sandboxes = kind === 'docker' ? await createDockerSandboxes({ home }) : await createProcessSandboxes({ home, isolation: kind as Isolation })
const spec = specOf(arena, kind === 'docker' ? 'empty' : 'history')
const sandbox = await sandboxes.open(spec)
await (await sandboxes.open(spec)).destroy()
await run(sandbox, `setsid sleep ${marker} >/dev/null 2>&1 & echo kept > kept`)
const leases = (): Lease[] => readdirSync(join(home, 'sandboxes')).filter(name => existsSync(join(home, 'sandboxes', name, leaseFile))).flatMap(name => readLease(join(home, 'sandboxes', name)) ?? [])
// Without isolation none is made ahead.
while (kind !== 'none' && leases().filter(({ purpose, owner }) => purpose === 'prepared' && owner.pid === process.pid).length < preparedMax) await systemClock.sleep(20)
console.log(sandbox.id)
setInterval(() => {}, 60_000)
