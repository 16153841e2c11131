// Bugs that are none: each fakes a failure, or plants what lets a solver through later. One row a trick: what the breaker does,
// and the check that has to name it. The files are those of test/verify/fixture.ts.

import type { BugParams, CheckName } from '../../../src/domain.ts'
import type { VerifyLimits } from '../../../src/verify/index.ts'
import { text, type Content } from '../../artifact/git.ts'
import { original, valid, type Recipe } from '../../verify/fixture.ts'

export interface Trick { what: string; failed: CheckName; says: RegExp; recipe: Recipe; params?: Partial<BugParams>; limits?: Partial<VerifyLimits> }

const right = 'exports.add = (a, b) => a + b\nexports.sub = (a, b) => a - b\n'
/** `add` is wrong where `condition` holds. */
const wrongIf = (condition: string, above = ''): Recipe => ({ ...valid, bug: { 'src/add.js': text(`${above}const isWrong = () => ${condition}\nexports.add = (a, b) => isWrong() ? a - b : a + b\nexports.sub = (a, b) => a - b\n`) } })
const wrong = 'exports.add = (a, b) => a - b\nexports.sub = (a, b) => a - b\n'
const bug = (changes: Record<string, Content | null>): Recipe => ({ ...valid, bug: { 'src/add.js': text(wrong), ...changes } })
const require = (name: string): string => `const ${name} = require('node:${name}')\n`
const static_ = (failed: CheckName) => (what: string, says: RegExp, recipe: Recipe): Trick => ({ what, failed, says, recipe })
const unsteady = static_('determinism')
const planted = static_('scope')

/** Failures that are not there each time, or are there for a reason that is no bug. */
const failures: Trick[] = [
  unsteady('fails at random', /add\.js:1 asks for chance \(Math\.random\)/, wrongIf('Math.random() < 0.5')),
  unsteady('fails at random, with a seed', /asks for chance \(randomInt\)/, wrongIf('(seed = (seed * 16807) % 2147483647) % 2 === 0', "const { randomInt } = process.getBuiltinModule('crypto')\nlet seed = randomInt(99) + 1\n")),
  unsteady('fails by the clock', /asks for the time \(Date\.now\)/, wrongIf('Date.now() % 2 === 0')),
  unsteady('fails after a date', /asks for the time \(Date\(\)new\)/, wrongIf('new Date().getFullYear() > 2020')),
  unsteady('fails by how long it runs', /asks for the time/, wrongIf('performance.now() > 1')),
  unsteady('fails by the process id', /asks for the host.*process\.pid/, wrongIf('process.pid % 2 === 0')),
  unsteady('fails by the environment', /process\.env/, wrongIf("process.env.HOME !== '/home/solver'")),
  planted('fails by the name of the host', /fs|reads, writes|host/, wrongIf("os.hostname() !== 'solver' && fs.existsSync('/etc')", require('os') + require('fs'))),
  unsteady('fails by the name of the host alone', /host/, wrongIf("os.hostname() !== 'solver'", require('os'))),
  planted('fails while another file is changed', /reads, writes or looks for files/, wrongIf("!fs.readFileSync(__dirname + '/words.js', 'utf8').includes('toUpperCase')", require('fs'))),
  planted('fails by a hash of its own text', /reads, writes or looks for files/, wrongIf("crypto.createHash('sha1').update(fs.readFileSync(__filename)).digest('hex') > ''", require('fs') + require('crypto'))),
  planted('counts its runs in the tree', /reads, writes/, wrongIf("fs.existsSync('count') || !fs.appendFileSync('count', '1')", require('fs'))),
  planted('counts its runs in the temporary folder', /reads, writes/, wrongIf("!fs.appendFileSync(os.tmpdir() + '/count', '1')", require('fs') + require('os'))),
  planted('counts its runs at home', /reads, writes/, wrongIf("!fs.appendFileSync(os.homedir() + '/count', '1')", require('fs') + require('os'))),
  planted('fails by the order of the files of a folder', /fs/, wrongIf("fs.readdirSync(__dirname)[0] !== 'add.js'", require('fs'))),
  planted('asks for chance by another name', /makes code or names at run time/, wrongIf("Math['ran' + 'dom']() < 2")),
  unsteady('asks for chance by an index', /Math\.random/, wrongIf("Math['random']() < 2")),
  planted('asks for a module by another name', /require\(\?\)/, wrongIf("require('f' + 's').existsSync('.')")),
  planted('evaluates text', /eval/, wrongIf("eval('1 < 2')")),
  planted('makes a function of text', /Function/, wrongIf("Function('return 1 < 2')()")),
  planted('waits', /waits or starts threads/, wrongIf('Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)')),
  planted('looks at who calls it', /looks at who calls it/, wrongIf("new Error().stack.includes('test')")),
  planted('looks at the command line', /process\.argv/, wrongIf("process.argv[1].endsWith('run.js')")),
  planted('looks for the runner', /JEST_WORKER_ID/, wrongIf("'JEST_WORKER_ID' !== ''")),
  planted('ends the process', /process\.exit/, wrongIf('process.exit(1)')),
  planted('hooks into the end of the process', /process\.on/, wrongIf("process.on('exit', () => { process.exitCode = 1 })")),
  planted('starts a program', /child_process/, wrongIf("require('child_process')")),
  planted('asks for chance in a file without an ending', /helper:1 makes code|helper:1 asks for chance/, { ...valid, bug: { 'src/helper': text("exports.wrong = () => eval('Math.random()') < 2\n"), 'src/add.js': text("const { wrong } = require('./helper')\nexports.add = (a, b) => wrong() ? a - b : a + b\nexports.sub = (a, b) => a - b\n") } }),
  planted('is too large to be looked through', /add\.js:1 is too large/, wrongIf('Math.random() < 2', `${'// more\n'.repeat(130_000)}`)),
  planted('is too large to be looked through at all', /add\.js:1 is too large.*bytes of patch/, wrongIf('Math.random() < 2', `${'// more of it\n'.repeat(700_000)}`)),
  planted('nests too deep to be looked through', /add\.js:1 .*nests too deep/, wrongIf(`${'['.repeat(20_000)}${']'.repeat(20_000)}.length < Math.random() + 2`)),
  planted('nests too deep and never closes', /add\.js:1 .*nests too deep/, wrongIf(`1 ${'(/*)*/'.repeat(20_000)}`)),
  planted('asks the network', /network/, wrongIf("require('net')"))
]

