// The door of this folder: the table of runners, how one is found, and which paths belong to tests.

import type { RunnerName } from '../../domain.ts'
import { goTest } from './go.ts'
import { jest, vitest } from './jest.ts'
import { mocha } from './mocha.ts'
import { nodeTest } from './node-test.ts'
import { pytest } from './pytest.ts'
import { tap, tape } from './tap.ts'
import type { Runner } from './types.ts'
import { unittest } from './unittest.ts'

export { customRunner } from './custom.ts'
export { findRunner } from './find.ts'
export { isTestInfrastructure, isTestPath } from './paths.ts'
export type { FoundRunner, Runner, TreeReader } from './types.ts'

export const runners: Record<Exclude<RunnerName, 'custom'>, Runner> = {
  pytest, unittest, 'node:test': nodeTest, tap, tape, mocha, jest, vitest, 'go test': goTest
}
