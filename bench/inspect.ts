// What inspection costs: 10,000 live machines that take turns, without the registry, with it and nobody who looks, with one watcher,
// with one that takes nothing any more, and with XState's own `inspect`. All in turns of one run; a figure is the ratio to what ran
// just before it without the registry, in transitions for a second of CPU. A second herd without the registry says
// what such a ratio is worth: marks are of its figure. The watcher is a process of its own, on a real socket.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { assign, createActor, setup, type AnyActorRef } from 'xstate'
import { observe, about } from '../actors/observe.ts'
import { systemClock } from '../src/clock.ts'
import { serveGateway } from '../src/inspect/gateway.ts'
import { listenAt } from '../src/inspect/listening.ts'
import { ownNode } from '../src/inspect/nodes.ts'
import { folderReaders } from '../src/inspect/records/folder.ts'
import { createRegistry, type Registry } from '../src/inspect/registry.ts'
import { createSource } from '../src/inspect/source.ts'

const actorsCount = 10_000
const rounds = 9
const roundMs = 600
/** Each actor takes turns at least so often in a round that what it keeps is thrown away again. */
const transitionsMin = 20_000
const names = { same: 'another without', registry: 'registry, no watcher', watcher: 'one watcher', dead: 'a dead watcher', xstate: "XState's inspect" }
const marks = { registry: 0.99, watcher: 0.95, dead: 0.95 }

/** As large as those of Spar: two states, a guard, a count in the context. */
const machine = setup({
  types: { context: {} as { turns: number; tokens: number }, events: {} as { type: 'turn'; tokens: number } },
  guards: { hasRoom: ({ context }) => context.tokens < 1e12 },
  actions: { count: assign(({ context, event }) => ({ turns: context.turns + 1, tokens: context.tokens + event.tokens })) }
}).createMachine({
  id: 'rollout', context: { turns: 0, tokens: 0 }, initial: 'asking',
  states: { asking: { tags: 'usesPolicy', on: { turn: { guard: 'hasRoom', target: 'acting', actions: 'count' } } }, acting: { on: { turn: { target: 'asking', actions: 'count' } } } }
})

interface Herd { actors: AnyActorRef[]; next: number }

function makeHerd (registry: Registry | undefined, inspect = false): Herd {
  const actors = Array.from({ length: actorsCount }, (_, index) => {
    const actor = createActor(machine, { id: `r${index}`, ...inspect ? { inspect: { next: () => {} } } : {} })
    // Somebody who plays it subscribes too, as Spar does.
    actor.subscribe(() => {})
    observe(registry, actor, about('rollout', `r${index}`, `rollout/r/${index}`, ''))
    return actor.start()
  })
  return { actors, next: 0 }
}

/** Transitions for a second of this process' own time, all its threads: other work on the machine does not count. The event loop turns in between, as it does where sockets are read. */
async function pace (herd: Herd): Promise<number> {
  const before = process.cpuUsage()
  const startedAt = performance.now()
  let count = 0
  while (performance.now() - startedAt < roundMs || count < transitionsMin) {
    for (let burst = 0; burst < 500; burst++) {
      herd.actors[herd.next]!.send({ type: 'turn', tokens: 7 })
      herd.next = (herd.next + 1) % actorsCount
    }
    count += 500
    await new Promise(setImmediate)
  }
  const { user, system } = process.cpuUsage(before)
  return count / ((user + system) / 1e6)
}

const median = (values: readonly number[]): number => [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)]!

const registry = createRegistry({ node: 'local', clock: systemClock })
const bare = makeHerd(undefined)
const other = makeHerd(undefined)
const known = makeHerd(registry)
const inspected = makeHerd(undefined, true)
const row = { node: 'local', host: 'h', pid: process.pid, version: '0', state: 'serving', labels: {}, slots: [], arenas: [], refusals: [], delivered: {}, actors: null, startedAt: 0, seenAt: 0 }
const nodes = await ownNode({ registry, machines: () => [], clock: systemClock, drain: null }, () => row)
const source = createSource({ kind: 'process', nodes, readers: folderReaders([]), machines: () => [], clock: systemClock, runs: null, around: async () => ({ queues: [], policies: [] }) })
const listening = await listenAt({ at: '127.0.0.1:0', option: '--listen', access: { token: null, actToken: null, actions: false } })
const gateway = serveGateway({ source, clock: systemClock, listening, version: '0', page: new Map(), limits: { stalledMsMax: 600_000 } })

async function watch (): Promise<{ stop (): Promise<void>; pause (): void }> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('inspect-watcher.js', import.meta.url)), gateway.url], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return { pause: () => { child.kill('SIGSTOP') }, async stop () { const ended = once(child, 'exit'); child.kill('SIGKILL'); await ended } }
}

const ratios: Record<string, number[]> = {}
const compare = async (name: string, herd: Herd): Promise<void> => {
  const without = await pace(bare)
  base.push(without)
  ;(ratios[name] ??= []).push(await pace(herd) / without)
}
const base: number[] = []

for (const herd of [bare, other, known, inspected]) await pace(herd)
for (let round = 0; round < rounds; round++) {
  await compare(names.same, other)
  await compare(names.registry, known)
  await compare(names.xstate, inspected)
  for (const name of [names.watcher, names.dead]) {
    const without = await pace(bare)
    const watcher = await watch()
    if (name === names.dead) watcher.pause()
    // What the first list costs is over by then, and what the socket of the dead one takes without being read is full.
    await pace(known)
    ;(ratios[name] ??= []).push(await pace(known) / without)
    await watcher.stop()
  }
}

const percent = (ratio: number): string => (ratio * 100).toFixed(1)
const shown = (name: string, mark: number | null): string =>
  `  ${name.padEnd(22)} ${percent(median(ratios[name]!)).padStart(6)} %   ${percent(Math.min(...ratios[name]!))} to ${percent(Math.max(...ratios[name]!))}${mark === null ? '' : `   mark ${mark * 100} % of another without: ${median(ratios[name]!) / median(ratios[names.same]!) >= mark ? 'kept' : 'MISSED'}`}`
console.log(`${actorsCount} live actors, ${Math.round(median(base)).toLocaleString('en')} transitions for a second of CPU without the registry; ${rounds} rounds, medians; load ${loadavg()[0]!.toFixed(1)}`)
console.log(shown(names.same, null))
console.log(shown(names.registry, marks.registry))
console.log(shown(names.watcher, marks.watcher))
console.log(shown(names.dead, marks.dead))
console.log(shown(names.xstate, null))
await gateway.close()
await source.close()
process.exit(0)
