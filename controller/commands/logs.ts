/** box logs: what a device writes into its log, or what stands in a file there; once, or as it comes. */

import { BoxError, ERRORS, EXIT_CODES } from '../../src/base/errors.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { type Job, runThere } from '../errands/errand.ts'
import type { Device } from '../fleet.ts'
import { LinePrefix } from '../line-prefix.ts'
import { inParallel } from '../parallel.ts'
import type { CommandEnd } from '../remote-command.ts'
import { select } from '../selector.ts'
import { commandLine } from '../shell-words.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

const LAST = 50
/** A log that is followed stays open: what is not asked of more devices than that is not asked at all. */
const DEVICES_MAX = 100

/**
 * For the device's shell; its words are how many lines, `follow` or nothing, and the source or nothing. A source
 * with a slash is a file, another one a unit of systemd, or the name of a program in the log of OpenWrt.
 */
export const LOG_SCRIPT = `
n=$1 follow=$2 from=$3
has() { command -v "$1" >/dev/null 2>&1; }
case $from in */*) [ -r "$from" ] || { echo "$from cannot be read." >&2; exit 66; }
  if [ "$follow" ]; then exec tail -n "$n" -F "$from"; else exec tail -n "$n" "$from"; fi;; esac
if has journalctl && journalctl -q -n 1 >/dev/null 2>&1; then
  set -- -q --no-pager -o short-iso -n "$n"
  [ "$from" ] && set -- "$@" -u "$from"
  [ "$follow" ] && set -- "$@" -f
  exec journalctl "$@"
fi
if has logread; then
  set -- -l "$n"
  [ "$from" ] && set -- "$@" -e "$from"
  [ "$follow" ] && set -- "$@" -f
  exec logread "$@"
fi
for file in /var/log/syslog /var/log/messages; do [ -r $file ] || continue
  if [ "$from" ]; then
    if [ "$follow" ]; then tail -n "$n" -F $file | grep --line-buffered -F -e "$from"
    else grep -F -e "$from" $file | tail -n "$n"; fi
  elif [ "$follow" ]; then exec tail -n "$n" -F $file; else exec tail -n "$n" $file; fi
  exit
done
echo "There is no log that this account may read." >&2; exit 69`

interface Arguments {
  readonly selector: string
  readonly source: string | undefined
  readonly follow: boolean
  readonly last: number
  readonly timeout: number
}

export const logs = command<Arguments>({
  usage: 'logs <selector> [source]',
  examples: [
    ['box logs kitchen', 'the last 50 lines of its log'],
    ['box logs kitchen nginx -f', 'of one service, and what comes from now on'],
    ['box logs @routers /var/log/dnsmasq.log --last 5', 'of a file, on several devices'],
  ],
  options: yargs =>
    yargs
      .positional('selector', { type: 'string', demandOption: true, describe: 'a name, or @tag' })
      .positional('source', {
        type: 'string',
        describe: 'a file (with its path), or a service; everything without it',
      })
      .option('follow', {
        type: 'boolean',
        alias: 'f',
        default: false,
        describe: 'go on with what comes, until ^C',
      })
      .option('last', { type: 'number', default: LAST, describe: 'so many lines to begin with' })
      .option('timeout', TIMEOUT)
      .epilogue(
        'It takes the right exec on the device, and an account there that may read the log.',
      ),
  run: async (context, { selector, source, follow, last, timeout }) => {
    if (!Number.isInteger(last) || last < 0)
      throw new BoxError('INPUT_INVALID', '--last takes a whole number from 0.')
    if (source?.startsWith('-'))
      throw new BoxError('INPUT_INVALID', 'A source does not begin with "-".')
    const devices = select(context.fleet.devices(), selector, { all: false })
    if (devices.length > DEVICES_MAX)
      throw new BoxError('LIMIT_EXCEEDED', `At most ${DEVICES_MAX} devices at a time.`)
    const words = ['sh', '-c', LOG_SCRIPT, 'sh', `${last}`, follow ? 'follow' : '', source ?? '']
    const width = devices.length > 1 ? Math.max(...devices.map(({ name }) => name.length)) : 0
    const job = {
      line: commandLine(words),
      input: new Uint8Array(0),
      timeoutMs: timeoutMs(timeout),
      limitS: null,
    }
    const ends = await inParallel(devices, DEVICES_MAX, async device => ({
      device,
      end: await listen(context, device, job, width),
    }))
    return Math.max(...ends.map(({ device, end }) => told(context, device, end)))
  },
})

/** Nothing that stands in a log steers the terminal. */
function listen(context: Context, device: Device, job: Job, width: number): Promise<CommandEnd> {
  const { output } = context
  const decoder = new TextDecoder()
  const prefix = width > 0 ? `${device.name.padEnd(width)} | ` : ''
  const lines = new LinePrefix('', bytes => {
    const line = decoder.decode(bytes.subarray(0, -1))
    output.result(`${prefix}${line}`, { name: device.name, line })
  })
  const errors = new LinePrefix('', bytes =>
    output.remark(`${device.name}: ${decoder.decode(bytes.subarray(0, -1))}`),
  )
  return runThere(context, device, job, (from, piece) => {
    ;(from === 'out' ? lines : errors).take(piece)
    return output.behind()
  }).finally(() => {
    lines.end()
    errors.end()
  })
}

function told({ output }: Context, { name }: Device, { error, exit_code }: CommandEnd): number {
  if (!error) return exit_code ?? 1
  output.remark(`${name}: ${error.message}`)
  return EXIT_CODES[ERRORS[error.code][0]]
}
