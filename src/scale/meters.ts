// What is measured while the model runs: means over time, and how things that happen are spread.

/** The mean over time of something that steps up and down. */
export interface Level { add (by: number): void; readonly now: number; /** Since the last reset. */ mean (): number; reset (): void }

export function createLevel (now: () => number): Level {
  let value = 0
  let area = 0
  let changedAt = now()
  let resetAt = changedAt
  const count = (): void => {
    area += value * (now() - changedAt)
    changedAt = now()
  }
  return {
    add (by) {
      count()
      value += by
    },
    get now () { return value },
    mean () {
      count()
      return changedAt > resetAt ? area / (changedAt - resetAt) : value
    },
    reset () {
      count()
      area = 0
      resetAt = changedAt
    }
  }
}

export interface Spread { add (value: number): void; count (): number; mean (): number; quantile (share: number): number; reset (): void }

/** Of more values every second one is forgotten: quantiles of some thousands are as good as any. */
const valuesMax = 65_536

export function createSpread (): Spread {
  let values: number[] = []
  let every = 1
  let count = 0
  let sum = 0
  return {
    add (value) {
      sum += value
      if (count++ % every !== 0) return
      if (values.push(value) < valuesMax) return
      values = values.filter((_, index) => index % 2 === 0)
      every *= 2
    },
    count: () => count,
    mean: () => count === 0 ? 0 : sum / count,
    quantile (share) {
      if (values.length === 0) return 0
      const sorted = [...values].sort((a, b) => a - b)
      return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!
    },
    reset () {
      values = []
      every = 1
      count = sum = 0
    }
  }
}
