/** Changes of many devices, each of which says when it was made by a clock that all processes of the machine share. */

import { readFileSync, writeFileSync } from 'node:fs'
import { now, quantile } from './measure.mjs'

const TICK_MS = 10

/** From the signal on so many changes a second for so long, one device after the other; `change(i)` makes one. */
export function changeOnSignal(count, perSecond, seconds, change) {
  process.once('SIGUSR2', () => {
    const begun = now()
    let made = 0
    const timer = setInterval(() => {
      const passed = Math.min(seconds, (now() - begun) / 1000)
      while (made < passed * perSecond) change((made++ * 7) % count)
      if (passed === seconds) clearInterval(timer)
    }, TICK_MS)
  })
}

/** The moment of a change as a text, and as it is heard; of each device each moment counts once. */
export const moment = () => `${Math.round(now() * 1000)}`

export class Heard {
  latencies = []
  last = new Map()

  hear(device, text) {
    if (text === undefined || this.last.get(device) === text) return
    this.last.set(device, text)
    this.latencies.push(now() - Number(text) / 1000)
  }

  /** Writes what was heard into a file at each signal. */
  reportOnSignal(file) {
    process.on('SIGUSR2', () => {
      const all = this.latencies
      const figures = { events: all.length, p50: quantile(all, 0.5), p99: quantile(all, 0.99) }
      writeFileSync(file, JSON.stringify(figures))
    })
  }
}

export const readReport = file => JSON.parse(readFileSync(file, 'utf8'))
