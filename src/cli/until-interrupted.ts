// For commands that go on until they are told to end.

/** Resolves at the first SIGINT or SIGTERM. */
export async function untilInterrupted (): Promise<void> {
  await new Promise<void>(resolve => {
    const end = (): void => {
      process.off('SIGINT', end)
      process.off('SIGTERM', end)
      resolve()
    }
    process.on('SIGINT', end)
    process.on('SIGTERM', end)
  })
}
