// Who takes part: a few connections to one bus. One that was closed is made anew when it is needed again.

import type { Bus } from '../../../src/bus/types.ts'
import type { World } from './world.ts'

export interface Connection { bus: Bus; isClosed: boolean }

export class Connections {
  readonly #world: World
  readonly #open: (Connection | undefined)[] = []

  constructor (world: World) { this.#world = world }

  async at (index: number): Promise<Connection> {
    const open = this.#open[index] ?? { bus: await this.#world.connect(), isClosed: false }
    this.#open[index] = open
    return open
  }

  async close (index: number): Promise<void> {
    const open = await this.at(index)
    open.isClosed = true
    this.#open[index] = undefined
    await open.bus.close()
    // A server sees a little later that somebody is gone.
    await this.#world.pause()
    await this.#world.pause()
  }

  async closeAll (): Promise<void> { await Promise.all(this.#open.map(async open => await open?.bus.close())) }
}
