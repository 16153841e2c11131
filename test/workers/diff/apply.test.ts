// Goal: a patch applies to exactly the tree that git makes, and is refused exactly where git refuses. Method: one example
// of each feature, forward and back, with `git apply` as the oracle of all of them; chance is left to test/fuzz.

import t from 'tap'
import { applyPatch, type TreeFile } from '../../../src/workers/diff/index.ts'
import { differenceOf, runGit } from '../../fuzz/diff.ts'
import { SparError } from '../../../src/errors.ts'

type Files = Record<string, string | [string, TreeFile['mode']]>

const tree = (files: Files): Map<string, TreeFile> => new Map(Object.entries(files).map(([path, content]) =>
  [path, typeof content === 'string' ? { mode: '100644', bytes: Buffer.from(content, 'latin1') } : { mode: content[1], bytes: Buffer.from(content[0], 'latin1') }]))

const numbered = (from: number, to: number, eol = '\n'): string => Array.from({ length: to - from + 1 }, (_, at) => `line ${from + at}${eol}`).join('')
const simple = (path: string, before = 'a', after = 'b'): string => `diff --git a/${path} b/${path}\n--- a/${path}\n+++ b/${path}\n@@ -1 +1 @@\n-${before}\n+${after}\n`
const none = '\\ No newline at end of file\n'
const rename = (from: string, to: string): string => `diff --git a/${from} b/${to}\nsimilarity index 100%\nrename from ${from}\nrename to ${to}\n`
const added = (path: string, mode = '100644', line = 'new'): string => `diff --git a/${path} b/${path}\nnew file mode ${mode}\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+${line}\n${mode === '120000' ? none : ''}`
const removed = (path: string, mode = '100644', line = 'old'): string => `diff --git a/${path} b/${path}\ndeleted file mode ${mode}\n--- a/${path}\n+++ /dev/null\n@@ -1 +0,0 @@\n-${line}\n${mode === '120000' ? none : ''}`
const binary = 'diff --git a/bin b/bin\nindex f76dd238ade08917e6712764a16a22005a50573d..6d28c0b9e4ae7bbd2d8b0c4c8a6ba8c0b3d1c1cd 100644\nGIT binary patch\nliteral 1\nIcmZPo000310RR91\n\nliteral 1\nIcmZPo000310RR91\n\n'

