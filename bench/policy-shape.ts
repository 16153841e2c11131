// What the rollouts of bench/policy.ts are like, for the client and for the server that plays the model.

export interface Shape {
  turns: number
  /** Tokens of the opening, and of the result of a command with what a template puts around it. */
  opening: number
  answered: number
  /** Tokens of a reply: from, and how many more it may be. */
  said: { from: number; more: number }
}

/** The seed of a rollout's first turn is its number times this; the next turn has the next. */
export const seedsPerRollout = 1000

/** Turns of different length, so that they do not end together. */
export const saidIn = ({ said }: Shape, rollout: number, turn: number): number => said.from + Math.floor(((rollout * 7 + turn * 3) % 51) / 50 * said.more)

/** 8 turns and about 32,000 tokens; and turns so short that there are many. */
export const long: Shape = { turns: 8, opening: 600, answered: 3920, said: { from: 250, more: 500 } }
export const short: Shape = { turns: 8, opening: 600, answered: 200, said: { from: 50, more: 100 } }
