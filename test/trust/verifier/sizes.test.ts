// Goal: an artifact of hundreds of megabytes costs nothing: it is refused before any work, by name, and nothing of it is copied
// or read. Method: each file of the artifact far over its cap; time and memory beside the artifact's own.

import { mkdtempSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import t from 'tap'
import { artifactLimits, readArtifact } from '../../../src/artifact/index.ts'
import type { Bug, CheckName } from '../../../src/domain.ts'
import { verifyBug } from '../../../actors/verifier.ts'
import { makeBug, openLab, valid } from '../../verify/fixture.ts'

const megabyte = 2 ** 20
const hugeBytes = 200 * megabyte

t.test('a huge file of an artifact is refused by its check, before any work', async t => {
  const lab = await openLab(t)
  const huge = new Uint8Array(hugeBytes).fill(0x0a)
  const bug = makeBug(valid)
  const parts: [keyof Bug['files'], CheckName][] = [['testScript', 'script'], ['testFiles', 'files'], ['testParser', 'parser'], ['bugInject', 'scope'], ['testWeaken', 'scope']]
  for (const [part, failed] of parts) {
    const before = process.memoryUsage().rss
    const startedAt = performance.now()
    const verdict = await verifyBug({ bug: { ...bug, files: { ...bug.files, [part]: huge } }, arena: lab.arena(), params: { minPassing: 3, minFiles: 1, minFailing: 1 }, mode: 'strict', run: 'test' }, lab.ports)
    const reason = verdict.checks.find(({ name }) => name === failed)?.reason
    t.strictSame([verdict.decided, verdict.failed], [true, failed], `${part}: ${reason}`)
    t.match(reason, /TOO_LARGE/, part)
    t.ok(performance.now() - startedAt < 2000, `${part} in ${(performance.now() - startedAt).toFixed(0)} ms`)
    t.ok(process.memoryUsage().rss - before < 64 * megabyte, `${part} takes ${((process.memoryUsage().rss - before) / megabyte).toFixed(0)} MB`)
  }
  t.strictSame(lab.left(), [])
})

t.test('a huge file is not read from a folder', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'spar-huge-'))
  for (const name of ['test_script.sh', 'test_files.txt', 'test_parser.py', 'test_weaken.diff']) writeFileSync(join(dir, name), '')
  writeFileSync(join(dir, 'bug_inject.diff'), '')
  truncateSync(join(dir, 'bug_inject.diff'), artifactLimits.fileBytesMax + 300 * megabyte)
  await t.rejects(readArtifact(dir), { code: 'ARTIFACT_TOO_LARGE' })
})
