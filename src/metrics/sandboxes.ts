// Sandboxes that are counted: how many are open, how long they take to open, which were lost.

import { SparError, toPlain } from '../errors.ts'
import type { Clock, Sandbox, Sandboxes } from '../ports.ts'
import type { Metrics } from './types.ts'

export function measureSandboxes (inner: Sandboxes, metrics: Metrics, clock: Clock): Sandboxes {
  let isOpen = 0
  metrics.read('spar_sandboxes_open', () => [{ labels: {}, value: isOpen }])
  return {
    kind: inner.kind,
    async reap () {
      const reaped = await inner.reap()
      metrics.add('spar_sandboxes_reaped_total', {}, reaped.removed.length)
      return reaped
    },
    close: () => inner.close(),
    async open (spec, signal) {
      const startedAt = clock.now()
      try {
        const sandbox = await inner.open(spec, signal)
        metrics.observe('spar_sandbox_open_seconds', {}, (clock.now() - startedAt) / 1000)
        metrics.add('spar_sandboxes_opened_total')
        isOpen++
        return measured(sandbox, metrics, () => { isOpen-- })
      } catch (error) {
        if (!(signal?.aborted ?? false)) metrics.add('spar_sandbox_open_failures_total', { code: toPlain(error).code })
        throw error
      }
    }
  }
}

/** `gone` is told once. */
function measured (inner: Sandbox, metrics: Metrics, gone: () => void): Sandbox {
  let isLost = false
  let isGone = false
  const use = async <Result>(work: Promise<Result>): Promise<Result> => {
    try {
      return await work
    } catch (error) {
      if (!isLost && !isGone && error instanceof SparError && error.code === 'SANDBOX_LOST') {
        isLost = true
        metrics.add('spar_sandboxes_lost_total')
      }
      throw error
    }
  }
  const { id, kind, isolation, tree, scratch } = inner
  return {
    id, kind, isolation, tree, scratch,
    exec: (command, options) => use(inner.exec(command, options)),
    readFile: (path, bytesMax) => use(inner.readFile(path, bytesMax)),
    writeFile: (path, bytes, mode) => use(inner.writeFile(path, bytes, mode)),
    ...(inner.room === undefined ? {} : { room: () => inner.room!() }),
    async destroy () {
      if (!isGone) gone()
      isGone = true
      await inner.destroy()
    }
  }
}