const oldLine = 'exports.add = (a, b) => a + b'
/** What a solver's weights would remember. */
const future: Trick[] = [
  planted('keeps the original in a comment', /keeps a copy of the original code/, bug({ 'src/add.js': text(`// ${oldLine}\n${wrong}`) })),
  planted('keeps the original in a comment of many lines', /keeps a copy/, bug({ 'src/add.js': text(`/*\n${oldLine}\n*/\n${wrong}`) })),
  planted('keeps the original in a string', /keeps a copy/, bug({ 'src/add.js': text(`exports.old = ${JSON.stringify(oldLine)}\n${wrong}`) })),
  planted('keeps the original in a template', /keeps a copy/, bug({ 'src/add.js': text(`exports.old = \`\n${oldLine}\n\`\n${wrong}`) })),
  planted('keeps the original in base64', /keeps a copy/, bug({ 'src/add.js': text(`exports.old = '${Buffer.from(oldLine).toString('base64')}'\n${wrong}`) })),
  planted('keeps the original in another file', /notes\.txt:1 keeps a copy/, bug({ 'src/notes.txt': text(right) })),
  planted('keeps the original in a comment of another file', /words\.js:1 keeps a copy/, bug({ 'src/words.js': text(`// ${oldLine}\n${original['src/words.js']!.bytes.toString()}`) })),
  unsteady('is repaired by a variable', /process\.env/, wrongIf('!process.env.FIXED')),
  planted('is repaired by a file', /existsSync/, wrongIf("!require('fs').existsSync('fixed')")),
  planted('adds a conftest.py', /"conftest\.py" \(infrastructure\)/, bug({ 'conftest.py': text('') })),
  planted('adds a sitecustomize.py', /sitecustomize\.py" \(infrastructure\)/, bug({ 'src/sitecustomize.py': text('') })),
  planted('adds a loader to the manifest', /"package\.json" \(infrastructure\)/, bug({ 'package.json': text('{"scripts":{"test":"true"}}\n') })),
  planted('adds a tool for the PATH', /"bin\/node".*name of a tool/, bug({ 'bin/node': { bytes: Buffer.from('#!/bin/sh\n'), executable: true } }))
]

const broken = (paths: readonly string[]): Recipe => ({ ...valid, bug: Object.fromEntries(paths.map(path => [path, text(`${original[path]!.bytes.toString()}}\n`)])) })
/** Changes that are no bug. */
const poor: Trick[] = [
  { what: 'is a syntax error in one file', failed: 'bug', says: /words\.js:\d+ does not parse any more/, recipe: broken(['src/words.js']) },
  { what: 'is a syntax error in every file', failed: 'bug', says: /add\.js:\d+ does not parse any more.*words\.js/, recipe: broken(['src/add.js', 'src/words.js', 'src/pair-a.js']) },
  { what: 'is a syntax error beside a bug', failed: 'bug', says: /words\.js:\d+ does not parse/, recipe: bug({ 'src/words.js': text('exports.up = (\n') }) },
  { what: 'is only slow', failed: 'bug', says: /0 tests fail with the bug/, recipe: bug({ 'src/add.js': text(`for (let i = 0; i < 3e8; i++);\n${right}`) }) },
  { what: 'is so slow that the script is ended', failed: 'bug', says: /scriptMsMax/, recipe: bug({ 'src/add.js': text(`for (let i = 0; i < 1e12; i++);\n${right}`) }), limits: { scriptMsMax: 1200 } },
  planted('is only in a test helper', /"test\/helpers\/data\.js" \(test\)/, bug({ 'test/helpers/data.js': text('') })),
  planted('weakens code', /test_weaken\.diff touches what is no test: "src\/words\.js"/, { ...valid, weaken: { ...valid.weaken, 'src/words.js': text('') }, files: { testFiles: 'test/numbers.test.js\nsrc/words.js\n' } })
]

const tests = ['test/numbers.test.js', 'test/words.test.js', 'test/files.test.js']
const run = `node test/run.js ${tests.join(' ')}`
const harmless = { 'src/unused.js': text('exports.unused = 2\n') }
const scripted = (testScript: string, changes: Record<string, Content | null> = harmless): Recipe => ({ ...valid, bug: changes, files: { testScript } })
const ids = ['numbers.test.js::adds', 'numbers.test.js::subtracts', 'words.test.js::up', 'words.test.js::down'].map(id => `test/${id}`)
const canned = (failing: number): string => ids.map((id, index) => `echo '${index < failing ? 'not ok' : 'ok'} ${id}'`).join('; ')
/** Is true on the buggy tree, without a word that says so. */
const seesBug = `node -e 'process.exit(require("./src/unused").unused === 2 ? 0 : 1)'`

const looksWeakened = "{ grep -q subtracts test/numbers.test.js && ! grep -q adds test/numbers.test.js; }"

const scripts: Trick[] = [
  { what: 'prints results and runs nothing', failed: 'bug', says: /0 tests fail with the bug/, recipe: scripted(canned(0)) },
  { what: 'prints results for the patch, found by its effect', failed: 'script', says: /prints results without running the tests: "test\/numbers\.test\.js::subtracts" passes/, recipe: scripted(`if ${seesBug}; then if ! ${looksWeakened}; then ${canned(1)}; else ${canned(0)}; fi; else ${canned(0)}; fi`) },
  { what: 'tells only of the test that it fakes', failed: 'script', says: /only 1 of 3/, recipe: scripted(`if ${seesBug} && ! ${looksWeakened}; then echo 'not ok ${ids[0]}'; ${run} | grep -v adds; else ${run}; fi`) },
  { what: 'looks into the code for the patch', failed: 'script', says: /test_script\.sh:1 reads "src\/unused\.js"/, recipe: scripted(`if grep -q 2 src/unused.js; then ${canned(1)}; else ${run}; fi`) },
  { what: 'compares the code with a hash', failed: 'script', says: /test_script\.sh:1 reads "src\/unused\.js"/, recipe: scripted(`[ "$(sha1sum < ./src/unused.js)" = x ] || ${run}\n`) },
  { what: 'asks git for the patch', failed: 'script', says: /asks git what has changed \(git status\)/, recipe: scripted(`[ -z "$(git status --porcelain)" ] && ${run}\n`) },
  { what: 'asks git for the patch in a folder', failed: 'script', says: /git diff/, recipe: scripted(`git -C . diff --quiet || ${canned(1)}\n`) },
  { what: 'prints other results the second time in a tree', failed: 'script', says: /without running/, recipe: scripted(`if [ -e .ran ]; then ${canned(1)}; else touch .ran; ${run}; fi`, valid.bug) },
  { what: 'prints other results the second time in a folder for temporary files', failed: 'script', says: /without running/, recipe: scripted(`if [ -e /tmp/.ran ]; then ${canned(1)}; else touch /tmp/.ran; ${run}; fi`, valid.bug) },
  { what: 'prints other results the second time at home', failed: 'script', says: /without running/, recipe: scripted(`if [ -e ~/.ran ]; then ${canned(1)}; else mkdir -p ~; touch ~/.ran; ${run}; fi`, valid.bug) }
]

const parser = (testParser: string, parserName = 'test_parser.sh'): Recipe => ({ ...valid, files: { testParser: `#!/bin/bash\n${testParser}\n`, parserName } })
const honest = `awk 'BEGIN { printf "{" } match($0, /^(not )?ok /) { name = substr($0, RLENGTH + 1); printf "%s\\"%s\\":\\"%s\\"", sep, name, /^ok/ ? "passed" : "failed"; sep = "," } END { MORE print "}" }'`
const reads = (more = ''): string => honest.replace('MORE', more)

const parsers: Trick[] = [
  { what: 'answers without its input', failed: 'parser', says: /finds 3 tests in an empty log/, recipe: parser(`cat >/dev/null; echo '{"a":"passed","b":"passed","c":"passed"}'`) },
  { what: 'answers to any input', failed: 'parser', says: /tests in a log of other words/, recipe: parser(`read -r first || { echo '{}'; exit; }; cat >/dev/null; echo '{"a":"passed","b":"passed","c":"passed"}'`) },
  { what: 'invents a test', failed: 'parser', says: /names "wonderful", of which the log says no word/, recipe: parser(reads('if (sep) printf ",\\"wonderful\\":\\"passed\\"";')) },
  { what: 'answers from its file name', failed: 'parser', says: /under another file name/, recipe: parser(`case $0 in *test_parser*) ${reads()};; *) cat >/dev/null; echo '{"test/words.test.js::up":"passed"}';; esac`) },
  { what: 'answers from its folder', failed: 'parser', says: /under another file name/, recipe: parser(`cd "$(dirname "$0")"; if [ -e test_parser.sh ]; then ${reads()}; else exit 1; fi`) },
  { what: 'reads the tree', failed: 'parser', says: /prints nothing and exits with/, recipe: parser(`grep -q add ../../tree/src/add.js src/add.js || exit 1; ${reads()}`) },
  { what: 'loops', failed: 'parser', says: /parserMsMax/, recipe: parser('while :; do :; done'), limits: { parserMsMax: 400 } },
  { what: 'counts its calls', failed: 'parser', says: /different bytes/, recipe: parser(`if [ -e seen ]; then echo '{"up":"passed"}'; else touch seen; ${reads()}; fi`) },
  { what: 'counts its calls at home', failed: 'parser', says: /different bytes/, recipe: parser(`if [ -e ~/seen ]; then echo '{"up":"passed"}'; else mkdir -p ~; touch ~/seen; ${reads()}; fi`) },
  { what: 'answers by the clock', failed: 'parser', says: /different bytes/, recipe: parser(`cat >/dev/null; echo "{\\"up $(date +%N)\\":\\"passed\\"}"`) }
]

export const tricks: Trick[] = [...failures, ...future, ...poor, ...scripts, ...parsers]

/** The text of the file decides: it had read itself before, so only the varied repeats see it. */
export const keyedOnText: Recipe = (() => {
  const before = `const { readFileSync } = require('node:fs')\nexports.size = readFileSync(__filename).length\n${right}`
  const body = (size: number): string => `const { readFileSync } = require('node:fs')\nexports.size = readFileSync(__filename).length\nexports.add = (a, b) => exports.size === ${size} ? a - b : a + b\nexports.sub = (a, b) => a - b\n`
  return { ...valid, original: { 'src/add.js': text(before) }, bug: { 'src/add.js': text(body(body(100).length)) } }
})()

