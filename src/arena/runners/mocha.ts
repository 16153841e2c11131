// mocha, through a reporter of our own, in one process as mocha runs them. When a file cannot be loaded mocha runs
// nothing at all; then each file runs on its own, so that only the broken ones stay without results. The repository's
// own mocha configuration holds (requires, interface, timeouts), except what chooses files or reports.

import { nodeParser, parserOf } from './parsers.ts'
import { scriptHead } from './script.ts'
import type { Runner } from './types.ts'

const reporter = (more: string): string => String.raw`
const { relative, sep } = require('path')
const escape = name => String(name).replace(/[\u0000-\u001f\u2028\u2029]/g, c => JSON.stringify(c).slice(1, -1))
const titles = node => node.parent ? [...titles(node.parent), node.title].filter(title => title !== '') : [node.title].filter(title => title !== '')

module.exports = class {
  constructor (runner) {
    const announced = new Set()
    const say = (word, test) => {
      const file = relative(process.cwd(), test.file || fileOf(test)).split(sep).join('/')
      if (!announced.has(file)) process.stdout.write('\n# file: ' + file + '\n')
      announced.add(file)
      process.stdout.write('\n' + word + ' ' + file + '::' + titles(test).map(escape).join(' > ') + '\n')
    }
    const fileOf = node => node.parent ? node.parent.file || fileOf(node.parent) : ''
    const done = new Set()
    runner.on('start', () => process.stdout.write('# mocha runs\n'))
${more}    runner.on('pass', test => { done.add(test); say('PASSED', test) })
    runner.on('fail', (test, error) => {
      done.add(test)
      if (test.type === 'hook') failHook(test)
      else say('FAILED', test)
      process.stdout.write(String((error && error.stack) || error) + '\n')
    })
    // The tests that a failing hook keeps from running have failed.
    const failHook = hook => {
      const all = suite => [...suite.tests, ...suite.suites.flatMap(all)]
      if (!/before/.test(hook.title)) return
      for (const test of all(hook.parent)) if (!done.has(test) && !test.pending && !test.isPending()) { done.add(test); say('FAILED', test) }
    }
  }
}
`

// Prints one word a line: environment assignments first, then --, then arguments of mocha.
const launcher = String.raw`
const fs = require('fs')
const { spawnSync } = require('child_process')
const { join } = require('path')
const [work, ...files] = process.argv.slice(2)
const base = join(process.cwd(), 'node_modules', 'mocha')
const bin = join(base, 'bin', fs.existsSync(join(base, 'bin', 'mocha.js')) ? 'mocha.js' : 'mocha')

// What the package's own script hands to mocha.
const env = { ...process.env }
const fromScripts = {}
const names = { r: 'require', u: 'ui', t: 'timeout', n: 'node-option' }
let scripts = {}
try { scripts = JSON.parse(fs.readFileSync('package.json', 'utf8')).scripts || {} } catch {}
for (const name of Object.keys(scripts).filter(name => /^(test|mocha|unit)/.test(name))) {
  for (const part of scripts[name].split(/&&|;|\|\|/)) {
    const words = (part.match(/"[^"]*"|'[^']*'|\S+/g) || []).map(word => word.replace(/^["']|["']$/g, ''))
    const at = words.findIndex(word => /(^|\/)_?mocha(\.js)?$/.test(word))
    if (at === -1) continue
    for (const word of words.slice(0, at)) {
      const pair = /^([A-Za-z_]\w*)=(.*)$/.exec(word)
      if (pair) env[pair[1]] = pair[2]
    }
    for (let index = at + 1; index < words.length; index++) {
      const match = /^--?(r|require|u|ui|t|timeout|import|loader|n|node-option)(?:=(.*))?$/.exec(words[index])
      if (!match) continue
      const value = match[2] !== undefined ? match[2] : words[++index]
      ;(fromScripts[names[match[1]] || match[1]] ||= []).push(value)
    }
  }
}

let options = {}
try {
  const loaded = require(join(base, 'lib', 'cli', 'options')).loadOptions([])
  for (const key of Object.keys(loaded)) if (key.length > 1 || key === '_') options[key] = loaded[key]
} catch {}
for (const key of ['_', 'spec', 'reporter', 'reporters', 'reporter-option', 'reporterOption', 'reporterOptions', 'reporter-options', 'config', 'package', 'opts', 'parallel', 'jobs', 'watch',
  'watch-files', 'watchFiles', 'watch-ignore', 'watchIgnore', 'bail', 'color', 'colors', 'forbid-only', 'forbidOnly', 'forbid-pending', 'forbidPending', 'ignore', 'exclude', 'recursive',
  'sort', 'growl', 'diff', 'grep', 'fgrep', 'invert', 'dry-run', 'dryRun', 'fail-zero']) delete options[key]
for (const key of Object.keys(fromScripts)) {
  if (key === 'ui' || key === 'timeout') options[key] = fromScripts[key][0]
  else options[key] = [...new Set([].concat(options[key] || [], fromScripts[key]))]
}
options.require = [].concat(options.require || []).filter(name => resolves(name))
function resolves (name) {
  try { require.resolve(name, { paths: [process.cwd()] }); return true } catch {}
  return fs.existsSync(name)
}
const typed = files.some(file => /\.[cm]?tsx?$/.test(file))
if (typed && !options.require.some(name => /ts-node|tsx|esbuild|swc|babel/.test(name)) && fs.existsSync('node_modules/tsx')) options.require.push('tsx/cjs')
if (options.require.length === 0) delete options.require
fs.writeFileSync(join(work, 'options.json'), JSON.stringify(options))

const play = (files, stdio) => spawnSync(process.execPath, [bin, '--no-package', '--no-opts', '--config', join(work, 'options.json'),
  '--reporter', join(work, 'reporter.cjs'), '--no-color', '--exit', ...files], { env, stdio, maxBuffer: 1 << 30 })
// A run that loads prints its first line at once. Output goes straight through, except that line, which decides.
const log = join(work, 'log')
const output = fs.openSync(log, 'w')
const together = play(files, ['ignore', output, output])
fs.closeSync(output)
const text = fs.readFileSync(log, 'utf8')
process.stdout.write(text)
let status = together.status === null ? 70 : together.status
if (!/^# mocha runs$/m.test(text) && files.length > 1) {
  for (const file of files) {
    process.stdout.write('\n# ' + file + '\n')
    status = play([file], ['ignore', 'inherit', 'inherit']).status || status
  }
}
process.exitCode = status
`

const onPending = "    runner.on('pending', test => say('SKIPPED', test))\n"

const body = (tells: 'all' | 'skipped'): string => `cat > "$work/reporter.cjs" <<'JS'
${reporter(tells === 'skipped' ? onPending : '')}JS
node - "$work" "\${files[@]}" <<'JS'
${launcher}JS
`

export const mocha: Runner = {
  name: 'mocha',
  ecosystem: 'node',
  script: (files, tells = 'all') => scriptHead('mocha', files) + body(tells),
  parser: parserOf('node', nodeParser)
}
