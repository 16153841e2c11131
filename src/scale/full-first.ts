// What bounds a deployment: of what there is, the thing that is used up.

import type { Modelled } from './model.ts'

const names: Record<keyof Modelled['used'], string> = {
  runSlots: 'run slots', verifySlots: 'verify slots', gradeSlots: 'grade slots', cores: 'cores', sequences: 'GPUs that sample', inFlight: 'episodes in flight', trainer: 'trainer', bus: 'bus'
}
/** Below this nothing is full: there is room everywhere. */
const fullShare = 0.9

/** What a slot waits for while it is held: where one of these is full, slots are too. */
const inner = ['cores', 'sequences', 'bus'] as const
const outer = ['runSlots', 'verifySlots', 'gradeSlots'] as const

/** From the end of the way to its beginning: where a trainer is busy all the time, nothing before it matters. */
export function fullFirst ({ used, heldBack }: Pick<Modelled, 'used' | 'heldBack'>): string {
  if (used.trainer >= fullShare) return names.trainer
  for (const group of [inner, outer]) {
    const fullest = group.reduce<keyof Modelled['used']>((most, name) => used[name] > used[most] ? name : most, group[0])
    if (used[fullest] >= fullShare) return names[fullest]
  }
  return used.inFlight >= fullShare && heldBack < 0.1 ? names.inFlight : 'nothing'
}
