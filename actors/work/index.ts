// Does a piece of work. Work with a result answers at once; what a handler throws has not been decided.

import type { Delivery, WorkKind } from '../../src/bus/work.ts'
import { handleBreak } from './break.ts'
import { handleGrade } from './grade.ts'
import { handleSolve } from './solve.ts'
import type { WorkHandlers, Workplace } from './types.ts'
import { handleVerify } from './verify.ts'

export const workHandlers: WorkHandlers = { break: handleBreak, verify: handleVerify, solve: handleSolve, grade: handleGrade }

export const workKinds = Object.keys(workHandlers) as WorkKind[]

export async function doWork (place: Workplace, delivery: Delivery, handlers: WorkHandlers = workHandlers): Promise<unknown> {
  const { id } = delivery.work
  return await place.store.result(id) ?? await handleWork(place, delivery, handlers)
}

/** The same for whoever has looked for a result already. */
export async function handleWork (place: Workplace, delivery: Delivery, handlers: WorkHandlers = workHandlers): Promise<unknown> {
  const { id, kind } = delivery.work
  return await place.store.keepOutput(id, await handlers[kind](place, delivery))
}
