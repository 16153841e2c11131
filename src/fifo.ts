// What waits, first come first served. Taking one costs the same however many there are.

export interface Fifo<T> {
  readonly size: number
  push (item: T): void
  /** Undefined when it is empty. */
  peek (): T | undefined
  shift (): T | undefined
  clear (): void
}

/** Places of items that were taken are given back when so many are empty, and half of all are. */
const emptyMin = 1_024

export function createFifo<T> (): Fifo<T> {
  let items: (T | undefined)[] = []
  let head = 0
  return {
    get size () { return items.length - head },
    push: item => { items.push(item) },
    peek: () => items[head],
    shift () {
      if (head === items.length) return undefined
      const item = items[head]
      items[head++] = undefined
      if (head > emptyMin && head * 2 > items.length) {
        items.splice(0, head)
        head = 0
      }
      return item
    },
    clear () {
      items = []
      head = 0
    }
  }
}
