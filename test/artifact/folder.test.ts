import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { bugId, createBug, createManifest, readArtifact, writeArtifact } from '../../src/artifact/index.ts'
import type { Arena, ArtifactFiles } from '../../src/domain.ts'
import { testFolder } from '../helpers/test-folder.ts'

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
const files: ArtifactFiles = {
  testScript: bytes('echo hi\n'), testFiles: bytes('test/a.js\n'), testParser: bytes('print(1)\n'), parserName: 'test_parser.py',
  bugInject: bytes('caf\xe9\r\n'), testWeaken: bytes('diff'), predPatch: null
}
const arena = { id: '0123456789abcdef', target: 'npm:x@1', name: 'x', commit: 'c', tree: 't', image: null, imagePath: null, runner: 'tap', testCommand: null } as unknown as Arena
const provenance = { params: { minPassing: 1, minFiles: 1, minFailing: 1 }, strategy: 'removal', seed: 7, policy: null, verdict: null } as const

t.test('a bug is written whole, read back the same, and written only once', async t => {
  const dir = testFolder(t)
  const bug = createBug(files)
  const manifest = createManifest(bug, arena, provenance)
  const path = join(dir, 'bugs', bug.id)
  await Promise.all([writeArtifact(path, bug, manifest), writeArtifact(path, bug, manifest), writeArtifact(path, bug, manifest)])
  t.strictSame(await readArtifact(path), { bug, manifest })
  t.strictSame(await readdir(join(dir, 'bugs')), [bug.id], 'no draft is left')
  await writeArtifact(path, bug, { ...manifest, seed: 8 })
  t.equal((await readArtifact(path)).manifest?.seed, 7, 'the first manifest stays')
  const other = createBug({ ...files, testScript: bytes('echo ho\n') })
  await t.rejects(writeArtifact(path, other, createManifest(other, arena, provenance)), { code: 'ARTIFACT_CONFLICT' })
})

t.test('both sets of names are read, and have the same address', async t => {
  const dir = testFolder(t, { 'test_script.sh': files.testScript, 'test_files.txt': files.testFiles, 'parse_test_output.py': files.testParser, 'bug_patch.diff': files.bugInject, 'test_patch.diff': files.testWeaken } as never)
  for (const [name, content] of [['test_script.sh', files.testScript], ['test_files.txt', files.testFiles], ['parse_test_output.py', files.testParser], ['bug_patch.diff', files.bugInject], ['test_patch.diff', files.testWeaken]] as const) await writeFile(join(dir, name), content)
  t.strictSame((await readArtifact(dir)).bug, createBug(files))
  await writeFile(join(dir, 'bug_inject.diff'), 'x')
  await t.rejects(readArtifact(dir), { code: 'ARTIFACT_AMBIGUOUS' })
})

t.test('the address depends on every file, and not on how the bytes are split over them', async t => {
  const ids = new Set([
    files, { ...files, testScript: bytes('echo hi') }, { ...files, testFiles: bytes('\ntest/a.js\n'), testScript: bytes('echo hi') }, { ...files, parserName: 'test_parser.js' }, { ...files, predPatch: bytes('') }
  ].map(bugId))
  t.equal(ids.size, 5)
  t.match([...ids][0], /^bug-[0-9a-f]{16}$/)
  t.equal(createBug({ ...files, predPatch: bytes('p') }, 'bug-1').order, 2)
})

t.test('a folder that lacks a file, holds a link or was changed is refused', async t => {
  const dir = testFolder(t)
  const bug = createBug(files)
  const path = join(dir, bug.id)
  await t.rejects(readArtifact(path), { code: 'ARTIFACT_NOT_FOUND' })
  await writeArtifact(path, bug, createManifest(bug, arena, provenance))
  await writeFile(join(path, 'bug_inject.diff'), 'other')
  await t.rejects(readArtifact(path), { code: 'ARTIFACT_ID_MISMATCH' })
  const linked = join(dir, 'linked')
  await mkdir(linked)
  for (const name of ['test_files.txt', 'test_parser.py', 'bug_inject.diff', 'test_weaken.diff']) await writeFile(join(linked, name), await readFile(join(path, name)))
  await t.rejects(readArtifact(linked), { code: 'ARTIFACT_MISSING_FILE' })
  await symlink('/etc/passwd', join(linked, 'test_script.sh'))
  await t.rejects(readArtifact(linked), { code: 'ARTIFACT_LINK' })
})
