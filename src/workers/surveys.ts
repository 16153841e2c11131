// Surveys of what a bug changes, in a thread where there are threads. A text that costs a thread its life, twice, cannot be looked
// through, and is found for that: it may neither keep a verification from ending nor go unseen.

import { SparError } from '../errors.ts'
import type { Workers } from './pool.ts'
import type { Finding, SurveyFile } from './survey/survey.ts'

export type Survey = (files: SurveyFile[], signal?: AbortSignal) => Promise<Finding[]>

const triesMax = 2
const isTheTexts = (error: unknown): boolean => error instanceof SparError && ['WORKER_TIMEOUT', 'WORKER_LOST'].includes(error.code)

export const createSurvey = (workers: Pick<Workers, 'run'>): Survey => async (files, signal) => {
  for (let tries = 1; ; tries++) {
    try {
      return await workers.run('survey', { files }, { signal })
    } catch (error) {
      if (!isTheTexts(error)) throw error
      if (tries === triesMax) return files.filter(({ after }) => after !== null).map(({ path }) => ({ rule: 'size', path, line: 1, name: 'it takes the parsers too long', text: '' }))
    }
  }
}

/** Without threads, for one verification at a time; the parsers are loaded with the first one. */
export const surveyHere: Survey = async files => await (await import('./tasks.ts')).handlers.survey({ files })
