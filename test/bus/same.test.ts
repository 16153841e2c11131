// Goal: whatever is done to the bus in memory and to a real server, both answer the same. Method: random sequences of steps of
// several connections (same/operations.ts), taken on both. SPAR_SAME_SEED and SPAR_SAME_PATH repeat what a failure prints,
// SPAR_SAME_MINUTES goes on for longer.

import fc from 'fast-check'
import { connect } from 'nats'
import t from 'tap'
import { natsServers, skipWithoutNats, startNats } from '../helpers/nats-server.ts'
import { sequence, type Step } from './same/operations.ts'
import { play } from './same/play.ts'
import { memoryWorld, natsWorld, TooSlow } from './same/world.ts'

const { SPAR_SAME_SEED: seed, SPAR_SAME_PATH: path, SPAR_SAME_MINUTES: minutes } = process.env
/** Sequences at a time: most of what they take is waiting. */
const lanes = path === undefined ? 6 : 1
const lastMs = minutes === undefined ? 18_000 : Number(minutes) * 60_000
/** A sequence that was too slow to say anything is taken again with longer ones. */
const leases = [3_000, 6_000, 12_000]
/** One lane takes the same sequences each time. */
const fixedSeed = 8

const skip = skipWithoutNats()
if (skip !== false) t.pass('skipped', { skip })
else for (const kind of natsServers()) {
  t.test(`nats-server ${kind.name}`, { timeout: lastMs + 300_000 }, async t => {
    const { url } = await startNats(t, { kind, syncInterval: '2m' })
    const nc = await connect({ servers: [url] })
    t.teardown(() => nc.close())
    const jsm = await nc.jetstreamManager()
    const first = seed === undefined ? Date.now() % 2 ** 31 : Number(seed)
    let passed = 0
    let slow = 0
    const compare = async (steps: Step[]): Promise<void> => {
      const expected = await play(memoryWorld(), steps)
      for (const ackWaitMs of leases) {
        try {
          const found = await play(natsWorld({ url, jsm }, ackWaitMs), steps)
          const at = expected.findIndex((one, index) => JSON.stringify(one) !== JSON.stringify(found[index]))
          if (at !== -1) throw new Error(`step ${at}: ${JSON.stringify(found[at])} on the server, ${JSON.stringify(expected[at])} in memory`)
          passed++
          return
        } catch (error) {
          if (!(error instanceof TooSlow)) throw error
          slow++
        }
      }
    }
    const lane = async (seed: number): Promise<void> => {
      // When time is up the last sequence is still being played: not on a server that is gone.
      let last: Promise<void> = Promise.resolve()
      const property = fc.asyncProperty(sequence, async steps => await (last = compare(steps)))
      const details = await fc.check(property, { seed, ...path === undefined ? {} : { path }, numRuns: 1_000_000, interruptAfterTimeLimit: lastMs, markInterruptAsFailure: false })
      await last.catch(() => {})
      t.notOk(details.failed, `SPAR_SAME_SEED=${seed} SPAR_SAME_PATH=${details.counterexamplePath ?? ''}`)
      if (details.failed) t.comment(`${JSON.stringify(details.counterexample)}\n${String(details.errorInstance)}`)
    }
    const fresh = Array.from({ length: lanes }, (_, index) => first + index)
    const seeds = seed === undefined ? [fixedSeed, ...fresh.slice(1)] : fresh
    t.comment(`seeds ${seeds.join(' ')}`)
    await Promise.all(seeds.map(lane))
    t.comment(`${passed} sequences were the same, ${slow} were too slow to say`)
    t.ok(passed > 0 || path !== undefined, 'some were fast enough')
  })
}
