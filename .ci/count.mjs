// Counts the assertions of a TAP log and prints the closing line. A skip, a todo, a bail-out or an exit code that does not
// fit the count is a failure.

import { readFileSync } from 'node:fs'

const [, , file, code] = process.argv
const lines = readFileSync(file, 'utf8').split('\n')
// Assertions are the lines without a duration; a line with one sums up a subtest or a file.
const points = lines.filter(line => /^\s+(not )?ok \d+/.test(line) && !/# time=/.test(line))
const failures = lines.filter(line => /^\s*not ok\b/.test(line))
const skips = lines.filter(line => /^\s*ok\b.*[^\\]# (SKIP|TODO)\b/i.test(line))
const bad = failures.length + skips.length
if (bad > 0 || code !== '0' || points.length === 0) {
  console.log(lines.slice(-200).join('\n'))
  for (const line of [...failures, ...skips]) console.log(line.trim())
}
const failed = bad > 0 ? bad : code !== '0' || points.length === 0 ? 1 : 0
console.log(`${points.length - failures.length - skips.length} passed, ${failed} failed`)
process.exit(failed > 0 ? 1 : 0)
