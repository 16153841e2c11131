// jest and vitest, through their JSON reports, which have the same shape. The report is written when the run ends; what
// the tests print is no part of it. A run that breaks off has no report and so no results.

import { nodeParser, parserOf } from './parsers.ts'
import { scriptHead } from './script.ts'
import type { Runner } from './types.ts'

const printReport = (more: string): string => String.raw`print_report () {
  node - "$work/report.json" "${'$'}{files[@]}" <<'JS'
const fs = require('fs')
const { relative, sep } = require('path')
const [report, ...files] = process.argv.slice(2)
if (!fs.existsSync(report)) process.exit()
const escape = name => name.replace(/[\u0000-\u001f\u2028\u2029]/g, c => JSON.stringify(c).slice(1, -1))
const lines = []
for (const { name, assertionResults, message } of JSON.parse(fs.readFileSync(report, 'utf8')).testResults) {
  const file = relative(fs.realpathSync(process.cwd()), name).split(sep).join('/')
  if (!files.some(asked => asked.replace(/^\.\//, '') === file)) continue
  if (assertionResults.length === 0) lines.push('ERROR ' + file + '\n' + (message ?? ''))
  for (const { ancestorTitles, title, status } of assertionResults) {
    ${more}if (status === 'passed' || status === 'failed') {
      lines.push(status.toUpperCase() + ' ' + file + '::' + [...ancestorTitles, title].filter(name => name !== '').map(escape).join(' > '))
    }
  }
}
process.stdout.write('\n' + files.map(file => '# file: ' + file.replace(/^\.\//, '') + '\n').join('') + lines.sort().join('\n') + '\n')
JS
}
`

const jestBody = String.raw`export NODE_ENV=test
if grep -qs -- experimental-vm-modules package.json; then export NODE_OPTIONS="${'$'}{NODE_OPTIONS-} --experimental-vm-modules"; fi
bin=node_modules/jest/bin/jest.js
[ -e "$bin" ] || bin=node_modules/jest-cli/bin/jest.js
node "$bin" --ci --runInBand --coverage=false --no-color --json --outputFile="$work/report.json" --runTestsByPath "${'$'}{files[@]}" </dev/null >"$work/output" 2>&1
status=$?
grep -v '^{"num' "$work/output"
unset NODE_OPTIONS
print_report
exit "$status"
`

const vitestBody = String.raw`node node_modules/vitest/vitest.mjs run --coverage.enabled=false --reporter=default --reporter=json --outputFile.json="$work/report.json" "${'$'}{files[@]}" </dev/null
status=$?
print_report
exit "$status"
`

const skippedToo = "if (['pending', 'skipped', 'todo', 'disabled'].includes(status)) lines.push('SKIPPED ' + file + '::' + [...ancestorTitles, title].filter(name => name !== '').map(escape).join(' > '))\n    else "
const report = (tells: 'all' | 'skipped'): string => printReport(tells === 'skipped' ? skippedToo : '')

export const jest: Runner = {
  name: 'jest',
  ecosystem: 'node',
  script: (files, tells = 'all') => scriptHead('jest', files) + report(tells) + jestBody,
  parser: parserOf('node', nodeParser)
}

export const vitest: Runner = {
  name: 'vitest',
  ecosystem: 'node',
  script: (files, tells = 'all') => scriptHead('vitest', files) + report(tells) + vitestBody,
  parser: parserOf('node', nodeParser)
}
