// What the worker threads can do: the typed map of task names, and the functions behind them. Only threads import the
// functions (they load parsers); everybody else imports the types. A task is stateless, so that a thread can be killed.

import { prepareLanguage } from './mutate/grammars.ts'
import { indexSource } from './mutate/source-index.ts'
import { repairCandidates } from './mutate/repair.ts'
import { languageOf, parses } from './mutate/source.ts'
import { sabotage, type SabotageMode } from './mutate/sabotage.ts'
import { survey, type Finding, type SurveyFile } from './survey/survey.ts'
import { readTestLog, type LogOptions, type LogReading } from './testlog/index.ts'
import type { RepairReply, RepairRequest, SourceIndex } from './mutate/types.ts'

export interface SourceText { path: string; text: string }

export interface Tasks {
  /** Units, removals and mutations; null when the language is unknown, the text too large, or it does not parse. */
  index: { input: SourceText; output: SourceIndex | null }
  repairs: { input: RepairRequest; output: RepairReply }
  /** False as well when the language is unknown. */
  parses: { input: SourceText; output: boolean }
  /** null: as in mutate/sabotage.ts. */
  sabotage: { input: SourceText & { mode: SabotageMode }; output: string | null }
  /** What a bug puts into files beyond being a bug. */
  survey: { input: { files: SurveyFile[] }; output: Finding[] }
  log: { input: { log: Uint8Array; options: LogOptions }; output: LogReading }
}

export type TaskName = keyof Tasks

export const handlers: { [Name in TaskName]: (input: Tasks[Name]['input']) => Promise<Tasks[Name]['output']> } = {
  index: async ({ path, text }) => {
    await prepareLanguage(languageOf(path))
    return indexSource(path, text)
  },
  repairs: async request => {
    await prepareLanguage(languageOf(request.path))
    return repairCandidates(request)
  },
  parses: async ({ path, text }) => {
    await prepareLanguage(languageOf(path))
    return parses(path, text)
  },
  sabotage: async ({ path, text, mode }) => {
    await prepareLanguage(languageOf(path))
    return sabotage(path, text, mode)
  },
  survey: async ({ files }) => {
    // A file without an ending may be in any of them.
    for (const { path } of files) await prepareLanguage(languageOf(path) ?? 'python')
    return survey(files)
  },
  log: async ({ log, options }) => readTestLog(log, options)
}
