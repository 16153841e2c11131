// Goal: the diff says what git says, in git's form, and git makes the one side out of the other with it. Method: bytes beside
// git's own diff over a table; drawn files through `git apply` there and back, under default and under absurd limits.

import fc from 'fast-check'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { createRandom } from '../../../src/random.ts'
import { compareLines } from '../../../src/workers/lines/compare.ts'
import { diffHunks, diffLines } from '../../../src/workers/lines/diff.ts'
import { internLines } from '../../../src/workers/lines/intern.ts'
import { diffLimits, type DiffLimits } from '../../../src/workers/lines/limits.ts'
import { splitLines } from '../../../src/workers/lines/split.ts'
import { applied, diffOf, type Files } from '../../artifact/git.ts'
import { fuzzLines } from '../../fuzz/lines.ts'

const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `line ${index}\n`)
const ten = numbered(10).join('')

type Row = [what: string, path: string, before: string | null, after: string | null, modes?: [string, string]]

const table: Row[] = [
  ['one line', 'a.txt', ten, ten.replace('line 4', 'LINE 4')],
  ['two regions that share a hunk', 'a.txt', ten, ten.replace('line 1\n', '').replace('line 8', 'eight')],
  ['two hunks', 'a.txt', numbered(30).join(''), numbered(30).join('').replace('line 3\n', '').replace('line 20\n', 'line 20\nnew\nnew\n')],
  ['regions seven lines apart', 'a.txt', ten, ten.replace('line 1\n', 'x\n').replace('line 9\n', 'y\n')],
  ['an insertion that could stand in several places', 'a.txt', 'a\nb\nb\nc\n', 'a\nb\nb\nb\nb\nc\n'],
  ['a block beside its like', 'a.txt', 'f {\n}\n\ng {\n}\n', 'f {\n}\n\nh {\n}\n\ng {\n}\n'],
  ['a first line', 'a.txt', ten, `first\n${ten}`],
  ['everything', 'a.txt', 'a\nb\n', 'c\n'],
  ['a new file', 'new.txt', null, 'a\nb\n'],
  ['a deleted file', 'old.txt', 'a\n', null],
  ['a new empty file', 'new.txt', null, ''],
  ['a deleted empty file', 'old.txt', '', null],
  ['a file that becomes empty', 'a.txt', 'a\nb\n', ''],
  ['an empty file that does not stay so', 'a.txt', '', 'a\nb\n'],
  ['no newline before', 'a.txt', 'a\nb', 'a\nb\n'],
  ['no newline after', 'a.txt', 'a\nb\n', 'a\nb'],
  ['no newline on both sides', 'a.txt', 'a\nb', 'a\nc'],
  ['no newline in the context', 'a.txt', 'a\nb\nc', 'x\nb\nc'],
  ['line ends', 'a.txt', 'a\nb\r\nc\rd\n', 'a\r\nb\nc\re\n'],
  ['bytes that are no UTF-8', 'a.txt', 'gr\xf6\xdfe\n\xe2\x80\xa8x\n', 'gr\xf6sse\n\xe2\x80\xa8y\n'],
  ['a NUL after the bytes that count', 'a.txt', `${'x'.repeat(8000)}\0\na\n`, `${'x'.repeat(8000)}\0\nb\n`],
  ['a mode', 'run.sh', 'a\n', 'a\n', ['100644', '100755']],
  ['a mode and a line', 'run.sh', 'a\n', 'b\n', ['100755', '100644']],
  ['an executable', 'run.sh', 'a\n', 'b\n', ['100755', '100755']],
  ['a space in the name', 'sp ace.txt', 'a\n', 'b\n'],
  ['a quote and a space in the name', 'sp ace "q".txt', 'a\n', 'b\n'],
  ['control characters in the name', 'a\x07\b\t\n\v\f\r\x1b\x7fz', 'a\n', 'b\n'],
  ['a name beyond ASCII', 'größe/日本.txt', 'a\n', null],
  ['a backslash in the name', 'a\\b', null, 'a\n']
]

