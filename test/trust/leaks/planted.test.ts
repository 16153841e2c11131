// Goal: whatever holds the original of a bug's change is found, by its code and name, wherever a solver could read it; and what
// only looks like it is not. Method: leaks are planted in the tree and the environment of a small arena, in real sandboxes.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { git, text, writeFiles, type Content, type Files } from '../../artifact/git.ts'
import { buggy, makeBug, must, openLab, original, otherPath, util, utilPath } from './fixture.ts'

const lab = await openLab(t)

const content = (bytes: Uint8Array): Content => ({ bytes: Buffer.from(bytes) })
const code = (finding: string): string => finding.split(':')[0]!

/** What a program of this host makes in a folder. */
function made (files: Files, command: string, name: string): Content {
  const folder = mkdtempSync(join(tmpdir(), 'spar-leaks-'))
  try {
    writeFiles(folder, files)
    execFileSync('bash', ['-ec', command], { cwd: folder, stdio: 'pipe' })
    return content(readFileSync(join(folder, name)))
  } finally { rmSync(folder, { recursive: true, force: true }) }
}

t.test('a tree with its own version only has no findings', async t => {
  t.same(await lab.find({}), [])
  t.same(await lab.find({
    env: { 'lib/site-packages/six.py': text('def clamp(value):\n    return value\n'), 'lib/site-packages/shapes/util.py': text(buggy), 'lib/archive.whl': made({ 'shapes/util.py': text(buggy) }, 'python3 -m zipfile -c a.whl shapes', 'a.whl') },
    tree: { 'src/shapes/more.py': text('def describe(shape):\n    return shape.name\n'), 'src/shapes/util.py~': text(buggy) }
  }), [], 'nor one with copies of the bug')
})

t.test('what names say and content proves', async t => {
  const folder = '/lib/python3/site-packages'
  const cases: [what: string, code: string, where: string, planted: Parameters<typeof lab.find>[0]][] = [
    ['a second copy in the environment', 'leak-copy', `${folder}/shapes/util.py`, { env: { 'lib/python3/site-packages/shapes/util.py': text(util) } }],
    ['one under another name, indented', 'leak-copy', `${folder}/vendored/_pieces.py`, { env: { 'lib/python3/site-packages/vendored/_pieces.py': text(`class Helpers:\n${util.replace(/^(?=.)/gm, '\t')}`) } }],
    ['one in node_modules, all in one line', 'leak-copy', '/node_modules/x/all.min.txt', { tree: { 'node_modules/x/all.min.txt': text(util.replace(/\s+/g, ' ')) } }],
    ['one in a folder that is ignored', 'leak-build', '/dist/lib/util.py', { tree: { '.gitignore': text('*.log\n'), 'dist/lib/util.py': text(util) } }],
    ['an older version of the same file, of which only the line is the same', 'leak-copy', '/old/shapes/util.py', { env: { 'old/shapes/util.py': text('def weighted(values, weights):\n    total_weight = sum(weights)\n    if total_weight == 0:\n        raise ZeroDivisionError(\'weights sum up to nothing\')\n    return 0\n') } }],
    ['a backup of an editor', 'leak-backup', '/src/shapes/util.py~', { tree: { 'src/shapes/util.py~': text(util) } }],
    ['a swap file, with NUL between its lines', 'leak-backup', '/.util.py.swp', { env: { 'work/.util.py.swp': content(Buffer.from(`b0VIM 9.0\0\0\0${util.replaceAll('\n', '\0')}`)) } }],
    ['a patch that makes the bug', 'leak-patch', '/notes/change.txt', { tree: { 'notes/change.txt': content(makeBug(original, { [utilPath]: text(buggy) }).files.bugInject) } }],
    ['a patch that mends it', 'leak-patch', '/fix.patch', { env: { 'fix.patch': content(Buffer.from(makeBug({ ...original, [utilPath]: text(buggy) }, { [utilPath]: text(util) }).files.bugInject)) } }],
    ['a source map', 'leak-map', '/assets/app.js.map', { tree: { 'assets/app.js.map': text(JSON.stringify({ version: 3, sources: ['util.py'], sourcesContent: [util], mappings: '' })) } }],
    ['a wheel', 'leak-archive', '/wheels/shapes-1.0-py3-none-any.whl', { env: { 'wheels/shapes-1.0-py3-none-any.whl': made({ 'shapes/util.py': text(util) }, 'python3 -m zipfile -c a.whl shapes', 'a.whl') } }],
    ['an archive of npm', 'leak-archive', '/cache/shapes.tgz', { tree: { 'cache/shapes.tgz': made({ 'package/src/shapes/util.py': text(util) }, 'tar -czf a.tgz package', 'a.tgz') } }],
    ['a cache of npm, whose files have no ending', 'leak-archive', '/_cacache/content-v2/sha512/ab/cd/ef', { env: { '.npm/_cacache/content-v2/sha512/ab/cd/ef': made({ 'package/shapes/util.py': text(util) }, 'tar -czf a.tgz package', 'a.tgz') } }],
    ['bytecode without its source', 'leak-bytecode', '/shapes/util.pyc', { env: { 'lib/shapes/util.pyc': content(Buffer.alloc(64)) } }],
    ['bytecode of another source than the one beside it', 'leak-bytecode', '/shapes/__pycache__/util.cpython-311.pyc', { env: { 'lib/shapes/util.py': text(buggy), 'lib/shapes/__pycache__/util.cpython-311.pyc': content(Buffer.alloc(64)) } }]
  ]
  for (const [what, expected, where, planted] of cases) {
    const findings = await lab.find(planted)
    t.same(findings.map(code), [expected], what)
    t.ok(findings[0]?.includes(where), `${what}: names ${where}`)
    t.ok(findings[0]?.includes(utilPath), `${what}: names the changed file`)
  }
})

