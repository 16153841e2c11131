// Keys are tokens joined by dots.

/** Whether a key is `prefix`, or goes on from its tokens; '' is above all. */
export const isBelow = (key: string, prefix: string): boolean => prefix === '' || key === prefix || key.startsWith(`${prefix}.`)

/** Below a prefix and not the prefix itself. */
export const isInside = (key: string, prefix: string): boolean => isBelow(key, prefix) && key !== prefix
