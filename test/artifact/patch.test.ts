// Goal: the reader sees exactly the files that git sees, and nothing that git sees escapes its guards.
// Method: git as the oracle, over generated trees with awkward names and contents; crafted patches for the guards.

import fc from 'fast-check'
import t from 'tap'
import { readPatch, reversePatch, touchedPaths } from '../../src/artifact/index.ts'
import { SparError } from '../../src/errors.ts'
import { applied, diffOf, git, inFolder, text, type Files } from './git.ts'

const name = fc.constantFrom('a', 'b c', 'ü', 'q"t', "it's", 'tab\tx', 'new\nline', 'a b', 'back\\slash', '-dash', 'x => y', 'deep', ' b', '{a}')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map(parts => `${parts.map((part, index) => `${part}${index}`).join('/')}.txt`)
const line = fc.constantFrom('x', 'y', '', '--- a/x', '+++ b/y', '@@ -1 +1 @@', 'diff --git a/x b/x', '\\ No newline', 'crlf\r', 'deleted file mode 100644', '-- ', 'ü')
const content = fc.oneof(
  fc.tuple(fc.array(line, { maxLength: 12 }), fc.boolean()).map(([lines, ended]) => Buffer.from(lines.join('\n') + (ended && lines.length > 0 ? '\n' : ''))),
  fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.concat([Buffer.from([0]), bytes])),
  fc.constant(Buffer.from('caf\xe9\r\nna\xefve\r\n', 'latin1'))
)
const file = fc.record({ bytes: content, executable: fc.boolean() })
const files = fc.dictionary(path, file, { maxKeys: 5 })

/** Generated trees share some files, so that all kinds of change occur; a path is never both a file and a folder (endings differ). */
const change = fc.tuple(files, files, files).map(([before, after, both]) => ({ before: { ...before, ...both } as Files, after: { ...both, ...after } as Files }))

t.test('the reader lists the files that git lists, and its parts joined are the patch', async t => {
  t.doesNotThrow(() => fc.assert(fc.property(change, fc.constantFrom(['--no-renames'], ['-M1%'], ['-M50%', '-C', '--find-copies-harder'], ['-U0'], ['-U0', '--no-prefix', '--src-prefix=old/', '--dst-prefix=new/']), ({ before, after }, flags) => {
    const { patch } = diffOf(before, after, flags)
    const read = readPatch(patch)
    if (!Buffer.concat(read.map(file => file.bytes)).equals(patch)) return false
    return JSON.stringify(read.map(({ newPath, oldPath, binary, addedLines, deletedLines }) => [binary ? '-' : `${addedLines}`, binary ? '-' : `${deletedLines}`, newPath ?? oldPath])) === JSON.stringify(numstat(patch))
  }), { numRuns: 25 }))
})

/** Added lines, deleted lines and path of each file, as `git apply` understands the patch. */
function numstat (patch: Buffer): string[][] {
  if (patch.length === 0) return []
  const out = inFolder(dir => git(dir, ['apply', '--numstat', '-z', '-'], patch)).toString('utf8').split('\0')
  const rows: string[][] = []
  for (let index = 0; index < out.length - 1; index++) {
    const [added, deleted, path] = out[index]!.split('\t', 2).concat(out[index]!.split('\t').slice(2).join('\t'))
    // A rename has an empty path here and both names in the next two fields.
    rows.push([added!, deleted!, path === '' ? out[index += 2]! : path!])
  }
  return rows
}

t.test('each part is a patch of its own, and leaving parts out leaves just their files as they were', async t => {
  t.doesNotThrow(() => fc.assert(fc.property(change, fc.infiniteStream(fc.boolean()), ({ before, after }, coin) => {
    const { patch } = diffOf(before, after, ['-M'])
    const parts = readPatch(patch)
    const kept = parts.filter(() => coin.next().value)
    const expected: Files = { ...before }
    for (const { oldPath, status } of kept) if (oldPath !== null && status !== 'copied') delete expected[oldPath]
    for (const { newPath } of kept) if (newPath !== null) expected[newPath] = after[newPath]!
    if (kept.length === 0) return true
    return same(applied(before, Buffer.concat(kept.map(part => part.bytes))), expected)
  }), { numRuns: 20 }))
})

t.test('a reversed patch is what git prints for the change backwards', async t => {
  t.doesNotThrow(() => fc.assert(fc.property(change, fc.constantFrom(['--no-renames'], ['-M']), ({ before, after }, flags) => {
    const { patch, reversed } = diffOf(before, after, flags)
    const ours = Buffer.from(reversePatch(patch))
    // git sorts by name, so a rename may stand elsewhere, and it may break a hunk in another place: what counts is the effect.
    if (flags[0] === '--no-renames' && stripContext(ours) === stripContext(reversed)) return true
    return ours.length === 0 || same(applied(after, ours), before)
  }), { numRuns: 25 }))
})

const stripContext = (patch: Buffer): string => patch.toString('latin1').replace(/^(@@ .*? @@).*$/gm, '$1')

const same = (a: Files, b: Files): boolean => JSON.stringify(flat(a)) === JSON.stringify(flat(b))
const flat = (files: Files): unknown => Object.keys(files).sort().map(path => [path, files[path]!.bytes.toString('latin1'), files[path]!.executable ?? false])

const simple = (path: string): string => `diff --git a/${path} b/${path}\n--- a/${path}\n+++ b/${path}\n@@ -1 +1 @@\n-a\n+b\n`
const added = (path: string, mode = '100644'): string => `diff --git a/${path} b/${path}\nnew file mode ${mode}\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+b\n`

