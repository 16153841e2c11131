// What must be on the queue, kept beside it: how much of the work at a place may be taken now. It says for how long to wait for
// work, and that none is lost; what comes, and in which order, is for the two buses to agree upon.

import type { QueueKind, WorkSubject } from '../../../src/bus/types.ts'

export interface Piece { name: string; arena: string; run: string; /** How often time has to have passed until it may be taken. */ freeAt: number; deliveries: number }

const nameOf = ({ kind, arena, run, id }: WorkSubject): string => [kind, arena, run, id].join('.')
export const kind: QueueKind = 'rollout'
/** Passings of time after which a lease has run out. */
const leased = 2

export class Books {
  passed = 0
  readonly #pieces = new Map<string, Piece>()

  added (subject: WorkSubject): void { this.#pieces.set(nameOf(subject), { name: nameOf(subject), arena: subject.arena, run: subject.run, freeAt: 0, deliveries: 0 }) }

  taken (subject: WorkSubject): Piece {
    const piece = this.#pieces.get(nameOf(subject))
    if (piece === undefined) throw new Error(`${nameOf(subject)} came, and is gone`)
    if (piece.freeAt > this.passed) throw new Error(`${nameOf(subject)} came, and somebody has it`)
    piece.deliveries++
    this.renewed(piece)
    return piece
  }

  renewed (piece: Piece): void { piece.freeAt = this.passed + leased }
  returned (piece: Piece, after: number): void { piece.freeAt = this.passed + after }
  ended (piece: Piece): void { if (this.#pieces.get(piece.name) === piece) this.#pieces.delete(piece.name) }
  purged (run: string): void { for (const [name, piece] of this.#pieces) if (piece.run === run) this.#pieces.delete(name) }

  at (arena: string): Piece[] { return [...this.#pieces.values()].filter(piece => piece.arena === arena) }
  free (arena: string): Piece[] { return this.at(arena).filter(({ freeAt }) => freeAt <= this.passed) }
  isThere (piece: Piece): boolean { return this.#pieces.get(piece.name) === piece }
}
