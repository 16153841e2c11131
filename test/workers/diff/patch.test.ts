// Goal: reading loses nothing, holds its limits, and what strangers may not do is refused. Method: examples, and for the
// numbers git's own.

import t from 'tap'
import { drawCase, runGit } from '../../fuzz/diff.ts'
import { applyPatch, formatPatch, guardPatch, joinPatches, parsePatch, PatchIndex, repairPatch, restoreFiles, reversePatch, splitPatch, type TreeFile } from '../../../src/workers/diff/index.ts'
import { git, inFolder } from '../../artifact/git.ts'

const simple = (path: string, before = 'a', after = 'b'): string => `diff --git a/${path} b/${path}\n--- a/${path}\n+++ b/${path}\n@@ -1 +1 @@\n-${before}\n+${after}\n`
/** Drawn patches that git applies. */
const sound = (seed: number): Buffer[] => {
  const cases = Array.from({ length: 60 }, (_, number) => drawCase(seed, number))
  const applied = runGit(cases)
  return cases.flatMap(({ patch }, at) => applied[at] ? [patch] : [])
}
const file = (text: string): TreeFile => ({ mode: '100644', bytes: Buffer.from(text) })
const literal = 'diff --git a/x b/x\nindex 1..2 100644\nGIT binary patch\nliteral 4\nLcmZQzWMT#Y01f~L\n\n'

t.test('parts joined, an index formatted, and one sent to another thread are the patch they came from', async t => {
  for (const patch of sound(7)) {
    const index = new PatchIndex(structuredClone(parsePatch(patch).plain))
    t.same(Buffer.from(formatPatch(index)), patch)
    t.same(Buffer.from(joinPatches(splitPatch(patch))), patch)
  }
})

t.test('numstat is git\'s', async t => {
  for (const patch of sound(8)) {
    const rows = inFolder(dir => git(dir, ['apply', '--numstat', '-z', '-'], patch)).toString('latin1').split('\0').slice(0, -1)
    const ours = parsePatch(patch).numstat().map(({ path, added, deleted }) => `${added ?? '-'}\t${deleted ?? '-'}\t${path}`)
    t.same(ours.filter(row => /^[\x20-\x7e\t]*$/.test(row)), rows.filter(row => /^[\x20-\x7e\t]*$/.test(row)))
  }
})

t.test('limits are held while reading', async t => {
  const limited = (patch: string, limits: object): (() => unknown) => () => parsePatch(Buffer.from(patch), limits)
  t.throws(limited(simple('x'), { patchBytesMax: 10 }), { code: 'PATCH_TOO_LARGE' })
  t.throws(limited(simple('x') + simple('y'), { filesMax: 1 }), { code: 'PATCH_TOO_LARGE' })
  t.throws(limited(`${simple('x')}@@ -3 +3 @@\n-a\n+b\n`, { hunksMax: 1 }), { code: 'PATCH_TOO_LARGE' })
  t.throws(limited(literal, { binaryBytesMax: 3 }), { code: 'PATCH_TOO_LARGE' })
  t.throws(limited(literal, { binaryTotalBytesMax: 3 }), { code: 'PATCH_TOO_LARGE' })
})

t.test('restoring puts back single files of an applied patch', async t => {
  const patch = Buffer.from(simple('x') + simple('y'))
  const after = applyPatch(patch, new Map([['x', file('a\n')], ['y', file('a\n')]]))
  const restored = restoreFiles(patch, after, ['y'])
  t.same([...restored].map(([path, { bytes }]) => [path, Buffer.from(bytes).toString()]), [['x', 'b\n'], ['y', 'a\n']])
  t.throws(() => restoreFiles(patch, after, ['z']), { code: 'PATCH_NO_FILE' })
})

t.test('a reversed patch does what applying backwards does', async t => {
  const patch = Buffer.from('diff --git a/x b/y\nsimilarity index 50%\nrename from x\nrename to y\nindex 1..2 100644\n--- a/x\n+++ b/y\n@@ -1,3 +1,3 @@\n a\n-b\n-c\n\\ No newline at end of file\n+d\n+e\n')
  const before = new Map([['x', file('a\nb\nc')]])
  const after = applyPatch(patch, before)
  t.same(applyPatch(reversePatch(patch), after), before)
  t.same(applyPatch(patch, after, { reverse: true }), before)
})

