// How sandboxes of either kind are opened and closed: starts are bounded (starts.ts), some are made ahead (prepared.ts), and
// whoever closes waits for what is being made.

import { SparError, throwFirst, toPlain } from '../errors.ts'
import type { Clock, SandboxSpec } from '../ports.ts'
import { Prepared } from './prepared.ts'
import type { SandboxSession } from './session.ts'
import type { Starts } from './starts.ts'

export interface OpeningsOptions {
  clock: Clock
  starts: Starts
  /** How many sandboxes of a view are made ahead of time; 0: none. */
  prepared: number
  newId (): string
  /** Opens one that answers, or leaves nothing behind. */
  make (id: string, spec: SandboxSpec, signal?: AbortSignal): Promise<SandboxSession>
}

/** Of a sandbox that nobody holds yet, in its lease. */
export const preparedLabel: SandboxSpec['label'] = { run: '', purpose: 'prepared' }

export class Openings {
  readonly #options: OpeningsOptions
  readonly #open = new Map<string, SandboxSession | null>()
  /** In flight: whoever closes waits for them. */
  readonly #opening = new Set<Promise<SandboxSession>>()
  readonly #prepared: Prepared<SandboxSession>
  #closing: Promise<void> | null = null

  constructor (options: OpeningsOptions) {
    this.#options = options
    this.#prepared = new Prepared(options.prepared, options.clock, async spec => await this.#openNew({ ...spec, label: preparedLabel }))
  }

  async open (spec: SandboxSpec, signal?: AbortSignal): Promise<SandboxSession> {
    this.#assertOpen()
    if (signal?.aborted === true) throw new SparError('SANDBOX_ABORTED', 'Opening a sandbox was aborted', { retryable: true })
    const ready = this.#prepared.take(spec)
    return ready !== null && await hasLease(ready, spec.label) ? ready : await this.#openNew(spec, signal)
  }

  /** Whether this very process has it, open or opening. */
  holds (id: string): boolean {
    return this.#open.has(id)
  }

  /** What is still being opened destroys itself; what waits for its turn is refused. */
  async close (): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  async #openNew (spec: SandboxSpec, signal?: AbortSignal): Promise<SandboxSession> {
    const opening = this.#make(spec, signal)
    this.#opening.add(opening)
    try {
      return await opening
    } finally { this.#opening.delete(opening) }
  }

  async #make (spec: SandboxSpec, signal?: AbortSignal): Promise<SandboxSession> {
    const id = this.#options.newId()
    this.#open.set(id, null)
    try {
      const session = await this.#options.starts(async () => {
        this.#assertOpen()
        return await this.#options.make(id, spec, signal)
      }, signal)
      session.onDestroyed = () => this.#open.delete(id)
      this.#open.set(id, session)
      if (this.#closing !== null) await session.destroy()
      return session
    } catch (error) {
      this.#open.delete(id)
      if (error instanceof SparError) throw error
      throw new SparError('SANDBOX_LOST', `Cannot open sandbox "${id}": ${toPlain(error).message}`, { retryable: true, data: { sandbox: id }, cause: error })
    }
  }

  #assertOpen (): void {
    if (this.#closing !== null) throw new SparError('SANDBOX_CLOSED', 'Cannot open a sandbox: the sandboxes were closed')
  }

  async #close (): Promise<void> {
    // One that cannot be removed keeps none of the others.
    const prepared = this.#prepared.close()
    await Promise.allSettled([prepared, ...this.#opening])
    throwFirst([...await Promise.allSettled([prepared]), ...await Promise.allSettled([...this.#open.values()].map(async session => await session?.destroy()))])
  }
}

/** Where the lease cannot be written, on a full disk, the sandbox is nobody's. */
async function hasLease (session: SandboxSession, label: SandboxSpec['label']): Promise<boolean> {
  try {
    session.relabel(label)
    return true
  } catch {
    await session.destroy().catch(() => {})
    return false
  }
}
