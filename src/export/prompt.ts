// What a solver is told, whatever format carries it: the fixed text and the weakening backwards. No test command, no
// parser, no bug.

export const solverText = `I am improving the test suite of this repository with the following changes, and the current code does not pass them.

Change the code so that the improved test suite passes. The changes to the tests below are not applied yet, and they are mine to apply: leave the test files and the test configuration as they are.`

export function problemStatement (oraclePatch: string): string {
  const marks = '`'.repeat(Math.max(3, ...[...oraclePatch.matchAll(/`+/g)].map(match => match[0].length + 1)))
  return `${solverText}\n\n${marks}diff\n${oraclePatch.replace(/\n$/, '')}\n${marks}\n`
}