t.test('bytecode that was made of the source beside it is that source', async t => {
  const findings = await lab.find({
    tree: { 'node_modules/shapes/util.py': text(buggy) },
    after: async sandbox => { await must(sandbox, 'python3 -m compileall -q --invalidation-mode timestamp node_modules/shapes && ls node_modules/shapes/__pycache__/util.*.pyc') }
  })
  t.same(findings, [])
})

t.test('the repository of the tree holds its commit and nothing else', async t => {
  const cases: [string, string, RegExp][] = [
    ['an object that no name leads to', 'echo "the original" | git hash-object -w --stdin', /^leak-git: the repository holds objects that are not of its commit: [0-9a-f]{40}$/],
    ['a tag', 'git tag before', /refs beside its branch: refs\/tags\/before/],
    ['a stash', 'echo x >> README.md && git stash -q', /^leak-git/],
    ['a file that was only added', 'echo x > more.txt && git add more.txt', /^leak-git/],
    ['another repository to look into', 'mkdir -p .git/objects/info && echo /nowhere/objects > .git/objects/info/alternates', /files of other uses: \.git\/objects\/info\/alternates/]
  ]
  for (const [what, command, expected] of cases) {
    const findings = await lab.find({ after: async sandbox => { await must(sandbox, command) } })
    t.ok(findings.length > 0 && findings.some(finding => expected.test(finding)), `${what}: ${findings.join('; ')}`)
  }
})

