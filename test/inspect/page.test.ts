// The parts of the page that need no browser: reading patches, escapes, trees of actors, addresses, what is going on in words.

import fc from 'fast-check'
import t from 'tap'
import { named, piecesOf } from '../../src/inspect/page/ansi.ts'
import { foldOf } from '../../src/inspect/page/fold.ts'
import { changedPart, pairsOf, readPatch } from '../../src/inspect/page/patch.ts'
import { links, readRoute } from '../../src/inspect/page/route.ts'
import { figuresOf, sentenceOf } from '../../src/inspect/page/summary.ts'
import { treeOf } from '../../src/inspect/page/tree.ts'
import { bytes, duration, eventWords, reward } from '../../src/inspect/page/words.ts'
import { actorLimits } from '../../src/inspect/protocol.ts'
import { actor, actors, actorView, cluster, episodes, patch, steps } from './page-values.ts'

t.test('a patch is read into files, hunks and numbered lines', async t => {
  const [file, ...others] = readPatch(patch + 'diff --git a/gone.txt b/gone.txt\ndeleted file mode 100644\n--- a/gone.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n--- text\n\\ No newline at end of file\n')
  t.match(file, { name: 'a.js', added: 1, removed: 2 })
  t.same(file!.hunks[0]!.lines.map(({ kind, before, after }) => [kind, before, after]), [['same', 1, 1], ['out', 2, null], ['out', 3, null], ['in', null, 2], ['same', 4, 3]])
  t.match(others, [{ name: 'gone.txt', removed: 1, notes: ['deleted file mode 100644'], hunks: [{ lines: [{ kind: 'out', text: '-- text' }, { kind: 'note' }] }] }], 'a line that looks like a header is one of the file')
  t.same(pairsOf(file!.hunks[0]!.lines).map(({ left, right }) => [left?.kind, right?.kind]), [['same', 'same'], ['out', 'in'], ['out', undefined], ['same', 'same']])
  t.same(changedPart('return a + b', 'return a - b'), [9, 10, 10])
})

t.test('whatever a model submits as a patch, nothing of it is lost or takes the page down', async t => {
  const line = fc.oneof(fc.string(), fc.constantFrom('@@ -1,2 +1,3 @@', '--- a/x', '+++ b/x', 'diff --git a/x b/x', '\\ No newline', '-', '+', ' '))
  fc.assert(fc.property(fc.array(line), lines => {
    const files = readPatch(lines.join('\n'))
    return files.every(({ added, removed, hunks }) => added + removed <= hunks.reduce((sum, hunk) => sum + hunk.lines.length, 0) &&
      hunks.every(({ lines }) => pairsOf(lines).flatMap(({ left, right }) => left === right ? [left] : [left, right]).filter(line => line !== null).length === lines.length))
  }))
  fc.assert(fc.property(fc.string(), fc.string(), (a, b) => {
    const [start, endA, endB] = changedPart(a, b)
    return a.slice(0, start) === b.slice(0, start) && a.slice(endA) === b.slice(endB) && start <= endA && start <= endB
  }))
})

t.test('escapes become styles or go; what hides is named', async t => {
  t.same(piecesOf('a\u001b[1;31mb\u001b[0mc'), [{ text: 'a', style: '' }, { text: 'b', style: 'fg1 bold' }, { text: 'c', style: '' }])
  t.same(piecesOf('\u001b]8;;http://x\u0007link\u001b]8;;\u0007\u001b[2J\u001b[38;5;196mx\u001bP1$r\u001b\\y').map(({ text }) => text).join(''), 'linkxy')
  t.equal(named('a\u202eb\u0000\r\nc\rd'), 'a‹202E›b‹00›\nc‹0D›d')
  fc.assert(fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom('\u001b', '\u001b[', '\u009b', '\u001b]', 'm', '31', ';')), { maxLength: 30 }), parts =>
    piecesOf(parts.join('')).every(({ text, style }) => !/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/.test(text) && /^[a-z0-9 ]*$/.test(style))))
})

t.test('an escape without an end costs no more than its length', async t => {
  for (const start of ['\u001b]', '\u001bP', '\u001b[', '\u001b', '\u009b']) t.ok(piecesOf((start + '1'.repeat(40)).repeat(20_000)).length < 10 ** 6, JSON.stringify(start))
})

