// A cluster of real processes: servers, nodes, and a desk to hand runs in at.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { startNodes, type ChaosNode, type SandboxKind } from './nodes.ts'
import { openDesk, type Desk } from './played.ts'
import { startServers, type NatsServer } from './servers.ts'

export interface ClusterOptions { folder: string; binary: string; knowsSync: boolean; size: 1 | 3; nodes: number; sandbox: SandboxKind; ackWaitMs: number; reapMs: number }
export interface Cluster { servers: NatsServer[]; nodes: ChaosNode[]; desk: Desk; end (): Promise<void> }

export async function startCluster ({ folder, binary, knowsSync, size, nodes: count, sandbox, ackWaitMs, reapMs }: ClusterOptions, name: string): Promise<Cluster> {
  const place = join(folder, name)
  mkdirSync(place, { recursive: true })
  const servers = await startServers({ binary, folder: place, size, sync: knowsSync ? 'always' : null })
  const nats = ['--nats-replicas', String(size), '--ack-wait-ms', String(ackWaitMs)]
  const desk = openDesk({ folder: place, servers, nats })
  let nodes: ChaosNode[] = []
  const end = async (): Promise<void> => {
    await Promise.all(nodes.map(node => node.close()))
    await Promise.all(servers.map(server => server.kill()))
  }
  try {
    // Makes the streams, with what was asked for.
    await desk.list().then(({ code, err }) => { if (code !== 0) throw new Error(err) })
    nodes = await startNodes({ folder: place, count, servers, nats, sandbox, slots: 'start=2,run=3,verify=1,grade=2,own=4', drainMs: 4_000, reapMs })
    return { servers, nodes, desk, end }
  } catch (error) {
    await end()
    throw error
  }
}
