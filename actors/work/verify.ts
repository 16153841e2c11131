// Work `verify`: all checks on a submission. The verdict goes with the bug into its folder: `bugs/` when it is valid,
// `rejected/` when not. A verdict that could not be reached is thrown, so that the work is delivered again.

import { createManifest, readArtifact, writeArtifact } from '../../src/artifact/index.ts'
import type { Delivery } from '../../src/bus/work.ts'
import type { Verdict } from '../../src/domain.ts'
import { SparError } from '../../src/errors.ts'
import { breakId } from '../../src/run/ids.ts'
import { verifyBug } from '../verifier.ts'
import type { System } from '../system.ts'

export async function handleVerify (system: System, delivery: Delivery): Promise<Verdict> {
  const { store, arena, options, ports } = system
  const known = store.result<Verdict>(delivery.work.id)
  if (known) return known
  const { episodeId } = delivery.work.payload as { episodeId: string }
  const { bug, manifest } = await readArtifact(store.path('submissions', breakId(episodeId)))
  const { params, strategy, seed, policy } = manifest!
  const verdict = await verifyBug({ bug, arena, params, mode: options.mode, run: store.run }, ports.verify, delivery.signal)
  if (!verdict.decided) {
    const check = verdict.checks.find(({ verdict }) => verdict === 'error')
    throw new SparError('VERIFY_UNDECIDED', `Cannot decide on ${bug.id}: ${check ? `check "${check.name}": ${check.reason}` : 'no check could run'}`, { retryable: true })
  }
  await writeArtifact(store.path(verdict.valid ? 'bugs' : 'rejected', bug.id), bug, createManifest(bug, arena, { params, strategy, seed, policy, verdict }))
  store.keepResult(delivery.work.id, verdict)
  return verdict
}
