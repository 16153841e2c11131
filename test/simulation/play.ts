// Seeds played in a process of their own.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const hunt = fileURLToPath(new URL('hunt.js', import.meta.url))

export interface Played { seed: number; hash: string; violations: { rule: string; what: string }[] }
export interface Cluster { nodes: number; episodes: number; /** A swarm where nothing is said. */ faults?: object | undefined }

/** `program`: this version's, or another's. */
export async function play (first: number, count: number, { nodes, episodes, faults }: Cluster, program = hunt): Promise<Played[]> {
  const argv = [first, count, nodes, episodes].map(String)
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...argv, ...faults === undefined ? [] : [JSON.stringify(faults)]], { maxBuffer: 2 ** 26 })
  return stdout.trim().split('\n').map(line => JSON.parse(line) as Played)
}
