// Surveys of what a bug changes, in a thread where there are threads. A text that costs a thread says nothing of the bug: it
// may not keep a verification from ending.

import { SparError } from '../errors.ts'
import type { Workers } from './pool.ts'
import type { Finding, SurveyFile } from './survey/survey.ts'

export type Survey = (files: SurveyFile[], signal?: AbortSignal) => Promise<Finding[]>

const isTheTexts = (error: unknown): boolean => error instanceof SparError && ['WORKER_TIMEOUT', 'WORKER_LOST'].includes(error.code)

export const createSurvey = (workers: Pick<Workers, 'run'>): Survey => async (files, signal) => {
  try {
    return await workers.run('survey', { files }, { signal })
  } catch (error) {
    if (isTheTexts(error)) return []
    throw error
  }
}

/** Without threads, for one verification at a time; the parsers are loaded with the first one. */
export const surveyHere: Survey = async files => await (await import('./tasks.ts')).handlers.survey({ files })
