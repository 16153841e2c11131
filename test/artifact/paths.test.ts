import t from 'tap'
import { pathKind, readTestFiles } from '../../src/artifact/index.ts'

const kinds: [string, string][] = [
  ['src/index.js', 'code'], ['lib/data.bin', 'code'], ['pkg/words.txt', 'code'], ['main.go', 'code'], ['src/contest.py', 'code'],
  ['test/a.js', 'test'], ['tests/data/x.json', 'test'], ['pkg/main_test.go', 'test'], ['src/a.spec.ts', 'test'],
  ['conftest.py', 'infrastructure'], ['tests/conftest.py', 'infrastructure'], ['package.json', 'infrastructure'], ['pyproject.toml', 'infrastructure'],
  ['README.md', 'documentation'], ['docs/conf.py', 'documentation'], ['LICENSE', 'documentation'], ['.gitignore', 'documentation']
]

t.test('each path has one kind', async t => {
  for (const [path, kind] of kinds) t.equal(pathKind(path), kind, path)
  t.equal(pathKind('check.js', new Set(['check.js'])), 'test', 'what the arena knows as a test')
})

t.test('test_files.txt is one path a line, and may not reach outside', async t => {
  t.strictSame(readTestFiles(Buffer.from('./test/a b.js\r\n\ntest/ü.js\ntest/ü.js')), ['test/a b.js', 'test/ü.js'])
  t.throws(() => readTestFiles(Buffer.from('../x')), { code: 'PATCH_OUTSIDE' })
  t.throws(() => readTestFiles(Buffer.from('/etc/passwd')), { code: 'PATCH_OUTSIDE' })
  t.throws(() => readTestFiles(Buffer.from([0xff])), { code: 'ARTIFACT_BAD_TEST_FILES' })
})
