// What every test script shares: its head, and how file names are quoted.

import { shellQuote } from '../../quote.ts'

/**
 * Head of a script: the files as a bash array, a private folder that goes away with the script, and an environment that
 * neither colours nor waits for a person.
 */
export function scriptHead (runner: string, files: readonly string[]): string {
  const words = files.map(file => `  ${shellQuote(file.startsWith('-') ? `./${file}` : file)}\n`).join('')
  return `#!/usr/bin/env bash
# Runs these test files with ${runner}, from the root of the tree, and prints one result a test.
set -u
files=(
${words})
work=$(mktemp -d) || exit 70
trap 'rm -rf "$work"' EXIT
export NO_COLOR=1 CI=true TERM=dumb
unset FORCE_COLOR CLICOLOR_FORCE
`
}

/** Sets \`python\` to the interpreter that the environment offers. */
export const findPython = `python=$(command -v python || command -v python3) || { echo 'no python on PATH' >&2; exit 127; }
export PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0 PYTHONUNBUFFERED=1
`

/**
 * Sets \`flags\` to the options that Node needs for these files: a TypeScript loader where there is one, and what
 * package.json's own test scripts hand to node or to the runner (\`-r\`, \`--import\`, \`--loader\`, \`--conditions\`,
 * \`--experimental-*\`).
 */
export const findNodeFlags = String.raw`flags=()
if printf '%s\n' "${'$'}{files[@]}" | grep -Eq '\.[cm]?tsx?$' && [ -d node_modules/tsx ]; then flags+=(--import tsx); fi
if grep -Eqs -- '"test[^"]*": *".*( -r| -C| --require| --import| --loader| --conditions| --experimental)' package.json; then
  while IFS= read -r flag; do flags+=("$flag"); done < <(node - <<'JS'
const { scripts = {} } = JSON.parse(require('fs').readFileSync('package.json', 'utf8'))
const found = new Set()
for (const name of Object.keys(scripts).filter(name => name.startsWith('test'))) {
  for (const part of scripts[name].split(/&&|;|\|\|/)) {
    if (!/\b(node|tape|tap|borp|c8|nyc)\b/.test(part)) continue
    const pattern = /\s(?:(-r|--require|--import|--loader|--experimental-loader|-C|--conditions)[ =]["']?([^\s"']+)["']?|(--experimental-(?!test-coverage)[\w-]+))/g
    for (const [, option, value, flag] of part.matchAll(pattern)) {
      if (flag) found.add(flag)
      else if (option === '-C' || option === '--conditions' || resolves(value)) found.add((option === '-r' ? '--require' : option) + '=' + value)
    }
  }
}
function resolves (value) {
  try { require.resolve(value, { paths: [process.cwd()] }); return true } catch { return false }
}
for (const flag of found) console.log(flag)
JS
)
fi
`
