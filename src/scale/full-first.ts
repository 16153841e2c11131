// What bounds a deployment: of what there is, the thing that is used up.

import type { Modelled } from './model.ts'

const names: Record<keyof Modelled['used'], string> = {
  runSlots: 'run slots', verifySlots: 'verify slots', gradeSlots: 'grade slots', cores: 'cores', sequences: 'GPUs that sample', inFlight: 'episodes in flight', trainer: 'trainer', bus: 'bus'
}
/** Below this nothing is full: there is room everywhere. */
const fullShare = 0.9

/** The fullest comes last in its own queue: where a trainer is busy all the time, nothing before it matters. */
export function fullFirst ({ used, heldBack }: Pick<Modelled, 'used' | 'heldBack'>): string {
  if (used.trainer >= fullShare) return names.trainer
  const others = (Object.entries(used) as [keyof Modelled['used'], number][]).filter(([name]) => name !== 'trainer' && name !== 'inFlight').sort(([, one], [, other]) => other - one)
  const [name, share] = others[0]!
  if (share >= fullShare) return names[name]
  return used.inFlight >= fullShare && heldBack < 0.1 ? names.inFlight : 'nothing'
}
