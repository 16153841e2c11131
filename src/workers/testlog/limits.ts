// What a log may cost. A log is written by a model's program, so every figure of it has a bound.

export interface LogLimits {
  /** Of a longer line only so much is read; it cannot name a test any more, since an id is shorter. */
  lineBytesMax: number
  testsMax: number
  idCharsMax: number
  /** Of all ids together. */
  idCharsTotalMax: number
  suitesMax: number
  /** Reported problems, of all codes together; the first ones are kept. */
  problemsMax: number
  /** Nested subtests or XML elements. */
  depthMax: number
}

export const logLimits: LogLimits = {
  lineBytesMax: 1 << 20,
  testsMax: 200_000,
  idCharsMax: 4096,
  idCharsTotalMax: 1 << 25,
  suitesMax: 10_000,
  problemsMax: 100,
  depthMax: 64
}