t.test('stores of git objects elsewhere are asked for the original', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'spar-leaks-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  writeFiles(folder, original)
  git(folder, ['init', '-q', '-b', 'main', '.'])
  git(folder, ['add', '-A'])
  git(folder, ['commit', '-q', '-m', 'all'])
  const id = git(folder, ['rev-parse', `HEAD:${utilPath}`]).toString().trim()
  const loose = { [`store/objects/${id.slice(0, 2)}/${id.slice(2)}`]: content(readFileSync(join(folder, '.git', 'objects', id.slice(0, 2), id.slice(2)))) }
  git(folder, ['bundle', 'create', 'all.bundle', 'main'])
  git(folder, ['repack', '-adq'])
  const packs = join(folder, '.git', 'objects', 'pack')
  const [pack, index] = ['.pack', '.idx'].map(ending => execFileSync('bash', ['-c', `cat ${packs}/*${ending}`]))
  const bundle = content(readFileSync(join(folder, 'all.bundle')))
  for (const [what, files] of [['loose', loose], ['a pack', { 'mirror.git/objects/pack/pack-1.pack': content(pack!), 'mirror.git/objects/pack/pack-1.idx': content(index!) }], ['a pack without its index', { 'alone.pack': content(pack!) }], ['a bundle', { 'all.bundle': bundle }]] as [string, Files][]) {
    const [name] = Object.keys(files)
    for (const planted of [{ env: files }, { tree: files }]) {
      const findings = await lab.find(planted)
      t.match(findings, [/^leak-git: .* holds the original of src\/shapes\/util\.py as an object$/], `${what}, ${name}`)
      t.ok(findings[0]?.includes(name!), `${what}: names it`)
    }
  }
  const elsewhere = makeBug(original, { [otherPath]: text('NAMES = {}\n') })
  t.same(await lab.find({ bug: makeBug({ ...original, [utilPath]: text(`${util}# later\n`) }, { [utilPath]: text(buggy) }), tree: { [utilPath]: text(`${util}# later\n`) }, env: { 'all.bundle': bundle } }), [], 'a store that has other versions only is none')
  t.equal((await lab.find({ bug: elsewhere, env: { 'all.bundle': bundle } })).length, 1)
})

t.test('changes of other kinds', async t => {
  const copy = { env: { 'copy.txt': text(util) } }
  const spaced = makeBug(original, { [utilPath]: text(util.replace('    return min(value, highest)', '        return min(value, highest)')) })
  t.match(await lab.find({ bug: spaced, ...copy }), [/^leak-copy/], 'of white space alone')
  t.same(await lab.find({ bug: spaced, env: { 'copy.txt': text(util.replace('    return min(value, highest)', '        return min(value, highest)')) } }), [])
  t.match(await lab.find({ bug: makeBug(original, { [utilPath]: null }), ...copy }), [/^leak-copy/], 'a file that is gone')
  t.match(await lab.find({ bug: makeBug(original, { [utilPath]: text(util.replace('    if total_weight', '    return None\n    if total_weight')) }), ...copy }), [/^leak-copy/], 'a line too many')
  const long = `${Array.from({ length: 60 }, (_, index) => `def rule_number_${index}(value):\n    return value * ${index} + offset_of(${index})\n`).join('\n')}`
  const before = { ...original, [utilPath]: text(long) }
  const drifted = long.split('\n').map((line, index) => index % 40 === 0 ? `${line}  # later` : line).join('\n')
  t.match(await lab.find({ bug: makeBug(before, { [utilPath]: text('rules = []\n') }), tree: { [utilPath]: text(long) }, env: { 'copy.txt': text(drifted) } }), [/^leak-copy/], 'most of a long text')
})

t.test('an attempt that went before may have put the original back: only what is not in the tree can leak', async t => {
  const both = { [utilPath]: text(buggy), [otherPath]: text(original[otherPath]!.bytes.toString().replace('NAMES.get(corners, "polygon")', 'NAMES.get(corners, "nothing of the kind")')) }
  const bug = makeBug(original, both, { [utilPath]: text(`${util}\n# mended\n`) })
  const env = { 'copy.txt': text(util), 'more/shapes/names.py': original[otherPath]! }
  t.match(await lab.find({ bug, env }), [/^leak-copy: .*more\/shapes\/names\.py holds the original of the change in src\/shapes\/names\.py$/])
})
