// The trainer's Python as a test needs it: SPAR_TEST_TRAINER_PYTHON names the interpreter of an environment that holds what
// trainer/requirements.lock lists. Where there is none the tests that need it are skipped, but for CI.

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'

export const trainerFolder = join(process.cwd(), 'trainer')

/** Null where there is none. */
export function trainerPython (): string | null {
  const python = process.env['SPAR_TEST_TRAINER_PYTHON']
  return python !== undefined && existsSync(python) ? python : null
}

/** Why there is nothing to test with, or false: where CI runs, the test is to fail. */
export const skipWithoutTrainer = (): string | false =>
  trainerPython() === null && process.env['CI'] !== 'true' ? 'SPAR_TEST_TRAINER_PYTHON names no Python with what trainer/requirements.lock lists' : false

export function spawnTrainer (args: string[]): ChildProcessWithoutNullStreams {
  const python = trainerPython()
  if (python === null) throw new Error('SPAR_TEST_TRAINER_PYTHON names no Python, and CI wants one')
  return spawn(python, args, { cwd: trainerFolder, stdio: 'pipe' })
}

/** A program that reads and writes lines of JSON. */
export interface Peer {
  write (line: unknown): void
  /** The next line that it says. */
  read (): Promise<Record<string, unknown>>
  /** At once, as with kill -9. */
  kill (): Promise<void>
}

/** trainer/tests/interop_peer.py. It ends with the test. */
export const startPeer = (t: Test, ...args: ['serve' | 'call', string, string]): Peer => startProgram(t, 'tests.interop_peer', args)

/** trainer/tests/sample_peer.py: resolves to what a command came to, rejects with what it raised. It ends with the test. */
export function startSamplePeer (t: Test, url: string, prefix: string, ...credentials: [nkey: string, ca: string] | []): Pick<Peer, 'kill'> & { do<Said> (name: string, given?: object): Promise<Said> } {
  const peer = startProgram(t, 'tests.sample_peer', [url, prefix, ...credentials])
  return {
    kill: peer.kill,
    async do<Said> (name: string, given: object = {}) {
      peer.write({ do: name, ...given })
      const { said, error, text } = await peer.read()
      if (error !== undefined) throw Object.assign(new Error(String(text)), { code: error })
      return said as Said
    }
  }
}

function startProgram (t: Test, module: string, args: string[]): Peer {
  const child = spawnTrainer(['-m', module, ...args])
  let said = ''
  // What is written to one that was killed is for nobody.
  child.stdin.on('error', () => {})
  child.stderr.on('data', (bytes: Buffer) => { said = (said + bytes.toString()).slice(-20_000) })
  const ended = new Promise<void>(resolve => { child.once('close', () => resolve()) })
  t.teardown(async () => {
    child.stdin.end()
    await ended
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    write (line) { child.stdin.write(`${JSON.stringify(line)}\n`) },
    async read () {
      const { done, value } = await lines.next()
      if (done === true) throw new Error(`the peer has ended: ${said}`)
      return JSON.parse(value as string) as Record<string, unknown>
    },
    async kill () {
      child.kill('SIGKILL')
      await ended
    }
  }
}
