// Sandboxes of a chaos run that are containers: as the engine lists them, with the label that says whose they are.

import { execFileSync } from 'node:child_process'
import { labels } from '../../src/sandbox/docker/engine.ts'
import type { Owner } from '../../src/sandbox/owner.ts'

export interface Container { id: string; /** The sandbox's id, under which its lease is found. */ name: string; isRunning: boolean; owner: Owner }

const format = `{{.ID}}\t{{.State}}\t{{.Label "${labels.mark}"}}\t{{.Label "${labels.lease}"}}`

/** Those of processes with these ids, also when they have ended. */
export function containersOf (pids: ReadonlySet<number>): Container[] {
  const said = docker('ps', '--all', '--no-trunc', '--filter', `label=${labels.mark}`, '--format', format)
  return said.split('\n').filter(line => line !== '').flatMap(line => {
    const [id, state, name, lease] = line.split('\t')
    const { owner } = JSON.parse(lease!) as { owner: Owner }
    return pids.has(owner.pid) ? [{ id: id!, name: name!, isRunning: state === 'running', owner }] : []
  })
}

export function killContainer ({ id }: Container): void {
  docker('kill', '--signal', 'KILL', id)
}

const docker = (...args: string[]): string => execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
