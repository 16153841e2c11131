// Names of topics, read.

import { badTopic } from './failure.ts'

export type Topic =
  | { kind: 'cluster' | 'actors' | 'runs' | 'trace' }
  | { kind: 'actor'; key: string; node: string }
  | { kind: 'machine'; machine: string }
  | { kind: 'episodes' | 'training'; run: string }
  | { kind: 'episode'; run: string; episode: string }
  | { kind: 'rollout'; run: string; rollout: string; page: number }
  | { kind: 'tokens'; run: string; rollout: string; segment: number; page: number }

/** What may be part of a path in a run's folder, or of a key on the bus. */
const isName = (name: string): boolean => /^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$/.test(name) && name.length <= 200
const isCount = (text: string): boolean => /^\d{1,6}$/.test(text)

/** Throws INSPECT_BAD_TOPIC. */
export function readTopic (topic: string): Topic {
  const [kind, ...parts] = split(topic)
  const names = parts.filter((part, index) => index < 2 && (kind === 'actor' ? /^[A-Za-z0-9_-]+\/\d{1,15}$/.test(part) : isName(part)))
  const counts = parts.slice(2).filter(isCount).map(Number)
  const fits = (parts_: number, counts_ = 0): boolean => parts.length === parts_ + counts_ && names.length === parts_ && counts.length === counts_
  const [one, two] = names as [string, string]
  if ((kind === 'cluster' || kind === 'actors' || kind === 'runs' || kind === 'trace') && fits(0)) return { kind }
  if (kind === 'actor' && fits(1)) return { kind, key: one, node: one.slice(0, one.lastIndexOf('/')) }
  if (kind === 'machine' && fits(1)) return { kind, machine: one }
  if ((kind === 'episodes' || kind === 'training') && fits(1)) return { kind, run: one }
  if (kind === 'episode' && fits(2)) return { kind, run: one, episode: two }
  if (kind === 'rollout' && fits(2, 1)) return { kind, run: one, rollout: two, page: counts[0]! }
  if (kind === 'tokens' && fits(2, 2)) return { kind, run: one, rollout: two, segment: counts[0]!, page: counts[1]! }
  throw badTopic(topic)
}

function split (topic: string): string[] {
  try {
    return topic.length > 1_000 ? [] : topic.split('/').map(decodeURIComponent)
  } catch {
    return []
  }
}
