// The limits of inspection, by name. Those that the page has to know too are in protocol.ts.

import { actorLimits } from './protocol.ts'

export const inspectLimits = {
  ...actorLimits,
  /** Actors that are known at a time; those above it are not shown, and counted. */
  liveMax: 50_000,
  /** Where there are more actors than that, those that come keep no past until somebody looks at them. */
  manyActors: 1_000,
  /** Actors that have ended are kept for so long, and so many of them. */
  endedMs: 10 * 60_000,
  endedMax: 500,
  /** Names whose restarts and failures are counted. */
  namesMax: 10_000,
  /** How often changes are told, at most; what share of a process' time looking for them and telling them may take; and how long a look may be put off for that. */
  everyMs: 100,
  lookShare: 0.005,
  restMsMax: 2_000,
  /** Rows in one change. What has changed beyond that comes with the next ones. */
  rowsPerLookMax: 100,
  /** How often what lies in records is looked at. */
  recordsMs: 1_000,
  /** Browsers at a time. */
  socketsMax: 32,
  /** Topics that one browser has open. */
  topicsMax: 32,
  /** What a browser has not taken yet; above it changes are left out for it, and below a quarter it gets everything anew. */
  bufferedBytesMax: 4 * 2 ** 20,
  /** Changes of a topic that are counted while they are left out; then they are not even asked for. */
  missedMax: 100,
  /** A browser that has taken nothing for so long is closed. */
  stalledMsMax: 30_000,
  /** How often a browser is asked whether it is there. */
  pingMs: 15_000,
  /** Of what a browser sends. */
  requestBytesMax: 64 * 1024,
  /** Of one text of a record: what was said, an output, a patch, evidence. */
  textBytesMax: 64 * 1024,
  /** Of one record. */
  recordBytesMax: 256 * 2 ** 20,
  /** Names of files or tests in one list. */
  namesShownMax: 500,
  episodesMax: 5_000,
  /** Points of a training view. */
  pointsMax: 200,
  /** Of the file of a trace; lines of it that are shown; characters of one, and of its detail. */
  traceBytesMax: 256 * 2 ** 20,
  traceLinesMax: 500_000,
  traceLineCharsMax: 256 * 1024,
  traceDetailCharsMax: 2_000,
  /** Of a report's data. */
  reportBytesMax: 64 * 2 ** 20,
  /** How long a node may take to answer. */
  callMsMax: 5_000,
  /** A node whose presence is not renewed for so long is silent: two of its heartbeats (src/cluster/limits.ts) did not come. */
  silentMs: 5_000,
  /** Nodes that are gone are shown for so long, and so many of them. */
  goneMs: 5 * 60_000,
  goneMax: 50,
  /** Of a node: who watches at a time. */
  watchersMax: 64
}

export type InspectLimits = typeof inspectLimits
