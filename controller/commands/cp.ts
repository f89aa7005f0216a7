/** box cp: copies files to a device or from it. */

import { BoxError } from '../../src/base/errors.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { openShell } from '../device-shell.ts'
import { FileCopy } from '../file-copy.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'
import { userAt } from '../user-at.ts'

interface Arguments {
  readonly paths: readonly string[] | undefined
  readonly recursive: boolean
  readonly preserve: boolean
  readonly timeout: number
}

/** Where files are: on a device, or here. */
interface Place {
  readonly device: string | null
  readonly path: string
}

export const cp = command<Arguments>({
  usage: 'cp [paths..]',
  examples: [
    ['box cp notes.txt kitchen:', 'into the home directory on kitchen'],
    ['box cp -r kitchen:/etc/nginx .', 'a whole directory, from kitchen to here'],
    ['box cp -p a b kitchen:/srv', 'two files, with their modes and times'],
  ],
  options: yargs =>
    yargs
      .positional('paths', {
        type: 'string',
        array: true,
        describe: 'what to copy, and last where to; [USER@]DEVICE:PATH is on a device',
      })
      .option('recursive', {
        type: 'boolean',
        alias: 'r',
        default: false,
        describe: 'directories with all that is in them',
      })
      .option('preserve', {
        type: 'boolean',
        alias: 'p',
        default: false,
        describe: 'keep modes and times',
      })
      .option('timeout', TIMEOUT),
  run: async (context, { paths = [], recursive, preserve, timeout }) => {
    const places = paths.map(placeOf)
    const to = places.pop()
    if (!to || places.length === 0)
      throw new BoxError('INPUT_INVALID', 'Say what to copy, and where to.')
    const { place, fromDevice } = deviceBetween(places, to)
    const { user, name } = userAt(place)
    const { fleet, output, signal } = context
    const progress = output.progress(`looking for ${name}`)
    try {
      const options = { user, timeoutMs: timeoutMs(timeout) }
      const { ssh } = await openShell(context, fleet.device(name), options)
      const end = () => ssh.destroy()
      signal.addEventListener('abort', end, { once: true })
      try {
        const doing = (path: string, done: number, size: number) =>
          progress.now(`${path}: ${megabytes(done)} of ${megabytes(size)} MB`)
        const copy = new FileCopy({
          ...{ sftp: await ssh.files(), fromDevice, recursive, preserve, doing },
        })
        const sources = places.map(({ path }) => path || '.')
        const { files, bytes } = await copy.copy(sources, to.path)
        progress.end()
        tell(context, files, bytes)
      } catch (error) {
        signal.throwIfAborted()
        throw error
      } finally {
        signal.removeEventListener('abort', end)
        ssh.destroy()
      }
    } finally {
      progress.end()
    }
  },
})

const tell = ({ output }: Context, files: number, bytes: number) =>
  output.result(`${files} file${files === 1 ? '' : 's'}, ${bytes} bytes.`, { files, bytes })

const megabytes = (bytes: number) => (bytes / 1_000_000).toFixed(1)

/** As scp reads it: a colon before any slash makes a device of what is before it. */
function placeOf(text: string): Place {
  const [, device, path = ''] = /^([^/:]+):(.*)$/s.exec(text) ?? []
  if (device === undefined) return { device: null, path: text }
  return { device: device.replace(/\.box$/, ''), path: path || '.' }
}

/** The one device that all of it is about. */
function deviceBetween(from: readonly Place[], to: Place): { place: string; fromDevice: boolean } {
  const sources = new Set(from.map(({ device }) => device))
  const [source] = sources
  if (sources.size > 1 || source === undefined || (source === null) === (to.device === null))
    throw new BoxError(
      'INPUT_INVALID',
      'One side must be a device (DEVICE:PATH), and the other must be here.',
    )
  return source === null
    ? { place: to.device!, fromDevice: false }
    : { place: source, fromDevice: true }
}
