import t from 'tap'
import { compareVersions } from '../../src/arena/npm.ts'
import { nameOf, parseTarget } from '../../src/arena/target.ts'
import { packageOf } from '../../src/arena/install/node.ts'
import { testFolder } from '../helpers/test-folder.ts'

t.test('reads every kind of target', async t => {
  const folder = testFolder(t, { 'a b@c': {} })
  const table: [string, unknown, string][] = [
    [`${folder}/a b@c`, { kind: 'path', path: `${folder}/a b@c` }, 'a-b-c'],
    ['https://example.org/owner/name.git', { kind: 'git', url: 'https://example.org/owner/name.git', ref: null }, 'owner__name'],
    ['https://user@example.org/owner/name@v1.2', { kind: 'git', url: 'https://user@example.org/owner/name', ref: 'v1.2' }, 'owner__name'],
    ['git@example.org:owner/name.git@feature/x', { kind: 'git', url: 'git@example.org:owner/name.git', ref: 'feature/x' }, 'owner__name'],
    ['git@example.org:owner/name.git', { kind: 'git', url: 'git@example.org:owner/name.git', ref: null }, 'owner__name'],
    ['npm:find-my-way@9.0.0 - 9.5.0', { kind: 'npm', package: 'find-my-way', range: '9.0.0 - 9.5.0' }, 'find-my-way'],
    ['npm:@scope/name@^1', { kind: 'npm', package: '@scope/name', range: '^1' }, 'scope__name'],
    ['npm:ms', { kind: 'npm', package: 'ms', range: '*' }, 'ms'],
    ['pypi:humanize@>=4,<5', { kind: 'pypi', package: 'humanize', range: '>=4,<5' }, 'humanize'],
    ['pypi:humanize==4.1', { kind: 'pypi', package: 'humanize', range: '==4.1' }, 'humanize'],
    ['docker:registry:5000/a/b:tag#/src/x/', { kind: 'docker', image: 'registry:5000/a/b:tag', path: '/src/x' }, 'b-tag__x']
  ]
  for (const [text, target, name] of table) {
    t.same(parseTarget(text), target, text)
    t.equal(nameOf(parseTarget(text)), name, text)
  }
})

t.test('refuses what is none, and says why', async t => {
  for (const text of ['', 'npm:', 'npm:../x', 'npm:a@--flag', 'pypi:a b', 'docker:image', 'docker:#/x', 'docker:a#/../x', 'https://example.org/a/b@', 'https://example.org/a/b@--upload-pack=x']) {
    t.throws(() => parseTarget(text), { code: 'OPTION_TARGET' }, text)
  }
  t.throws(() => parseTarget('/no/such/folder'), { code: 'ARENA_NOT_A_REPOSITORY' })
  t.throws(() => parseTarget('/etc/passwd'), { code: 'ARENA_NOT_A_REPOSITORY' })
})

t.test('orders versions as semver does', async t => {
  const ordered = ['0.9.0', '1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0-beta.2', '1.0.0-beta.11', '1.0.0', '1.2.0', '1.10.0', '2.0.0+build']
  t.same([...ordered].reverse().sort(compareVersions), ordered)
})

t.test('tells the package of an import', async t => {
  t.same(['a', 'a/b', '@s/a', '@s/a/b.js', 'fs', 'node:fs', 'fs/promises', './a', '#x', '@/a', 'virtual:x', 'https://x'].map(packageOf), ['a', 'a', '@s/a', '@s/a', null, null, null, null, null, null, null, null])
})
