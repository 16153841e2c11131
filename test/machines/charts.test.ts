// The documents of the machines say what the machines are: they are made anew and compared, and what a chart shows is held
// against the machines themselves.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { everyState, readMachine } from '../../src/inspect/chart/read.ts'
import { machineDocs, machines, placedCharts } from '../../tools/machines.ts'

const folder = join(process.cwd(), 'docs', 'machines')

t.test('docs/machines is what npm run docs:machines writes', async t => {
  const made = await machineDocs()
  t.same(readdirSync(folder).sort(), [...made.keys()].sort(), 'no file is missing, and none is left over')
  for (const [name, content] of made) t.equal(readFileSync(join(folder, name), 'utf8'), content, name)
})

t.test('every machine of machines/ is drawn', async t => {
  const files = readdirSync(join(process.cwd(), 'machines')).filter(name => name !== 'effect.ts')
  const drawn = machines.flatMap(({ root, file }) => [`${root.key}.ts`, file.split('/').at(-1)!])
  t.same(files.filter(name => !drawn.includes(name)), [])
})

t.test('every state and every transition of a machine stands in its chart once, inside of its parent', async t => {
  const charts = await placedCharts()
  for (const { root } of machines) {
    const states = everyState(readMachine(root))
    const { states: placed, edges, width, height } = charts[root.key]!
    t.same(placed.map(({ path }) => path), states.map(({ path }) => path), `states of ${root.key}`)
    const shown = [...placed, ...edges].flatMap(({ rows }) => rows).map(({ transition }) => transition).filter(id => id !== null)
    t.same(shown.sort(), states.flatMap(({ transitions }) => transitions.map(({ id }) => id)).sort(), `transitions of ${root.key}`)
    for (const box of [...placed, ...edges.map(({ label }) => label)]) t.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height, `${root.key}: inside`)
    for (const state of placed) {
      const rows = state.rows.map(({ kind, text, note }) => `${kind} ${text} ${note}`.length * 6.6)
      t.ok(Math.max(0, ...rows) <= state.width, `${root.key} ${state.path}: its rows have room`)
    }
    t.ok(edges.every(({ lines }) => lines.length > 0 && lines.every(points => points.length >= 2)), `every line of ${root.key} is drawn`)
  }
})

t.test('a chart says what the library leaves out of its definition: always, guards, delays, effects', async t => {
  const { root } = machines.find(({ root }) => root.key === 'breaker')!
  const states = new Map(everyState(readMachine(root)).map(state => [state.path, state]))
  t.match(states.get('deciding')!.transitions, [{ kind: 'always', guard: 'budgetSpent', targets: ['done'], actions: ['blamePolicy'] }, { kind: 'always', guard: null, targets: ['asking'] }])
  t.match(states.get('asking'), { tags: ['usesPolicy'], invokes: [{ id: 'ask', src: 'ask' }], entry: [] })
  t.match(states.get('asking')!.transitions.find(({ kind }) => kind === 'after'), { label: 'after askDeadline', targets: ['done'] })
})
