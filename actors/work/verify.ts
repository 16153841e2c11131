// Work `verify`: all checks on a submission. The verdict goes with the bug into its folder: `bugs/` when it is valid,
// `rejected/` when not. A verdict that could not be reached is thrown, so that the work is delivered again.

import { createManifest } from '../../src/artifact/index.ts'
import type { Delivery } from '../../src/bus/work.ts'
import type { Verdict } from '../../src/domain.ts'
import { SparError } from '../../src/errors.ts'
import { bugFolder, output, rejectedFolder, type WorkOutput } from '../../src/store/episodes.ts'
import { sandboxesOf } from '../sandbox.ts'
import { verifyBug } from '../verifier.ts'
import type { Workplace } from './types.ts'

export async function handleVerify (place: Workplace, delivery: Delivery): Promise<WorkOutput<Verdict>> {
  const { store, arena, options, ports } = place
  const { episodeId } = delivery.work.payload as { episodeId: string }
  const { bug, manifest } = await store.submission(episodeId)
  const { params, strategy, seed, policy } = manifest!
  const verdict = await verifyBug({ bug, arena, params, mode: options.mode, run: store.run }, { ...ports.verify, sandboxes: sandboxesOf(ports.verify.sandboxes, delivery.work.id) }, delivery.signal, { ...ports, work: delivery.work.id })
  for (const { name, verdict: said } of verdict.checks) ports.verify.metrics?.add('spar_verify_checks_total', { check: name, verdict: said })
  if (!verdict.decided) {
    const check = verdict.checks.find(({ verdict }) => verdict === 'error')
    throw new SparError('VERIFY_UNDECIDED', `Cannot decide on ${bug.id}: ${check ? `check "${check.name}": ${check.reason}` : 'no check could run'}`, { retryable: true })
  }
  return output(verdict, {
    artifact: { folder: verdict.valid ? bugFolder(bug.id) : rejectedFolder(bug.id), bug, manifest: createManifest(bug, arena, { params, strategy, seed, policy, verdict }) }
  })
}
