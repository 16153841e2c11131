// Every limit of verification and grading, with its default.

export const verifyLimits = {
  /** One run of a test script. The paper's own limit. */
  scriptMsMax: 90_000,
  /** Log of one run; a script that prints more has flooded. */
  scriptOutputBytesMax: 16 * 2 ** 20,
  /** One run of a parser. */
  parserMsMax: 20_000,
  parserOutputBytesMax: 8 * 2 ** 20,
  /** Tests in one map. */
  testsMax: 100_000,
  /** One call of git. */
  gitMsMax: 60_000,
  /** Joint restorations that group mode tries beyond the single files. */
  groupRunsMax: 32,
  /** Trees that are made ready before a core is free for them. */
  treesAhead: 2,
  /** Of bug_inject.diff that is looked through before anything runs; what is added beyond it is refused. */
  surveyBytesMax: 8 * 2 ** 20,
  /** Of one file of the original: a larger one is generated, or data, and is left alone. */
  surveyFileBytesMax: 4 * 2 ** 20,
  /** Log in which the traces of tests are looked for; a longer one is not held against its parser's names. */
  tracedBytesMax: 4 * 2 ** 20,
  /** Runs of the clean and of the buggy tree each. */
  repeats: 3,
  /** Maps with more tests are kept in the evidence as counts only. */
  evidenceTestsMax: 5000,
  /** One stage of a verification, waiting for a core included. A stage that takes longer is undecided, not failed. */
  stageMsMax: 30 * 60_000,
  /** Clean runs that are kept. */
  cleanRunsMax: 256,
  /** Control runs of the original tree that are kept, with their test files. */
  controlsMax: 64,
  /** Test files that are larger are not sabotaged: their tests accuse nobody. */
  sabotageBytesMax: 2 ** 20
}
export type VerifyLimits = typeof verifyLimits
