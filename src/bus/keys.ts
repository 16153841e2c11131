// Keys are tokens joined by dots.

/** Whether a key is `prefix`, or goes on from its tokens; '' is above all. */
export const isBelow = (key: string, prefix: string): boolean => prefix === '' || key === prefix || key.startsWith(`${prefix}.`)

/** Below a prefix and not the prefix itself. */
export const isInside = (key: string, prefix: string): boolean => isBelow(key, prefix) && key !== prefix

/** All that a key is inside of, '' first. */
export function prefixesOf (key: string): string[] {
  const prefixes = ['']
  for (let dot = key.indexOf('.'); dot !== -1; dot = key.indexOf('.', dot + 1)) prefixes.push(key.slice(0, dot))
  return prefixes
}
