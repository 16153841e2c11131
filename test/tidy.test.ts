// The rules of the tree as a test: who may import whom, and how long a file may be.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import t from 'tap'

const root = process.cwd()
const folders = ['src', 'actors', 'machines', 'bench', 'test', 'tools']

interface Source { path: string; text: string; imports: string[] }

const sources: Source[] = folders.flatMap(folder => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
  .filter(name => /\.tsx?$/.test(name))
  .map(name => readSource(join(root, folder, name))))

function readSource (file: string): Source {
  const text = readFileSync(file, 'utf8')
  const imports = [...text.matchAll(/^\s*(?:import|export)\b[^'"]*?from\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)|^import\s+'([^']+)'/gm)]
    .map(match => (match[1] ?? match[2] ?? match[3])!)
    .map(name => name.startsWith('.') ? relative(root, resolve(dirname(file), name)) : name)
  return { path: relative(root, file), text, imports }
}

const inFolder = (folder: string): Source[] => sources.filter(source => source.path.startsWith(folder + '/'))

t.test('machines import xstate, machines and types of src, and nothing else', async t => {
  for (const { path, text, imports } of inFolder('machines')) {
    for (const name of imports) {
      if (name.startsWith('src/')) t.match(text, new RegExp(`import type [^\\n]*${name.split('/').at(-1)!.replace('.', '\\.')}'`), `${path} imports ${name} as a type`)
      else t.ok(name === 'xstate' || name.startsWith('machines/'), `${path} imports ${name}`)
    }
    t.notMatch(text, /Math\.random|Date\.now|setTimeout|process\./, `${path} uses no clock, chance or process`)
  }
})

t.test('actors import machines, src and xstate', async t => {
  for (const { path, imports } of inFolder('actors')) {
    for (const name of imports) t.ok(/^(machines|actors|src)\//.test(name) || name === 'xstate', `${path} imports ${name}`)
  }
})

t.test('src imports neither xstate nor machines nor actors, but for the command line at the edge', async t => {
  for (const { path, imports } of inFolder('src')) {
    if (path.startsWith('src/cli/')) continue
    for (const name of imports) t.notMatch(name, /^(xstate|(machines|actors)\/.*)$/, `${path} imports ${name}`)
  }
})

t.test('chance is drawn through the port', async t => {
  for (const { path, text } of [...inFolder('src'), ...inFolder('actors')]) t.notMatch(text, /Math\.random\(/, path)
})

t.test('a file opens with what it is, and tells one story', async t => {
  for (const { path, text } of [...inFolder('src'), ...inFolder('machines'), ...inFolder('actors')]) {
    t.match(text, /^(#![^\n]*\n)?(\/\/|\/\*\*|import \{ (readFileSync|fromPromise))|^\/\*\*/, `${path} opens with a comment`)
    t.ok(text.split('\n').length <= 420, `${path} is at most 420 lines long`)
  }
})

t.test('nothing is left for later', async t => {
  for (const { path, text } of sources) {
    if (path === 'test/tidy.test.ts') continue
    t.notMatch(text, /\/\/ *(TODO|FIXME|XXX|HACK)\b/, path)
  }
})

t.test('the folder of a test outlives what its teardown closes', async t => {
  for (const { path, text } of inFolder('test')) {
    if (path !== 'test/helpers/test-folder.ts') t.notMatch(text, /\.testdir\(/, `${path} takes its folder by testFolder`)
  }
})
