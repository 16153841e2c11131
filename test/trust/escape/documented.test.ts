// Goal: the table for readers and the table that runs are one. Method: every attack is looked up in the document.

import { readFileSync } from 'node:fs'
import t from 'tap'

import { attacks } from './attacks.ts'

t.test('every attack has a row in docs/trust-escape.md', async t => {
  const rows = readFileSync('docs/trust-escape.md', 'utf8').split('\n').filter(line => line.startsWith('| ')).map(line => line.split('|')[1]!.trim())
  for (const { name } of attacks) t.ok(rows.includes(name), name)
})