const tree = new Map<string, TreeFile>([['l', { mode: '120000', bytes: Buffer.from('d') }], ['README', file('a\n')]])
const guarded: [string, string, string][] = [
  ['outside', simple('../x'), 'PATCH_OUTSIDE'],
  ['absolute', simple('/etc/x'), 'PATCH_OUTSIDE'],
  ['.git in any case', simple('d/.Git/x'), 'PATCH_GIT_DIR'],
  ['.git on NTFS', simple('git~1/x'), 'PATCH_GIT_DIR'],
  ['through an old link', simple('l/x'), 'PATCH_SYMLINK'],
  ['at a link', simple('l'), 'PATCH_SYMLINK'],
  ['a new link', 'diff --git a/n b/n\nnew file mode 120000\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+d\n', 'PATCH_SYMLINK'],
  ['a submodule', 'diff --git a/n b/n\nnew file mode 160000\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+d\n', 'PATCH_SUBMODULE'],
  ['a NUL', 'diff --git "a/x\\000y" "b/x\\000y"\n--- "a/x\\000y"\n+++ "b/x\\000y"\n@@ -1 +1 @@\n-a\n+b\n', 'PATCH_BAD_PATH'],
  ['twice', simple('x') + simple('x'), 'PATCH_DUPLICATE'],
  ['twins in the patch', simple('d/x') + simple('D/x'), 'PATCH_CASE_TWIN'],
  ['a twin in the tree', simple('readme'), 'PATCH_CASE_TWIN'],
  ['a binary block at which git stops', `${simple('x')}diff --git a/b b/b\nindex 1..2 100644\nGIT binary patch\nliteral 4\nnonsense\n\n`, 'PATCH_MALFORMED']
]

t.test('guards', async t => {
  for (const [what, patch, code] of guarded) t.throws(() => { guardPatch(parsePatch(Buffer.from(patch)), { tree }) }, { code }, what)
  t.throws(() => { guardPatch(parsePatch(Buffer.from(simple('x') + simple('y'))), { limits: { filesMax: 1 } }) }, { code: 'PATCH_TOO_LARGE' })
  t.throws(() => { guardPatch(parsePatch(Buffer.from(simple('xxxx'))), { limits: { pathBytesMax: 3 } }) }, { code: 'PATCH_BAD_PATH' })
  t.doesNotThrow(() => { guardPatch(parsePatch(Buffer.from('diff --git a/README b/Readme\nsimilarity index 100%\nrename from README\nrename to Readme\n')), { tree }) }, 'a rename may change the case')
})

const repairs: [string, string, string, string[]][] = [
  ['nothing to repair', simple('x'), simple('x'), []],
  ['prose around, which git ignores', `Here it is:\n${simple('x')}\nDone.\n`, `Here it is:\n${simple('x')}\nDone.\n`, []],
  ['the last newline missing', simple('x').slice(0, -1), simple('x'), ['LAST_NEWLINE']],
  ['CRLF throughout', simple('x').replaceAll('\n', '\r\n'), simple('x'), ['CRLF']],
  ['a fence inside of a hunk that counts too many lines', `Sure!\n\`\`\`diff\n${simple('x').replace('-1 +1', '-1,2 +1,2')}\`\`\`\nThis fixes it.\n`, simple('x').replace('-1 +1', '-1,1 +1,1'), ['FENCE', 'HUNK_COUNTS']],
  ['wrong counts', simple('x').replace('-1 +1', '-1,7 +1,3'), simple('x').replace('-1 +1', '-1,1 +1,1'), ['HUNK_COUNTS']],
  ['a hunk without numbers', simple('x').replace('-1 +1 @@', '@@'), simple('x').replace('-1 +1', '-2,1 +2,1'), ['HUNK_NUMBERS']],
  ['a hunk that changes nothing', `${simple('x')}@@ -5 +5 @@\n z\n`, simple('x'), ['EMPTY_HUNK']],
  ['what no repair helps', 'diff --git a/x b/y\nno patch\n', 'diff --git a/x b/y\nno patch\n', []]
]

t.test('repairs are made and told', async t => {
  for (const [what, given, patch, codes] of repairs) {
    const repaired = repairPatch(Buffer.from(given))
    t.equal(Buffer.from(repaired.patch).toString(), patch, what)
    t.same(repaired.repairs.map(({ code }) => code), codes, what)
  }
})

t.test('what is larger than a model answers is not looked at', async t => {
  const large = Buffer.from(`${simple('x').replace('-1 +1', '-1,7 +1')}${'x'.repeat(4 * 2 ** 20)}\n`)
  t.equal(repairPatch(large).patch, large)
})
