// Every limit of the search for leaks, with its default.

export const leakLimits = {
  /** One command of the search. */
  commandMsMax: 60_000,
  /** All changed files of a bug, as they are in the solver's tree. */
  originalBytesMax: 16 * 2 ** 20,

  // What is distinctive (text.ts).
  /** Characters that are no white space, in a text that is looked for under any name. */
  charsMin: 64,
  /** The same in files of the same name, the last folder included: less is needed there. */
  namesakeCharsMin: 24,
  /** Different words of three letters or more. */
  wordsMin: 4,
  namesakeWordsMin: 2,
  /** Lines around a change that may be added to it until it is distinctive, on either side. */
  contextLinesMax: 10,
  /** A longer text is looked for in pieces of about as many characters, the most of them evenly spread; half of them have to be found. */
  pieceChars: 240,
  piecesMax: 8,
  /** Changed places of one file. */
  changesMax: 100,
  /** What files are searched for first: a part of one line. */
  fragmentCharsMin: 8,
  fragmentsMax: 512,

  // What is looked at.
  /** Listing of the system's folders, and of an arena's mounts. */
  listingBytesMax: 32 * 2 ** 20,
  /** Listings that are kept. */
  listingsMax: 8,
  /** Paths that one search of the tree gives. */
  namesBytesMax: 16 * 2 ** 20,
  /** Files of the same name as a changed one. */
  namesakesMax: 20_000,
  /** Files that are read, and their bytes. */
  candidatesMax: 200,
  candidateBytesMax: 32 * 2 ** 20,
  archivesMax: 500,
  archiveBytesMax: 64 * 2 ** 20,
  /** Of the processor, for one archive and for all that are read at once. */
  archiveSecondsMax: 1,
  archivesSecondsMax: 20,
  memberBytesMax: 8 * 2 ** 20,
  /** Packs, bundles and other stores of git's objects. */
  storesMax: 64,

  /** Findings of one search. */
  findingsMax: 20,
  /** Searches that are remembered. */
  scansMax: 256
}
export type LeakLimits = typeof leakLimits
