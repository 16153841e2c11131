// The documents of the machines say what the machines are: they are made anew and compared, and what a chart shows is held
// against the machines themselves.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { everyState } from '../../src/inspect/chart/states.ts'
import { fileOf, machineDocs, placedCharts } from '../../tools/machines.ts'

const folder = join(process.cwd(), 'docs', 'machines')

t.test('docs/machines is what npm run docs:machines writes', async t => {
  const made = await machineDocs()
  t.same(readdirSync(folder).sort(), [...made.keys()].sort(), 'no file is missing, and none is left over')
  for (const [name, content] of made) t.equal(readFileSync(join(folder, name), 'utf8'), content, name)
})

t.test('every machine of machines/ is drawn', async t => {
  const files = readdirSync(join(process.cwd(), 'machines')).map(name => `machines/${name}`)
  const drawn = [...Object.keys(await placedCharts()).map(fileOf), 'machines/breaker.ts', 'machines/solver.ts', 'machines/effect.ts']
  t.same(files.filter(name => !drawn.includes(name)), [])
})

t.test('every state and every transition of a machine stands in its chart once, inside of its parent', async t => {
  for (const [machine, { root, placed: { states, edges, width, height } }] of Object.entries(await placedCharts())) {
    t.same(states.map(({ path }) => path), everyState(root).map(({ path }) => path), `states of ${machine}`)
    const shown = [...states, ...edges].flatMap(({ rows }) => rows).map(({ transition }) => transition).filter(id => id !== null)
    t.same(shown.sort(), everyState(root).flatMap(({ transitions }) => transitions.map(({ id }) => id)).sort(), `transitions of ${machine}`)
    for (const box of [...states, ...edges.map(({ label }) => label)]) t.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height, `${machine}: inside`)
    for (const state of states) {
      const rows = state.rows.map(({ kind, text, note }) => `${kind} ${text} ${note}`.length * 6.6)
      t.ok(Math.max(0, ...rows) <= state.width, `${machine} ${state.path}: its rows have room`)
    }
    t.ok(edges.every(({ lines }) => lines.length > 0 && lines.every(points => points.length >= 2)), `every line of ${machine} is drawn`)
  }
})

t.test('a chart says what the library leaves out of its definition: always, guards, delays, effects', async t => {
  const { root } = (await placedCharts())['breaker']!
  const states = new Map(everyState(root).map(state => [state.path, state]))
  t.match(states.get('deciding')!.transitions, [{ kind: 'always', guard: 'budgetSpent', targets: ['done'], actions: ['blamePolicy'] }, { kind: 'always', guard: null, targets: ['asking'] }])
  t.match(states.get('asking'), { tags: ['usesPolicy'], invokes: [{ id: 'ask', src: 'ask' }], entry: [] })
  t.match(states.get('asking')!.transitions.find(({ kind }) => kind === 'after'), { label: 'after askDeadline', targets: ['done'] })
})
