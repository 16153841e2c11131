// What is there now, of something that can be followed: up to the mark that everything was told, and no further.

export async function * upToNow<Entry> (follow: (signal: AbortSignal) => AsyncIterable<Entry | null>): AsyncGenerator<Entry> {
  const over = new AbortController()
  try {
    for await (const entry of follow(over.signal)) {
      if (entry === null) return
      yield entry
    }
  } finally { over.abort() }
}
