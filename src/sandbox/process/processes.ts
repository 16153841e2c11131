// Processes of the host that carry a sandbox's mark in the environment that they were started with. In an isolated sandbox
// these are the first processes, with which all others go; in one without isolation it is everything that a command
// started, also what left its process group. (There, a process that clears its environment escapes: `none` promises no more.)

import { readdirSync, readFileSync } from 'node:fs'

export function markedPids (name: string, value: string): number[] {
  if (process.platform !== 'linux') return []
  const entry = Buffer.from(`${name}=${value}\0`)
  return readdirSync('/proc').filter(text => /^\d+$/.test(text)).map(Number).filter(pid => {
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