const withoutFunctions = (patch: Uint8Array): string => Buffer.from(patch).toString('latin1').replace(/^(@@ -\S+ \+\S+ @@).*$/gm, '$1')

t.test('bytes are those of git, function names aside', async t => {
  for (const [what, path, before, after, modes] of table) {
    const [beforeMode, afterMode] = modes ?? ['100644', '100644']
    const files = (content: string | null, mode: string): Files => content === null ? {} : { [path]: { bytes: Buffer.from(content, 'latin1'), ...(mode === '100755' ? { executable: true } : {}) } }
    const { patch } = diffOf(files(before, beforeMode), files(after, afterMode))
    const ours = diffLines(latin1(before ?? ''), latin1(after ?? ''), { path, beforeMode: before === null ? null : beforeMode, afterMode: after === null ? null : afterMode })
    t.equal(Buffer.from(ours).toString('latin1'), withoutFunctions(patch), what)
  }
})

t.test('binary content goes whole, both ways', async t => {
  for (const [before, after] of [['a\0b', 'c\0'], ['text\n', `\0${'x'.repeat(5000)}`], ['\0', '']] as const) {
    const files = (content: string): Files => ({ bin: { bytes: Buffer.from(content, 'latin1') } })
    const ours = diffLines(latin1(before), latin1(after), { path: 'bin' })
    t.equal(Buffer.from(ours).toString('latin1').split('GIT')[0], diffOf(files(before), files(after)).patch.toString('latin1').split('GIT')[0], 'the same header')
    t.strictSame(applied(files(before), ours), files(after))
    t.strictSame(applied(files(after), diffLines(latin1(after), latin1(before), { path: 'bin' })), files(before))
  }
})

t.test('a file that becomes a symbolic link goes and comes, as git has it', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'lines-link-'))
  const git = (...args: string[]): Buffer => execFileSync('git', args, { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] })
  git('init', '-q')
  writeFileSync(join(folder, 'f'), 'a\n')
  git('add', 'f')
  rmSync(join(folder, 'f'))
  symlinkSync('target', join(folder, 'f'))
  git('add', '-N', 'f')
  const theirs = git('diff', '--no-renames', '--binary', '--full-index').toString('latin1')
  const ours = Buffer.from(diffLines(latin1('a\n'), latin1('target'), { path: 'f', afterMode: '120000' })).toString('latin1')
  t.equal(ours, theirs)
  rmSync(folder, { recursive: true })
})

t.test('what is equal has no diff', async t => {
  for (const content of ['', 'a', 'a\n', '\0']) t.equal(diffLines(latin1(content), latin1(content), { path: 'a' }).length, 0)
  t.equal(diffLines(latin1(''), latin1(''), { path: 'a', beforeMode: null, afterMode: null }).length, 0)
})

t.test('git applies drawn diffs there and back, and has about as many changed lines', async t => {
  t.match(fuzzLines({ seed: 1, cases: 300 }), { cases: 300 })
})

// ---- the search, without git ----------------------------------------------------------------------------------------

const tiny: Partial<DiffLimits>[] = [{}, { probesMax: 1 }, { costMax: 1 }, { costMax: 1, anchorDepthMax: 0 }, { costMax: 2, anchorDepthMax: 1 }, { stepsMax: 0 }, { stepsMax: 20, costMax: 3 }]
const lines = fc.constantFrom(1, 3, 400).chain(different => fc.array(fc.nat(different).map(number => `${number}\n`), { maxLength: 80 }))

t.test('the lines that stay are the same on both sides, whatever the limits', async t => {
  fc.assert(fc.property(lines, lines, fc.constantFrom(...tiny), (before, after, limits) => {
    const [old, young] = [splitLines(latin1(before.join('')), 1000), splitLines(latin1(after.join('')), 1000)]
    const changed = compareLines(internLines(old, young, limits.probesMax ?? diffLimits.probesMax), { ...diffLimits, ...limits })
    const stay = (all: string[], marks: Uint8Array): string[] => all.filter((_, index) => marks[index] === 0)
    return stay(before, changed.before).join('') === stay(after, changed.after).join('')
  }), { numRuns: 1500, seed: 3 })
  t.pass('1500 drawn pairs')
})

