// A program for reaper.test.ts: opens a sandbox, starts a daemon in it, prints its id and waits to be killed.

import { readFileSync } from 'node:fs'

import type { Arena } from '../../src/domain.ts'
import { createDockerSandboxes } from '../../src/sandbox/docker/index.ts'
import { createProcessSandboxes } from '../../src/sandbox/process/index.ts'
import type { Isolation } from '../../src/sandbox/process/launch.ts'
import { run, specOf } from './sandbox-fixture.ts'

const [home = '', kind = '', arenaFile = '', marker = ''] = process.argv.slice(2)
const arena = JSON.parse(readFileSync(arenaFile, 'utf8')) as Arena
const sandboxes = kind === 'docker' ? await createDockerSandboxes({ home }) : await createProcessSandboxes({ home, isolation: kind as Isolation })
const sandbox = await sandboxes.open(specOf(arena, kind === 'docker' ? 'empty' : 'history'))
await run(sandbox, `setsid sleep ${marker} >/dev/null 2>&1 & echo kept > kept`)
console.log(sandbox.id)
setInterval(() => {}, 60_000)
