// Every limit of opening an arena, with its name and default.

export interface ArenaLimits {
  /** Tests that must pass, and their least share of all tests, for a target to be worth playing on. */
  passingMin: number
  passShareMin: number
  /** Releases of a package that become commits; the newest are taken. */
  releasesMax: number
  /** One downloaded archive, packed; what it unpacks to; how many entries it has; length of a path in it. */
  downloadBytesMax: number
  archiveBytesMax: number
  archiveEntriesMax: number
  archivePathMax: number
  /** Deadlines: fetching sources, one installation, one run of the tests, a look-up at a registry. */
  fetchMsMax: number
  installMsMax: number
  testMsMax: number
  lookupMsMax: number
  /** Output of one run of the tests. */
  logBytesMax: number
  /** Largest source that is read while the runner is looked for. */
  sourceBytesMax: number
}

export const arenaLimits: ArenaLimits = {
  passingMin: 10,
  passShareMin: 0.5,
  releasesMax: 12,
  downloadBytesMax: 256 * 2 ** 20,
  archiveBytesMax: 1024 * 2 ** 20,
  archiveEntriesMax: 100_000,
  archivePathMax: 1024,
  fetchMsMax: 600_000,
  installMsMax: 600_000,
  testMsMax: 300_000,
  lookupMsMax: 120_000,
  logBytesMax: 64 * 2 ** 20,
  sourceBytesMax: 2 * 2 ** 20
}
