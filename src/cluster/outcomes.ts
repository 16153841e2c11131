// Which episodes have an outcome, from the records. What is put back out of quarantine is played on from an outcome that counts no more:
// how often that was done stands in the records, and an outcome says after which time it came. So nobody has to take anything away, and
// an owner that was thought dead, which knows nothing of it, writes an outcome that counts for nobody.

import { upToNow } from '../bus/now.ts'
import type { Bus, LogEntry } from '../bus/types.ts'
import { backKey, readRecordKey, settledPrefix } from './keys.ts'
import type { Retry } from './retry.ts'

export interface Outcomes<Value> {
  /** Takes an entry of the records. Whose outcome it is, or takes back; null where it changes nothing. */
  enter (entry: LogEntry): { episode: string; isSettled: boolean } | null
  /** By episode, what `read` made of the outcome that counts. */
  readonly values: ReadonlyMap<string, Value>
  /** How often an episode was put back. */
  timesBack (episode: string): number
  /** Episodes that were put back, and have no outcome since. */
  open (): string[]
}

export function createOutcomes<Value> (read: (entry: LogEntry) => Value): Outcomes<Value> {
  const values = new Map<string, Value>()
  const times = new Map<string, number>()
  const timesBack = (episode: string): number => times.get(episode) ?? 0
  return {
    values, timesBack,
    open: () => [...times.keys()].filter(episode => !values.has(episode)),
    enter (entry) {
      const name = readRecordKey(entry.key)
      if (name === null || name.kind === 'work') return null
      const { episode } = name
      if (name.kind === 'back') {
        if (name.times <= timesBack(episode)) return null
        times.set(episode, name.times)
        return values.delete(episode) ? { episode, isSettled: false } : null
      }
      if (name.times < timesBack(episode)) return null
      values.set(episode, read(entry))
      return { episode, isSettled: true }
    }
  }
}

/** As they are now. */
export async function outcomesOf (bus: Bus, run: string): Promise<Outcomes<null>> {
  const outcomes = createOutcomes(() => null)
  for await (const entry of upToNow(signal => bus.log.records.follow(settledPrefix(run), signal))) outcomes.enter(entry)
  return outcomes
}

/** How often an episode was put back, until now. */
export async function askTimesBack (bus: Bus, retry: Retry, run: string, episode: string): Promise<number> {
  for (let times = 0; ; times++) if (await retry(() => bus.log.records.get(backKey(run, episode, times + 1))) === null) return times
}
