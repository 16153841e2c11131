// A named hole in a machine: the machine says what it needs and in which types, `actors/` says how.
// Running a hole that nobody filled is a defect, so it throws instead of waiting for ever.

import { fromPromise, type PromiseActorLogic } from 'xstate'

export function effect<Output, Input> (name: string): PromiseActorLogic<Output, Input> {
  return fromPromise<Output, Input>(() => {
    throw new Error(`Cannot run effect "${name}": no actor was provided`)
  })
}
