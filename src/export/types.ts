// What the formats have in common.

export const formats = ['swebench', 'swesmith', 'harbor', 'jsonl'] as const
export type Format = typeof formats[number]

/** A bug that a format cannot carry, and why. */
export interface LeftOut { bug: string; reason: string }

export interface Exported { format: Format; out: string; instances: number; leftOut: LeftOut[] }
