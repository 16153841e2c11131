// The contract of the bridge, run on every wire: what docs/bridge.md says, case by case.

import type { Test } from 'tap'
import type { Bus } from '../../src/bus/types.ts'
import { callContract } from './contract-calls.ts'
import { endContract } from './contract-ends.ts'
import { flowContract } from './contract-flow.ts'
import { frameContract } from './contract-frames.ts'

/** Two connections to one bus, of a test of its own. */
export type OpenSides = (t: Test) => Promise<{ serving: Bus; calling: Bus }>

export function bridgeContract (t: Test, open: OpenSides): void {
  callContract(t, open)
  endContract(t, open)
  flowContract(t, open)
  frameContract(t, open)
}