const refused: [string, string, string][] = [
  ['a path with ..', simple('../x'), 'PATCH_OUTSIDE'],
  ['a path with .. in the middle', simple('a/../../x'), 'PATCH_OUTSIDE'],
  ['an absolute path', simple('/etc/passwd'), 'PATCH_OUTSIDE'],
  ['a rename to outside', 'diff --git a/x b/../x\nsimilarity index 100%\nrename from x\nrename to ../x\n', 'PATCH_OUTSIDE'],
  ['.git', added('.git/hooks/pre-commit', '100755'), 'PATCH_GIT_DIR'],
  ['.GIT', added('sub/.GIT/config'), 'PATCH_GIT_DIR'],
  ['.git with a dot behind it', added('.git./config'), 'PATCH_GIT_DIR'],
  ['a quoted .git', 'diff --git "a/\\056git/x" "b/\\056git/x"\nnew file mode 100644\n--- /dev/null\n+++ "b/\\056git/x"\n@@ -0,0 +1 @@\n+b\n', 'PATCH_GIT_DIR'],
  ['a NUL', 'diff --git "a/x\\000y" "b/x\\000y"\n--- "a/x\\000y"\n+++ "b/x\\000y"\n@@ -1 +1 @@\n-a\n+b\n', 'PATCH_BAD_PATH'],
  ['a path that is not UTF-8', 'diff --git "a/\\377" "b/\\377"\n--- "a/\\377"\n+++ "b/\\377"\n@@ -1 +1 @@\n-a\n+b\n', 'PATCH_BAD_PATH'],
  ['a new symbolic link', added('link', '120000'), 'PATCH_SYMLINK'],
  ['a changed symbolic link', 'diff --git a/l b/l\nindex 1111111..2222222 120000\n--- a/l\n+++ b/l\n@@ -1 +1 @@\n-a\n+b\n', 'PATCH_SYMLINK'],
  ['a file that becomes a link', 'diff --git a/l b/l\nold mode 100644\nnew mode 120000\n', 'PATCH_SYMLINK'],
  ['a submodule', added('module', '160000'), 'PATCH_SUBMODULE'],
  ['the same file twice', simple('x') + simple('x'), 'PATCH_DUPLICATE'],
  ['a file that is renamed and changed', 'diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n' + simple('x'), 'PATCH_DUPLICATE'],
  ['a section without diff --git', simple('x') + '--- a/../y\n+++ b/../y\n@@ -1 +1 @@\n-a\n+b\n', 'PATCH_MALFORMED'],
  ['only a section without diff --git', '--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n', 'PATCH_MALFORMED'],
  ['names that contradict', 'diff --git a/x b/x\n--- a/x\n+++ b/.git/y\n@@ -1 +1 @@\n-a\n+b\n', 'PATCH_MALFORMED'],
  ['a hunk that is cut', simple('x').slice(0, -3), 'PATCH_MALFORMED'],
  ['a hunk with more lines than it says', simple('x') + '@@ -9 +9 @@@\n', 'PATCH_MALFORMED'],
  ['a binary file without content', 'diff --git a/x b/x\nindex 1..2 100644\nBinary files a/x and b/x differ\n', 'PATCH_MALFORMED'],
  ['a binary bomb', 'diff --git a/x b/x\nindex 1..2 100644\nGIT binary patch\nliteral 9000000000\nzcmV\n\n', 'PATCH_TOO_LARGE']
]

for (const [what, patch, code] of refused) {
  t.test(`a patch with ${what} is refused`, async t => {
    t.throws(() => readPatch(Buffer.from(patch)), { code })
  })
}

t.test('caps are held', async t => {
  const limits = { bytesMax: 200, filesMax: 1, pathBytesMax: 20, binaryBytesMax: 10 }
  t.throws(() => readPatch(Buffer.from(simple('x').repeat(9)), limits), { code: 'PATCH_TOO_LARGE' })
  t.throws(() => readPatch(Buffer.from(simple('x') + simple('y')), limits), { code: 'PATCH_TOO_LARGE' })
  t.throws(() => readPatch(Buffer.from(simple('x'.repeat(21))), limits), { code: 'PATCH_BAD_PATH' })
})

t.test('what git never sees, the reader does not see either, and the other way round', async t => {
  // Goal: no text, however mangled, makes git list a file that the reader does not. Method: mangle real patches.
  const { patch } = diffOf({ x: text('a\nb\nc\n'), 'd/y': text('1\n') }, { x: text('a\nB\nc\n'), z: text('new\n') })
  const lines = patch.toString('latin1').split('\n')
  const spice = fc.constantFrom('--- a/q', '+++ b/q', '@@ -1 +1 @@', '-a', '+b', 'diff --git a/q b/q', 'rename from q', 'rename to r', 'new file mode 100644', 'deleted file mode 100644', '', ' ', 'GIT binary patch', 'index 1..2 100644')
  t.doesNotThrow(() => fc.assert(fc.property(fc.array(fc.tuple(fc.nat(lines.length), spice, fc.boolean()), { minLength: 1, maxLength: 4 }), edits => {
    const mangled = [...lines]
    for (const [at, line, replace] of edits) mangled.splice(at, replace ? 1 : 0, line)
    const bytes = Buffer.from(mangled.join('\n'), 'latin1')
    let seen: string[][]
    try {
      seen = numstat(bytes)
    } catch {
      return true
    }
    try {
      const ours = new Set(readPatch(bytes).flatMap(touchedPaths))
      return seen.every(row => ours.has(row[2]!))
    } catch (error) {
      return error instanceof SparError
    }
  }), { numRuns: 200 }))
})
