// File names of the artifact: the canonical set, and the one that the paper's prompts use. Both are read, the first is
// written. The parser may be of any language, so its name has any ending.

export const canonicalNames = {
  testScript: 'test_script.sh',
  testFiles: 'test_files.txt',
  bugInject: 'bug_inject.diff',
  testWeaken: 'test_weaken.diff',
  predPatch: 'pred_patch.diff'
} as const

export const otherNames: Partial<Record<keyof typeof canonicalNames, string>> = {
  bugInject: 'bug_patch.diff',
  testWeaken: 'test_patch.diff'
}

export const manifestName = 'manifest.json'

const parserPattern = /^(?:test_parser|parse_test_output)(\.[A-Za-z0-9]{1,8})?$/

export const isParserName = (name: string): boolean => parserPattern.test(name)

/** The name under which a parser is kept and addressed: `parse_test_output.py` becomes `test_parser.py`. */
export function canonicalParserName (name: string): string {
  const ending = parserPattern.exec(name)?.[1] ?? /\.[A-Za-z0-9]{1,8}$/.exec(name)?.[0] ?? ''
  return `test_parser${ending}`
}
