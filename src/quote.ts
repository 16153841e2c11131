/** Quotes one word for bash: any bytes but NUL survive, nothing is expanded. */
export function shellQuote (word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}
