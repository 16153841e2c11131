// Tasks of `spar eval`: SWE-bench instances, a JSON object a line. Those that Spar exported carry more than the format has:
// what makes their tree, and what runs their tests. An instance that cannot be read is refused before anything is played.

import { SparError } from '../errors.ts'
import type { Suite } from '../verify/types.ts'
import type { EvalType } from './truth.ts'

export interface EvalInstance {
  id: string
  /** `owner/name`, an address or a folder. */
  repo: string
  baseCommit: string
  /** The issue in words. */
  problem: string
  testPatch: string
  /** The reference; null where the instance holds none. */
  gold: string | null
  f2p: string[]
  p2p: string[]
  evalType: EvalType
  /** An image with the repository installed, and what runs the tests in there and reads their log; null where it names none. */
  image: string | null
  evalScript: string | null
  logParser: string | null
  /** Of an instance that Spar exported; null: the tree is the commit's, and its tests run as Spar finds. */
  own: { setupPatch: string; testFiles: string[]; suite: Suite } | null
}

/** `testsMsMax`: one run of an instance's tests, milliseconds; SWE-bench's own limit. */
export const evalLimits = { tasksBytesMax: 2 ** 28, instancesMax: 100_000, testsMsMax: 30 * 60_000 }

/** `where` names the file. Throws EVAL_TASKS_INVALID, which names line and field. */
export function readInstances (text: string, where: string, limits: Pick<typeof evalLimits, 'tasksBytesMax' | 'instancesMax'> = evalLimits): EvalInstance[] {
  if (text.length > limits.tasksBytesMax) throw invalid(where, `it is larger than ${limits.tasksBytesMax} characters (tasksBytesMax)`)
  const lines = text.split('\n').map((line, at) => ({ line, where: `${where}, line ${at + 1}` })).filter(({ line }) => line.trim() !== '')
  if (lines.length === 0) throw invalid(where, 'it holds no instance')
  if (lines.length > limits.instancesMax) throw invalid(where, `it holds more than ${limits.instancesMax} instances (instancesMax)`)
  const instances = lines.map(({ line, where }) => readInstance(line, where))
  const seen = new Set<string>()
  for (const { id } of instances) {
    if (seen.has(id)) throw invalid(where, `the instance ${id} is there twice`)
    seen.add(id)
  }
  return instances
}

type Fields = Record<string, unknown>

function readInstance (line: string, where: string): EvalInstance {
  const fields = parse(line, where)
  const need = (name: string): string => {
    const value = fields[name]
    if (typeof value !== 'string' || value === '') throw invalid(where, `${name} is no text`)
    return value
  }
  const optional = (name: string): string | null => {
    const value = fields[name]
    if (value !== undefined && value !== null && typeof value !== 'string') throw invalid(where, `${name} is no text`)
    return value === undefined || value === null || value === '' ? null : value
  }
  const instance: EvalInstance = {
    id: need('instance_id'), repo: need('repo'), baseCommit: need('base_commit'), problem: need('problem_statement'), testPatch: need('test_patch'),
    gold: optional('patch'),
    f2p: readIds(fields['FAIL_TO_PASS'], 'FAIL_TO_PASS', where), p2p: readIds(fields['PASS_TO_PASS'], 'PASS_TO_PASS', where),
    evalType: readEvalType(fields['eval_type'], where), image: optional('image'), evalScript: optional('eval_script'), logParser: optional('log_parser'),
    own: readOwn(fields, where)
  }
  // It names files of the results.
  if (!/^[\w.-]{1,200}$/.test(instance.id) || /^\.+$/.test(instance.id)) throw invalid(where, `instance_id ${JSON.stringify(instance.id.slice(0, 80))} is no name of letters, digits, "_", "." and "-"`)
  if (!/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(instance.baseCommit)) throw invalid(where, 'base_commit is no whole commit id')
  if (instance.image !== null && !/^[\w][\w./:@-]{0,500}$/.test(instance.image)) throw invalid(where, 'image is no name of an image')
  if (instance.f2p.length === 0) throw invalid(where, 'FAIL_TO_PASS names no test, so nothing tells whether it is resolved')
  return instance
}

function readEvalType (value: unknown, where: string): EvalType {
  if (value === undefined || value === null || value === '' || value === 'pass_and_fail') return 'pass_and_fail'
  if (value === 'fail_only') return value
  throw invalid(where, `eval_type is neither pass_and_fail nor fail_only`)
}

function readOwn (fields: Fields, where: string): EvalInstance['own'] {
  const { setup_patch: setupPatch, test_script: script, test_parser: parser, test_parser_name: parserName, test_files: testFiles } = fields
  if (setupPatch === undefined) return null
  if (![setupPatch, script, parser, parserName, testFiles].every(value => typeof value === 'string')) {
    throw invalid(where, 'it has a setup_patch, but not the test_script, test_parser, test_parser_name and test_files that go with it; export the run again')
  }
  if (!/^test_parser(\.\w+)?$/.test(parserName as string)) throw invalid(where, 'test_parser_name is no name of a parser')
  return {
    setupPatch: setupPatch as string,
    testFiles: (testFiles as string).split('\n').filter(path => path !== ''),
    suite: { script: Buffer.from(script as string), parser: Buffer.from(parser as string), parserName: parserName as string }
  }
}

/** A list, or JSON text of one. An id that begins with a quotation mark may be JSON text itself: see `lineId` of the export. */
function readIds (value: unknown, name: string, where: string): string[] {
  let list = value
  try {
    if (typeof value === 'string') list = JSON.parse(value)
  } catch { /* Not JSON: refused below. */ }
  if (!Array.isArray(list) || list.some(id => typeof id !== 'string')) throw invalid(where, `${name} is no list of test ids`)
  return (list as string[]).map(plainId)
}

function plainId (id: string): string {
  if (!id.startsWith('"')) return id
  try {
    const read: unknown = JSON.parse(id)
    return typeof read === 'string' ? read : id
  } catch {
    return id
  }
}

export interface Prediction { instanceId: string; patch: string }

/** Predictions as SWE-bench has them: `instance_id`, `model_patch`. Throws EVAL_TASKS_INVALID. */
export function readPredictions (text: string, where: string): Prediction[] {
  return text.split('\n').map((line, at) => ({ line, where: `${where}, line ${at + 1}` })).filter(({ line }) => line.trim() !== '').map(({ line, where }) => {
    const { instance_id: id, model_patch: patch } = parse(line, where)
    if (typeof id !== 'string') throw invalid(where, 'instance_id is no text')
    if (typeof patch !== 'string' && patch !== null) throw invalid(where, 'model_patch is no text')
    return { instanceId: id, patch: patch ?? '' }
  })
}

function parse (line: string, where: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch { /* Refused below. */ }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(where, 'it is no JSON object')
  return value as Fields
}

const invalid = (where: string, why: string): SparError => new SparError('EVAL_TASKS_INVALID', `Cannot read ${where}: ${why}`)
