/** One thing told to many devices: a line for each, and the exit code of all of them together. */

import { BoxError, EXIT_CODES } from '../src/base/errors.ts'
import type { Context } from './context.ts'
import type { Device } from './fleet.ts'
import { inParallel } from './parallel.ts'

const PARALLEL = 16

/** `done` is what is said of a device on which `work` succeeded. 0 where all did, else the gravest failure. */
export async function tellAll(
  { output, signal }: Context,
  devices: readonly Device[],
  done: string,
  work: (device: Device) => Promise<void>,
): Promise<number> {
  const width = Math.max(0, ...devices.map(({ name }) => name.length))
  const codes = await inParallel(devices, PARALLEL, async device => {
    const { name } = device
    const say = (line: string, result: string, error: BoxError | null) =>
      output.result(`${name.padEnd(width)}  ${line}`, {
        ...{ name, result, error: error && { code: error.code, message: error.message } },
      })
    try {
      await work(device)
      say(done, 'done', null)
      return 0
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof BoxError)) throw error
      const isOff = error.family === 'unreachable' || error.family === 'unknown'
      say(`${isOff ? 'off' : 'refused'}: ${error.message}`, isOff ? 'offline' : 'refused', error)
      return EXIT_CODES[isOff ? 'unreachable' : error.family]
    }
  })
  return Math.max(0, ...codes)
}
