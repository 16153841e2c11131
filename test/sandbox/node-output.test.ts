// Goal: all that a Node program printed is there, however slow its reader and however the program ends. Method: bash as it is, a pipe
// that is read only once the program had the time to fill it.

import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { shellQuote } from '../../src/quote.ts'
import { withWholeOutput } from '../../src/sandbox/node-output.ts'

const lines = 20_000
const line = 'x'.repeat(99)
const program = (end: string): string => `for (let left = ${lines}; left > 0; left--) console.log('${line}')\n${end}\n`
/** As a shell, not as this test, has it. */
const { NODE_OPTIONS: _, ...env } = process.env

async function run (command: string, more: Record<string, string> = {}): Promise<{ output: string; code: number | null }> {
  const child = spawn('bash', ['-c', command], { stdio: ['ignore', 'pipe', 'ignore'], env: { ...env, ...more } })
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stdout.pause()
  await sleep(500)
  child.stdout.resume()
  const code = await ended
  return { output: Buffer.concat(chunks).toString('utf8'), code }
}

const folder = mkdtempSync(join(tmpdir(), 'spar-output-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const scratch = join(folder, 'it\'s "odd" \\ here')
mkdirSync(scratch)
const at = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return `node ${shellQuote(join(folder, name))}`
}
const whole = (command: string): string => withWholeOutput(command, { tree: folder, scratch })

for (const [name, end, code] of [['exits', 'process.exit(3)', 3], ['crashes', 'throw new Error("now")', 1], ['ends', '', 0]] as const) {
  t.test(`a program that ${name}`, async t => {
    const { output, ...rest } = await run(whole(at(`${name}.js`, program(end))))
    t.equal(output.length, lines * (line.length + 1))
    t.same(rest, { code })
  })
}

t.test('a folder of a plain name', async t => {
  const { output } = await run(withWholeOutput(at('plain.js', program('process.exit(0)')), { tree: folder, scratch: folder }))
  t.equal(output.length, lines * (line.length + 1))
})

t.test('a program of a program, with options that were there before', async t => {
  const inner = at('inner.js', `console.log(process.env.NODE_OPTIONS.includes('--no-warnings'))\n${program('process.exit(0)')}`)
  const { output } = await run(whole(`${at('outer.js', `require('node:child_process').execSync(${JSON.stringify(inner)}, { stdio: 'inherit' })`)}; echo end`), { NODE_OPTIONS: '--no-warnings' })
  t.match(output, /^true\n/)
  t.equal(output.length, 'true\n'.length + lines * (line.length + 1) + 'end\n'.length)
})

t.test('where the line cannot be kept the command runs without it', async t => {
  const { output, code } = await run(withWholeOutput('node -p 1; exit 4', { tree: folder, scratch: join(folder, 'nowhere') }))
  t.same({ output, code }, { output: '1\n', code: 4 })
})

t.test('without it the rest is lost: the day this fails Node waits by itself', async t => {
  const { output } = await run(at('alone.js', program('process.exit(3)')))
  t.ok(output.length < lines * line.length, `${output.length} bytes`)
})
