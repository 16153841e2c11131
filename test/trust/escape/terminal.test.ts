// Goal: nothing that code in a sandbox prints is obeyed by the terminal of whoever runs Spar. Method: the real command line
// over a repository whose set-up prints orders to a terminal, and the live view on a stream that is a terminal.
// Pages, reports, `spar top` and logs: test/inspect/hostile.test.ts, test/cli/log.test.ts.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import t from 'tap'

import { printable } from '../../../src/cli/terminal.ts'
import { createView } from '../../../src/cli/view.ts'
import { git, nodeTests } from '../../arena/grounds.ts'
import { writeTree } from '../../arena/support.ts'
import { spar } from '../../helpers/spar.ts'

const root = mkdtempSync(join(tmpdir(), 'spar-terminal-test-'))
t.teardown(() => rmSync(root, { recursive: true, force: true }))

/** Sets the title, clears the screen, moves the cursor up, hides text, asks the terminal to answer, turns text around. */
const orders = '\x1b]0;owned\x07\x1b[2J\x1b[5A\x1b[8m\x1b[6n\x9b2J\r\u202e\x08'
const obeyed = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/

t.test('what a set-up prints in its sandbox reaches a terminal as text', async t => {
  const repository = join(root, 'repository')
  mkdirSync(repository)
  git(repository, 'init', '-q', '-b', 'main')
  writeTree(repository, { 'test/a.test.js': nodeTests(11) })
  git(repository, 'add', '-A')
  git(repository, 'commit', '-q', '-m', 'x')
  const setup = `printf '%b' '${[...Buffer.from(orders)].map(byte => `\\0${byte.toString(8)}`).join('')}told'; exit 3`
  for (const more of [[], ['--json']]) {
    const ran = await spar(['play', repository, '--sandbox', 'process', '--setup', setup, '--out', join(root, 'out'), ...more], { home: join(root, 'home'), cwd: root })
    t.not(ran.code, 0)
    t.match(ran.err, /told/)
    t.notMatch(ran.err + ran.out, obeyed)
    if (more.length > 0) t.match(ran.json.error.message, /\x1b\[2J/, 'in an object the text is what it was')
  }
})

t.test('the live view of a run obeys nothing of what a run says', async t => {
  const screen = Object.assign(new PassThrough(), { isTTY: true, columns: 100 })
  const view = createView({ out: () => {}, err: () => {} }, screen as unknown as NodeJS.WriteStream)
  view.note(`rejected: ${orders}`)
  view.episode({ number: 1, strategy: 'removal', state: 'done', detail: `gave up: ${orders}\nmore`, solved: 0, scored: 0, group: 8 })
  view.progress(orders)
  view.end()
  t.notMatch(String(screen.read()).replace(/\x1b\[\d+A\x1b\[0J/g, ''), obeyed, 'but for its own')
})

t.test('of all that a command prints only its own colours are left', async t => {
  t.equal(printable(`\x1b[31m-${orders}\x1b[0m\ta\n`), '\x1b[31m-]0;owned[2J[5A[8m[6n2J\x1b[0m\ta\n')
})