t.test('actors stand below their parents; a search shows what is above; who has no parent here is a root', async t => {
  const all = [...actors, actor('node-b/7', 'node-b/1', 'sandbox', 's', 'ready')]
  const keys = (options: Partial<Parameters<typeof treeOf>[1]>): string[] => treeOf(all, { search: '', folded: new Set(), withEnded: false, ...options }).map(({ actor, depth }) => `${' '.repeat(depth)}${actor.key}`)
  t.same(keys({}), ['node-a/1', ' node-a/2', '  node-a/3', '   node-a/4', 'node-b/7'])
  t.same(keys({ folded: new Set(['node-a/2']) }), ['node-a/1', ' node-a/2', 'node-b/7'])
  t.same(keys({ search: 'failed', withEnded: true, folded: new Set(['node-a/2']) }), ['node-a/1', ' node-a/2', '  node-a/3', '   node-a/5'])
  t.same(treeOf([actor('x/1', 'x/2', 'run', 'a', ''), actor('x/2', 'x/1', 'run', 'b', '')], { search: 'a', folded: new Set(), withEnded: false }), [], 'a ring hangs nothing')
})

t.test('changes are laid onto a value, and it stays bounded', async t => {
  const list = foldOf('actors')
  list.full({ rows: actors, leftOut: 0 })
  list.change({ rows: [{ ...actors[0]!, state: 'x' }, actor('node-a/9', null, 'run', 'r', '')], gone: ['node-a/2'], leftOut: 4 })
  t.match(list.value(), { rows: [{ key: 'node-a/1', state: 'x' }, { key: 'node-a/3' }, { key: 'node-a/4' }, { key: 'node-a/5' }, { key: 'node-a/9' }], leftOut: 4 })
  const one = foldOf('actor/x')
  one.full(actorView)
  for (let n = 5; n < 500; n++) one.change({ ...actorView, steps: [{ ...steps[0]!, n }], events: [], stepsLeftOut: 0 })
  const { steps: kept } = one.value() as typeof actorView
  t.equal(kept.length, actorLimits.stepsMax)
  t.equal(kept.at(-1)!.n, 499)
})

t.test('every address is read as it was written', async t => {
  const id = fc.string({ minLength: 1 })
  fc.assert(fc.property(id, id, fc.nat(1000), (a, b, n) => {
    t.same(readRoute(links.actor(a, n)), { view: 'actor', key: a, step: n })
    t.same(readRoute(links.actors(a)), { view: 'actors', search: a })
    t.same(readRoute(links.run(a)), { view: 'run', run: a })
    t.same(readRoute(links.training(a)), { view: 'training', run: a })
    t.same(readRoute(links.episode(a, b, 'checks')), { view: 'episode', run: a, episode: b, tab: 'checks' })
    t.same(readRoute(links.rollout(a, b, n)), { view: 'rollout', run: a, rollout: b, page: n, turn: null })
    t.same(readRoute(links.rollout(a, b, 0, n)), { view: 'rollout', run: a, rollout: b, page: 0, turn: n })
  }), { numRuns: 30 })
  t.same(readRoute('#/run/%ZZ'), { view: 'run', run: '%ZZ' })
  t.match(readRoute('#/x'), { view: 'unknown' })
})

t.test('a sentence says what is going on', async t => {
  const figures = figuresOf(episodes)
  t.same(figures, { verified: 1, rejected: 1, rate: 0.25, inPlay: { solving: 5 } })
  t.same(sentenceOf(cluster, figures, 'cluster'), {
    now: 'Run demo-1 is playing: 5 episodes solving; 21 pieces of work in progress on 3 nodes. 1 node does not answer.',
    so: '7 episodes settled, 1 bug verified, 1 rejected, solvers repair 25 % and 1 piece of work given up.'
  })
  t.match(sentenceOf(cluster, figures, 'folder').now, /^Run demo-1 is running\./)
  const died = cluster.nodes.map(row => row.state === 'silent' ? { ...row, state: 'gone' } : row)
  t.equal(sentenceOf({ ...cluster, nodes: died }, figures, 'cluster').now, 'Run demo-1 is playing: 5 episodes solving; 14 pieces of work in progress on 2 nodes. 1 node is gone.')
  t.match(sentenceOf({ ...cluster, runs: [], nodes: [] }, null, 'cluster').now, /^Nothing is played now: no node is there/)
})

t.test('figures as people read them', async t => {
  t.same([0, 412, 3_210, 59_900, 245_000, 7_380_000, 260_000_000, null].map(duration), ['0 ms', '412 ms', '3.2 s', '59 s', '4 min 05 s', '2 h 03 min', '3 d 0 h', '–'])
  t.same([0.5, -1, 0, null].map(reward), ['+0.50', '−1.00', '0.00', '–'])
  t.same(['xstate.done.actor.ask', 'xstate.error.actor.attempt.1.0', 'xstate.after.drain.node.attending', 'node.drain', 'xstate.init'].map(eventWords), ['done ask', 'failed attempt.1.0', 'after drain', 'node.drain', 'start'])
  t.same([12, 2048, 50 * 2 ** 20].map(bytes), ['12 B', '2.0 KiB', '50 MiB'])
})
