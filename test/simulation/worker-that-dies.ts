// In the place of what plays seeds: the first takes longest, and the fourth kills whoever plays it.

process.on('message', one => {
  const { seed } = one as { seed: number }
  if (seed === 4) process.kill(process.pid, 'SIGKILL')
  else setTimeout(() => process.send!({ seed }), seed === 1 ? 300 : 0)
})
process.on('disconnect', () => process.exit())
