// Every limit of the procedural solver, with its default. Budgets are counted in test runs, candidates and bytes, never in
// time, so that a seed replays an attempt; the deadlines only cut what hangs.

export interface SolverLimits {
  /** Test runs that an attempt spends on candidates, on average: each attempt draws between half and one and a half of it. */
  candidatesMax: number
  /** Candidates that one bash call tries, one after the other. */
  batch: number
  /** Test sources that are read at once, to see how tests run. */
  testSourcesMax: number
  /** Test files of the oracle patch that are run. */
  testFilesMax: number
  /** Test files that are traced: with failing tests, and of those that pass. Candidates are tried on the first of the former. */
  tracedFailingMax: number
  tracedPassingMax: number
  /** Suspicious files that candidates are made for. */
  suspectFilesMax: number
  /** Windows of lines that an attempt looks at closely, and lines to either side of a window's middle. */
  windowsMax: number
  windowReach: number
  /** Lines of one suspicious file that carry suspicion. */
  suspectLinesMax: number
  /** Candidates asked for, per suspicious file. */
  repairsPerFile: number
  /** Other sources to transplant from. */
  corpusFilesMax: number
  corpusBytesMax: number
  /** Largest source that is read. */
  sourceBytesMax: number
  /** Changes that one attempt keeps, at most: bugs span one to three files. */
  keptMax: number
  /** Test files outside of the oracle patch that are run once before the attempt is submitted. */
  broaderFilesMax: number
  /** Processor seconds that one process of a trial may use: this, and so many times what all tests used before any change. */
  trialCpuSecondsMin: number
  trialSlack: number
  /** Wall seconds of a trial: this, and three times the processor seconds. Only what sleeps runs into it. */
  trialWallSecondsMin: number
}

export const solverLimits: SolverLimits = {
  candidatesMax: 48,
  batch: 16,
  testSourcesMax: 150,
  testFilesMax: 12,
  tracedFailingMax: 2,
  tracedPassingMax: 3,
  suspectFilesMax: 6,
  windowsMax: 3,
  windowReach: 4,
  suspectLinesMax: 400,
  repairsPerFile: 400,
  corpusFilesMax: 24,
  corpusBytesMax: 192 * 1024,
  sourceBytesMax: 256 * 1024,
  keptMax: 4,
  broaderFilesMax: 4,
  trialCpuSecondsMin: 2,
  trialSlack: 1.5,
  trialWallSecondsMin: 3
}
