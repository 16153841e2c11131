// What chaos does to a cluster. Every fault takes something away, holds it for a moment drawn from the seed, and gives it back;
// it resolves when it is over.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from '../../src/ports.ts'
import { readLease } from '../../src/sandbox/lease.ts'
import { processStartedAt } from '../../src/sandbox/owner.ts'
import { containersOf, killContainer } from './containers.ts'
import type { ChaosNode } from './nodes.ts'
import { sleep } from './processes.ts'
import type { Quota } from './quota.ts'
import type { NatsServer } from './servers.ts'

export const faultKinds = ['kill', 'pause', 'cut', 'stall', 'sandbox', 'drain', 'server', 'quota'] as const
export type FaultKind = typeof faultKinds[number]

export const faultTexts: Record<FaultKind, string> = {
  kill: 'kill -9 of a node, started again a moment later',
  pause: 'SIGSTOP of a node for longer than its leases, then SIGCONT',
  cut: 'partition: connections of a node end, and new ones are refused',
  stall: 'partition: nothing passes between a node and NATS, and nobody is told',
  sandbox: 'kill -9 of the process that a sandbox with a rollout lives in, or of its container',
  drain: 'SIGTERM of a node, started again when it has left',
  server: 'kill -9 of a nats-server, started again on the same store',
  quota: 'the streams are full for a moment'
}

export interface World { nodes: readonly ChaosNode[]; servers: readonly NatsServer[]; quota: Quota; ackWaitMs: number }

/** What it was done to, in words; null: there was nothing to do it to. */
export interface Fault { on: string; over: Promise<void> }

/** `free` says which nodes and servers are well. */
export function startFault (kind: FaultKind, { nodes, servers, quota, ackWaitMs }: World, random: Random, free: (name: string) => boolean): Fault | null {
  const wellNodes = nodes.filter(({ name }) => free(name))
  const wellServers = servers.filter(({ name }) => free(name))
  const holdMs = (min: number, max: number): number => Math.round(min + random.next() * (max - min))
  if (kind === 'server') {
    if (wellServers.length < servers.length) return null
    const server = random.pick(wellServers)
    return { on: server.name, over: restart(() => server.kill(), holdMs(200, 1.3 * ackWaitMs), () => server.start()) }
  }
  if (kind === 'quota') return free('quota') ? { on: 'quota', over: restart(() => quota.hit(), holdMs(500, ackWaitMs), () => quota.restore()) } : null
  if (wellNodes.length === 0) return null
  const node = random.pick(wellNodes)
  const on = node.name
  switch (kind) {
    case 'kill': return { on, over: restart(() => node.kill(), holdMs(100, ackWaitMs), () => node.start()) }
    case 'pause': return { on, over: restart(async () => node.signal('SIGSTOP'), holdMs(1.2 * ackWaitMs, 2 * ackWaitMs), async () => node.signal('SIGCONT')) }
    case 'cut': return { on, over: restart(async () => node.proxies.forEach(proxy => proxy.cut()), holdMs(300, 2 * ackWaitMs), async () => node.proxies.forEach(proxy => proxy.restore())) }
    case 'stall': return { on, over: restart(async () => node.proxies.forEach(proxy => proxy.stall()), holdMs(1.2 * ackWaitMs, 2.5 * ackWaitMs), async () => node.proxies.forEach(proxy => proxy.restore())) }
    case 'drain': return { on, over: restart(async () => { await node.drain() }, 0, () => node.start()) }
    case 'sandbox': {
      const killed = killSandbox(nodes.filter(node => wellNodes.includes(node)), random)
      return killed === null ? null : { on: killed, over: Promise.resolve() }
    }
  }
}

async function restart (take: () => Promise<void>, holdMs: number, give: () => Promise<void>): Promise<void> {
  try {
    await take()
    await sleep(holdMs)
  } finally { await give() }
}

function killSandbox (nodes: readonly ChaosNode[], random: Random): string | null {
  return nodes[0]?.sandbox === 'docker' ? killRolloutContainer(nodes, random) : killFirstProcess(nodes, random)
}

function killRolloutContainer (nodes: readonly ChaosNode[], random: Random): string | null {
  const used = nodes.flatMap(({ name, pids, home }) => containersOf(pids).filter(({ isRunning }) => isRunning).flatMap(container => {
    const purpose = readLease(join(home, 'sandboxes', container.name))?.purpose ?? ''
    return isRollout(purpose) ? [{ name, container, purpose }] : []
  }))
  if (used.length === 0) return null
  const { name, container, purpose } = random.pick(used)
  try {
    killContainer(container)
  } catch { return null }
  return `${name}, ${purpose}`
}

const isRollout = (purpose: string): boolean => /\.(break|solve)\b/.test(purpose)

/** A sandbox dies as a container that is killed does: its first process, which takes all others along. */
function killFirstProcess (nodes: readonly ChaosNode[], random: Random): string | null {
  const used = nodes.flatMap(({ name, home }) => leasesOf(home).filter(({ purpose, process }) => purpose !== 'prepared' && process !== null).map(lease => ({ name, lease })))
  if (used.length === 0) return null
  const { name, lease } = random.pick(used)
  const { pid, startedAt } = lease.process!
  if (processStartedAt(pid) !== startedAt) return null
  process.kill(pid, 'SIGKILL')
  return `${name}, ${lease.purpose}`
}

export function leasesOf (home: string): NonNullable<ReturnType<typeof readLease>>[] {
  try {
    const parent = join(home, 'sandboxes')
    return readdirSync(parent).filter(name => /^[0-9a-f]{12}$/.test(name)).flatMap(name => readLease(join(parent, name)) ?? [])
  } catch { return [] }
}
