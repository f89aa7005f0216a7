/** One update to many: how long until the last one has it, and how many deliveries a second there are when as much is said as is taken. */

import { bounded, now, quantile, sleep } from './measure.mjs'

const SIZE = 256
const APART_MS = 3
/** So much is said and not heard by all yet: nothing has to be thrown away anywhere. */
const WINDOW = 64
const SETTLE = 50
const ROUND_MS = 60_000

/** `say` says bytes; each of `listeners` is handed what to call with what it hears. */
export async function measureFanout(say, listeners, messages) {
  const waiting = new Map()
  for (const listen of listeners)
    listen(bytes => {
      const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
      const one = waiting.get(number)
      if (!one || ++one.count < listeners.length) return
      waiting.delete(number)
      one.resolve()
    })
  let number = 0
  const sayOne = () => {
    const bytes = new Uint8Array(SIZE)
    new DataView(bytes.buffer).setUint32(0, ++number)
    const heard = new Promise(resolve => waiting.set(number, { count: 0, resolve }))
    return Promise.all([say(bytes), heard])
  }
  const last = []
  for (let i = 0; i < messages + SETTLE; i++) {
    const begun = now()
    await bounded(sayOne(), ROUND_MS, 'an update')
    if (i >= SETTLE) last.push(now() - begun)
    await sleep(APART_MS)
  }
  const begun = now()
  const cpu = process.cpuUsage()
  const open = new Set()
  for (let i = 0; i < 3 * messages; i++) {
    const one = sayOne().finally(() => open.delete(one))
    open.add(one)
    if (open.size >= WINDOW) await bounded(Promise.race(open), ROUND_MS, 'an update')
  }
  await bounded(Promise.all(open), ROUND_MS, 'the last updates')
  const seconds = (now() - begun) / 1000
  const used = process.cpuUsage(cpu)
  const deliveries = 3 * messages * listeners.length
  return {
    ...{ lastP50: quantile(last, 0.5), lastP99: quantile(last, 0.99), perSecond: deliveries / seconds },
    cpuUs: (used.user + used.system) / deliveries,
  }
}
