/** Quotes one word for bash: any bytes but NUL survive, nothing is expanded. */
export function shellQuote (word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

/** As a regular expression that finds just this text. */
export const patternQuote = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** As a pattern of file names that finds just this name. */
export const globQuote = (name: string): string => name.replace(/[*?[\]\\]/g, '\\$&')
