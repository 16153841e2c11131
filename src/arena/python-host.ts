// The host's Python, asked with small programs of our own: pip's configuration, the order of versions, and what a tree
// states about its dependencies. Everything is read as text; nothing of a target is imported or built.

import { SparError } from '../errors.ts'
import { lastLines, runCommand } from './command.ts'
import type { ArenaLimits } from './limits.ts'

/** Runs a program with JSON in and JSON out. */
export async function askPython<Answer> (program: string, question: unknown, limits: ArenaLimits): Promise<Answer> {
  const result = await runCommand('python3', ['-I', '-c', program], { input: JSON.stringify(question), timeoutMs: limits.lookupMsMax })
  if (result.code === 0) return JSON.parse(result.stdout) as Answer
  const why = /No module named '?pip/.test(result.stderr) ? 'pip is not installed for python3' : lastLines(result)
  throw new SparError('ARENA_TOOL_MISSING', `Cannot use python3 on this machine: ${why}`, { data: { tool: 'pip' } })
}

const silenceSecondsOfPip = 15

/** Index, certificates and patience as pip is configured, which also knows the defaults. */
export interface PipSettings { index: string; certificates: string | null; /** Longest silence of the index. */ silenceMsMax: number }

export async function pipSettings (limits: ArenaLimits): Promise<PipSettings> {
  const { index, certificates, seconds } = await askPython<{ index: string; certificates: string | null; seconds: string | null }>(String.raw`
import json, os
from pip._internal.configuration import Configuration
from pip._internal.models.index import PyPI
configuration = Configuration(isolated=False)
configuration.load()
values = {}
for key, value in configuration.items():
    # Newer pips group the values by the file they stand in.
    values.update(value if isinstance(value, dict) else {key: value})
def setting(name):
    for key in (':env:.' + name, 'download.' + name, 'install.' + name, 'global.' + name):
        if values.get(key):
            return values[key]
print(json.dumps({'index': setting('index-url') or PyPI.simple_url, 'certificates': setting('cert'), 'seconds': setting('timeout') or setting('default-timeout')}))
`, null, limits)
  return { index, certificates, silenceMsMax: (Number(seconds) || silenceSecondsOfPip) * 1000 }
}

/** The versions that a specifier admits, oldest first; pre-releases only when there is nothing else. */
export function selectVersions (versions: readonly string[], range: string, limits: ArenaLimits): Promise<{ versions: string[]; error: string | null }> {
  return askPython(String.raw`
import json, re, sys
from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet
from pip._vendor.packaging.version import InvalidVersion, Version
question = json.load(sys.stdin)
text = question['range']
try:
    if text == '*':
        specifier = SpecifierSet('')
    elif re.match(r'^\d', text):
        specifier = SpecifierSet(','.join(part if re.match(r'^[=<>!~]', part.strip()) else '==' + part.strip() for part in text.split(',')))
    else:
        specifier = SpecifierSet(text)
except InvalidSpecifier as error:
    print(json.dumps({'versions': [], 'error': str(error)}))
    sys.exit()
known = {}
for version in question['versions']:
    try:
        known[Version(version)] = version
    except InvalidVersion:
        pass
print(json.dumps({'versions': [known[version] for version in sorted(specifier.filter(known))], 'error': None}))
`, { versions, range }, limits)
}