t.test('a short edit script is found', async t => {
  fc.assert(fc.property(lines, lines, (before, after) => {
    const [old, young] = [splitLines(latin1(before.join('')), 1000), splitLines(latin1(after.join('')), 1000)]
    const changed = compareLines(internLines(old, young, 64), diffLimits)
    return changed.before.filter(mark => mark === 0).length === longestCommon(before, after)
  }), { numRuns: 300, seed: 4 })
  t.pass('as short as there is, where no limit is met')
})

function longestCommon (a: string[], b: string[]): number {
  let row = new Array<number>(b.length + 1).fill(0)
  for (const line of a) {
    const next = [0]
    b.forEach((other, index) => next.push(line === other ? row[index]! + 1 : Math.max(row[index + 1]!, next[index]!)))
    row = next
  }
  return row.at(-1)!
}

t.test('thousands of lines that are shuffled, moved or all new are compared in bounded work', async t => {
  const random = createRandom(1)
  const before = numbered(6000)
  const blocks = Array.from({ length: 12 }, (_, index) => before.slice(index * 500, index * 500 + 500))
  const changesFrom = (before: string[], after: string[], stepsMax: number): number =>
    Buffer.from(diffHunks(latin1(before.join('')), latin1(after.join('')), { ...diffLimits, stepsMax })).toString('latin1').match(/^[-+]/gm)!.length
  const changes = (after: string[]): number => changesFrom(before, after, 3_000_000)
  t.ok(changes(random.shuffle(before)) < 11_800, 'shuffled: a rising chain stays')
  t.ok(changes(random.shuffle(blocks).flat()) <= 2 * 9 * 500, 'moved: at least three blocks stay')
  t.equal(changes(before.map(line => `new ${line}`)), 12_000, 'all new')
  const drawn = (): string[] => Array.from({ length: 60_000 }, () => `${random.int(8)}\n`)
  t.ok(changesFrom(drawn(), drawn(), 60_000_000) < 62_000, 'of eight lines: the search pays for looking for anchors, and is not outdone by it')
})

t.test('lines of every length and place in a word are told apart', async t => {
  const parts = Array.from({ length: 40 }, (_, length) => ['', 'x', 'y'].map(end => `${'a'.repeat(length)}${end}\n`)).flat()
  const text = parts.join('')
  const { starts, count } = splitLines(latin1(`${text}end`), 1000)
  t.equal(count, parts.length + 1)
  t.strictSame([...starts], [...parts, 'end'].reduce((all, part) => [...all, all.at(-1)! + part.length], [0]))
  const [once, again] = [splitLines(latin1(text), 1000), splitLines(latin1(`.\n${text}`), 1000)]
  const { before, after, ids } = internLines(once, again, 64)
  t.strictSame([...after.subarray(1)], [...before], 'the same ids, one byte further on')
  t.equal(ids, new Set(parts).size + 1)
})

t.test('limits and bad input have codes', async t => {
  const diff = (before: string, options: Partial<Parameters<typeof diffLines>[2]> = {}) => () => diffLines(latin1(before), latin1('x'), { path: 'a', ...options })
  t.throws(diff('1234', { limits: { bytesMax: 3 } }), { code: 'DIFF_TOO_LARGE', data: { limit: 'bytesMax' } })
  t.throws(diff('\n'.repeat(200), { limits: { linesMax: 199 } }), { code: 'DIFF_TOO_LARGE', data: { limit: 'linesMax' } })
  t.doesNotThrow(diff('\n'.repeat(199), { limits: { linesMax: 199 } }))
  t.throws(diff('', { path: 'name', limits: { pathBytesMax: 3 } }), { code: 'DIFF_TOO_LARGE', data: { limit: 'pathBytesMax' } })
  for (const path of ['', 'a\0b', '\ud800']) t.throws(diff('', { path }), { code: 'DIFF_BAD_PATH' })
  t.throws(diff('', { beforeMode: '160000' }), { code: 'DIFF_BAD_MODE' })
  t.throws(diff('content', { beforeMode: null }), { code: 'DIFF_BAD_MODE' })
})
