// Processes of the host: the children of one, and those that carry a sandbox's mark in the environment that they were started with. In an isolated sandbox
// these are the first processes, with which all others go; in one without isolation it is everything that a command
// started, also what left its process group. (There, a process that clears its environment escapes: `none` promises no more.)

import { existsSync, readdirSync, readFileSync } from 'node:fs'

const listsChildren = existsSync(`/proc/self/task/${process.pid}/children`)
const allPids = (): number[] => readdirSync('/proc').filter(text => /^\d+$/.test(text)).map(Number)

function parentOf (pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch { return null }
}

/** Of a process with one thread. Not every kernel lists them. */
export function childrenOf (pid: number): number[] {
  if (process.platform !== 'linux') return []
  if (!listsChildren) return allPids().filter(other => parentOf(other) === pid)
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter(text => text !== '').map(Number)
  } catch { return [] }
}

/** The process and everything below it, deepest last. */
export const withDescendants = (pid: number): number[] => [pid, ...childrenOf(pid).flatMap(withDescendants)]

export function markedPids (name: string, value: string): number[] {
  if (process.platform !== 'linux') return []
  const entry = Buffer.from(`${name}=${value}\0`)
  return allPids().filter(pid => {
    try { return pid !== process.pid && readFileSync(`/proc/${pid}/environ`).includes(entry) } catch { return false }
  })
}

/** Kills until none is left: a process that forks as it dies gets a few rounds. */
export function sweepMarked (name: string, value: string): number[] {
  const killed: number[] = []
  for (let round = 0; round < 10; round++) {
    const pids = markedPids(name, value)
    if (pids.length === 0) break
    for (const pid of pids) {
      try { process.kill(pid, 'SIGKILL'); killed.push(pid) } catch { /* gone */ }
    }
  }
  return killed
}