const taken: [string, Files, string][] = [
  ['a change', { f: 'a\n' }, simple('f')],
  ['a rename with a change', { a: numbered(1, 9) }, `${rename('a', 'd/b')}--- a/a\n+++ b/d/b\n@@ -1,4 +1,4 @@\n line 1\n-line 2\n+two\n line 3\n line 4\n`],
  ['a copy', { a: 'x\n' }, 'diff --git a/a b/b\nsimilarity index 100%\ncopy from a\ncopy to b\n'],
  ['a swap', { a: '1\n', b: '2\n' }, rename('a', 'b') + rename('b', 'a')],
  ['a chain of renames', { a: '1\n', b: '2\n', c: '3\n' }, rename('a', 'b') + rename('b', 'c') + rename('c', 'a')],
  ['a change of mode', { a: 'x\n' }, 'diff --git a/a b/a\nold mode 100644\nnew mode 100755\n'],
  ['a new link', {}, added('l', '120000', 'target')],
  ['a file that becomes a link', { l: 'old\n' }, removed('l') + added('l', '120000', 'target')],
  ['a link that becomes a file', { l: ['old', '120000'] }, removed('l', '120000') + added('l')],
  ['a link that becomes a folder', { l: ['old', '120000'] }, removed('l', '120000') + added('l/x')],
  ['a new empty file', {}, 'diff --git a/e b/e\nnew file mode 100644\nindex 0000000..e69de29\n'],
  ['an empty file removed', { e: '' }, 'diff --git a/e b/e\ndeleted file mode 100644\nindex e69de29..0000000\n'],
  ['no newline before', { f: 'a' }, `--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n${none}+b\n`],
  ['no newline after', { f: 'a\n' }, `--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n${none}`],
  ['no newline on either side', { f: 'x\na' }, `--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n-x\n+y\n a\n${none}`],
  ['mixed ends of lines', { f: 'a\r\nb\nc\r\nd\re\n' }, '--- a/f\n+++ b/f\n@@ -1,4 +1,4 @@\n a\r\n-b\n+B\r\n c\r\n d\re\n'],
  ['form feed, U+2028, U+0085 and latin-1', { f: 'a\fb\n\xe2\x80\xa8\n\xc2\x85\n\xe9\n' }, '--- a/f\n+++ b/f\n@@ -1,4 +1,4 @@\n a\fb\n \xe2\x80\xa8\n \xc2\x85\n-\xe9\n+\xe8\n'],
  ['a quoted name with octal escapes', { 'é "x"': 'a\n' }, 'diff --git "a/\\303\\251 \\"x\\"" "b/\\303\\251 \\"x\\""\n--- "a/\\303\\251 \\"x\\""\n+++ "b/\\303\\251 \\"x\\""\n@@ -1 +1 @@\n-a\n+b\n'],
  ['a tab after a name with a space', { 'a b': 'a\n' }, 'diff --git a/a b b/a b\n--- a/a b\t\n+++ b/a b\t\n@@ -1 +1 @@\n-a\n+b\n'],
  ['" b/" inside a name', { 'x b/x': '' }, 'diff --git a/x b/x b/x b/x\nold mode 100644\nnew mode 100755\n'],
  ['content that looks like headers', { f: '-- a/x\n++ b/x\n@ -1 +1 @@\n' }, '--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n--- a/x\n+++ b/x\n ++ b/x\n @ -1 +1 @@\n'],
  ['an offset, the nearer place first', { f: `${'x\n'.repeat(9)}a\n${'x\n'.repeat(4)}a\n${'x\n'.repeat(9)}` }, '--- a/f\n+++ b/f\n@@ -12,3 +12,3 @@\n x\n-a\n+b\n x\n'],
  ['of two places equally near the later', { f: 'x\na\nx\nx\nx\na\nx\nx\n' }, '--- a/f\n+++ b/f\n@@ -3,3 +3,3 @@\n x\n-a\n+b\n x\n'],
  ['an anchor at the begin', { f: 'a\nb\nc\n' }, '--- a/f\n+++ b/f\n@@ -1,2 +1,3 @@\n+new\n a\n b\n'],
  ['zero context at the end', { f: 'a\nb\n' }, '--- a/f\n+++ b/f\n@@ -2 +2 @@\n-b\n+c\n'],
  ['the same file twice', { f: 'a\n' }, simple('f') + simple('f', 'b', 'c')],
  ['other prefixes', { f: 'a\n' }, 'diff --git old/f new/f\n--- old/f\n+++ new/f\n@@ -1 +1 @@\n-a\n+b\n'],
  ['an SVN diff', { 'd/f': 'a\n' }, 'Index: d/f\n===================================================================\n--- x/d/f\t(revision 1)\n+++ x/d/f\t(working copy)\n@@ -1 +1 @@\n-a\n+b\n'],
  ['an added file with the date of nowhere', {}, '--- a/n\t1970-01-01 01:00:00.000000000 +0100\n+++ b/n\t2020-01-01 00:00:00 +0000\n@@ -0,0 +1 @@\n+x\n'],
  ['an empty line of context without its space', { f: 'a\n\nb\n' }, '--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n\n-b\n+c\n'],
  ['text before, between and after', { f: 'a\n', g: 'a\n' }, `From: me\n---\n${simple('f')}-- \n2.39\n${simple('g')}\nbye\n`],
  ['a submodule whose folder is there', { 'm/x': '1\n' }, 'diff --git a/m b/m\nindex 1111111..2222222 160000\n--- a/m\n+++ b/m\n@@ -1 +1 @@\n-Subproject commit 1\n+Subproject commit 2\n']
]

