// Goal: a script that asks for the changed code, or for what git says of it, is named; one that only runs tests is not; and no text
// takes long.

import t from 'tap'
import type { PatchFile } from '../../src/artifact/index.ts'
import { askingLine } from '../../src/verify/script-text.ts'

const units = [{ oldPath: 'src/a.py', newPath: 'src/a.py' }] as PatchFile[]
const asks = (script: string): string | null => askingLine(Buffer.from(script), units)?.reason ?? null

const honest = [
  'python -m pytest --cov=src/a.py tests 2>&1 | tail -50', 'node src/a.py | head', 'pytest tests # git diff src/a.py', 'cd src && ls', 'git --version', 'npx jest --coverage --collectCoverageFrom=src/a.py | cat',
  'export FILE=src/a.py; pytest tests | grep -v warning'
]
const dishonest = [
  'cat src/a.py', 'grep -q x ./src/a.py && echo ok', 'if cmp -s src/a.py /tmp/b; then echo ok; fi', 'x=$(cat "$PWD/src/a.py")', 'sha256sum < src/a.py', '[ -s src/a.py ]', "python -c \"print(open('src/a.py').read())\"", 'true; git diff --quiet', "echo ' #'; git -C . status",
  'sudo git -c core.x=y stash list', "node -e \"require('fs').readFileSync('src/a.py')\""
]

t.test('honest scripts', async t => { for (const script of honest) t.equal(asks(script), null, script) })
t.test('scripts that ask', async t => { for (const script of dishonest) t.ok(asks(script), script) })
t.test('a long line is looked through at once', async t => {
  for (const line of [`git ${'-c '.repeat(100_000)}x`, ' #'.repeat(100_000) + '\r', '"'.repeat(200_001), 'a;'.repeat(200_000)]) asks(line)
  t.pass('all of them')
})
