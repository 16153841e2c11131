// Named pipes for the output of shells. Node's own `pipe` is a socket, and `echo >/dev/stderr`, which test scripts like,
// cannot open a socket. Anybody may open them, since the reader's id differs from the writer's, but nobody else finds them:
// their folder is private and their names are gone before a command runs. They are made some at a time: one mkfifo for many sandboxes.

import { execFile } from 'node:child_process'
import { closeSync, constants, mkdirSync, openSync, unlinkSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const batch = 32

/** `write` is handed to the child and closed here afterwards. */
export interface Pipe { readable: Socket; write: number }

export class Pipes {
  readonly #mkfifo: string
  readonly #folder: string
  #ready: string[] = []
  #making: Promise<void> | null = null
  #made = 0

  constructor (mkfifo: string, folder: string) {
    this.#mkfifo = mkfifo
    this.#folder = folder
    mkdirSync(folder, { recursive: true })
  }

  async take (): Promise<Pipe> {
    while (this.#ready.length === 0) {
      this.#making ??= this.#make().finally(() => { this.#making = null })
      await this.#making
    }
    const path = this.#ready.pop()!
    const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const write = openSync(path, constants.O_WRONLY)
    unlinkSync(path)
    return { readable: new Socket({ fd: read, readable: true, writable: false }), write }
  }

  async #make (): Promise<void> {
    const paths = Array.from({ length: batch }, () => join(this.#folder, String(this.#made++)))
    await run(this.#mkfifo, ['-m', '666', ...paths])
    this.#ready.push(...paths)
  }
}

export function closeQuietly (fd: number): void {
  try { closeSync(fd) } catch { /* closed already */ }
}