const refused: [string, Files, string, string][] = [
  ['an empty patch', { f: 'a\n' }, '', 'PATCH_EMPTY'],
  ['a merge diff (diff --cc)', { f: 'a\n' }, 'diff --cc f\nindex 1,2..3\n--- a/f\n+++ b/f\n@@@ -1,1 -1,1 +1,1 @@@\n- a\n -b\n++c\n', 'PATCH_EMPTY'],
  ['a hunk that does not fit', { f: 'z\n' }, simple('f'), 'PATCH_CONFLICT'],
  ['overlapping hunks', { f: 'a\nb\nc\nd\n' }, '--- a/f\n+++ b/f\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n@@ -2,3 +2,3 @@\n B\n-c\n+C\n d\n', 'PATCH_CONFLICT'],
  ['an anchored hunk that would fit further down', { f: 'x\na\nb\n' }, '--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n-a\n+A\n b\n', 'PATCH_CONFLICT'],
  ['zero context in the middle', { f: 'a\nb\nc\n' }, '--- a/f\n+++ b/f\n@@ -2 +2 @@\n-b\n+c\n', 'PATCH_CONFLICT'],
  ['a missing file', {}, simple('f'), 'PATCH_NO_FILE'],
  ['a file that is removed before', { f: 'old\n' }, removed('f') + simple('f'), 'PATCH_NO_FILE'],
  ['a new file that is there', { f: 'x\n' }, added('f'), 'PATCH_FILE_EXISTS'],
  ['a path through a link', { l: ['d', '120000'], 'd/x': 'a\n' }, simple('l/x'), 'PATCH_BEYOND_LINK'],
  ['a path through a link of the same patch', {}, added('l', '120000', 'd') + added('l/x'), 'PATCH_BEYOND_LINK'],
  ['a link where a file is expected', { f: ['a', '120000'] }, 'diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n', 'PATCH_WRONG_TYPE'],
  ['..', { f: 'a\n' }, added('../x'), 'PATCH_BAD_PATH'],
  ['.git in any case', {}, added('.GiT/config'), 'PATCH_BAD_PATH'],
  ['counts that are too small', { f: 'a\n' }, '--- a/f\n+++ b/f\n@@ -1,2 +1 @@\n-a\n+b\n', 'PATCH_MALFORMED'],
  ['a file in the place of a folder', { 'd/x': '1\n' }, added('d'), 'PATCH_BLOCKED'],
  ['a binary file that is another', { bin: 'other' }, binary, 'PATCH_CONFLICT']
]

const cases = [...taken, ...refused].flatMap(([what, files, patch]) => [false, true].map(reverse => ({ what, tree: tree(files), patch: Buffer.from(patch, 'latin1'), reverse, clean: false })))
const expected = runGit(cases)

t.test('every feature is as with git, forward and with -R', async t => {
  cases.forEach(({ what, tree, patch, reverse }, at) => {
    const git = expected[at]!
    const name = `${what}${reverse ? ', reversed' : ''}`
    if (git === null) t.throws(() => applyPatch(patch, tree, { reverse }), SparError, `${name}: refused`)
    else t.equal(differenceOf(applyPatch(patch, tree, { reverse }), git), null, `${name}: applied`)
  })
})

for (const [what, files, patch] of taken) {
  t.test(`${what} applies, and reversing undoes it`, async t => {
    const before = tree(files)
    const after = applyPatch(Buffer.from(patch, 'latin1'), before)
    // git does not turn a copy around: its target is there, and its source too. Nor does it see its way back through a file named twice.
    if (/^copy|\(revision|160000|1970/m.test(patch)) return
    t.equal(differenceOf(applyPatch(Buffer.from(patch, 'latin1'), after, { reverse: true }), before), null)
  })
}

for (const [what, files, patch, code] of refused) {
  t.test(`${what} is refused, and the tree stays as it is`, async t => {
    const before = tree(files)
    t.throws(() => applyPatch(Buffer.from(patch, 'latin1'), before), { code })
    t.equal(differenceOf(before, tree(files)), null)
  })
}

t.test('files that are not touched are shared with the result', async t => {
  const before = tree({ f: 'a\n', g: 'x\n' })
  const after = applyPatch(Buffer.from(simple('f')), before)
  t.equal(after.get('g'), before.get('g'))
  t.equal(Buffer.from(before.get('f')!.bytes).toString(), 'a\n')
})

t.test('a link that is removed and put back is not written through, which git does', async t => {
  const patch = removed('l', '120000', 'd') + rename('m', 'l') + added('l/x')
  const before = tree({ l: ['d', '120000'], m: ['d', '120000'], 'd/a': '1\n' })
  t.throws(() => applyPatch(Buffer.from(patch), before), { code: 'PATCH_THROUGH_LINK' })
})
