// Keys are tokens joined by dots.

/** Whether a key is `prefix`, or goes on from its tokens; '' is above all. */
export const isBelow = (key: string, prefix: string): boolean => prefix === '' || key === prefix || key.startsWith(`${prefix}.`)
