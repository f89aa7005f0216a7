/** box grant: a signed statement about what somebody may do on a device, taken there. */

import { BoxError } from '../../src/base/errors.ts'
import { isRight, RIGHTS, type Right } from '../../src/box/grant.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import { command } from '../command.ts'
import { scopeFor } from '../granted-scope.ts'
import { letIn, untilIn } from '../granting.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

interface Arguments {
  readonly name: string
  readonly person: string
  readonly rights: string
  readonly as: string
  readonly until: string | undefined
  readonly user: readonly string[] | undefined
  readonly command: readonly string[] | undefined
  readonly path: readonly string[] | undefined
  readonly target: readonly string[] | undefined
  readonly record: boolean
  readonly two: boolean
  readonly timeout: number
}

const list = (describe: string) => ({ type: 'string', array: true, nargs: 1, describe }) as const

export const grant = command<Arguments>({
  usage: 'grant <name> <person> <rights>',
  examples: [
    ['box grant kitchen 000G0… status,shell --as ada', 'Ada may look, and open shells'],
    [
      'box grant kitchen 000G0… exec --as ada --command uptime',
      'Ada may run this and nothing else',
    ],
    ['box grant kitchen 000G0… shell --as ada --user www', 'shells of the user www: box ssh www@…'],
    ['box grant kitchen 000G0… files --as ada --path /srv --until 2027-01-01', 'until a day'],
    ['box grant kitchen 000G0… shell,files --as ada --record', 'and the device records all of it'],
    ['box grant kitchen 000G0… exec --as ada --two', 'each time another person must approve it'],
  ],
  options: yargs =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'which device' })
      .positional('person', {
        type: 'string',
        demandOption: true,
        describe: 'the zone key that `box id` shows to that person',
      })
      .positional('rights', {
        type: 'string',
        demandOption: true,
        describe: `with commas between: ${RIGHTS.join(', ')}`,
      })
      .option('as', { type: 'string', demandOption: true, describe: 'what to call the person' })
      .option('until', { type: 'string', describe: 'a day or time: 2027-01-31, 2027-01-31T18:00' })
      .option('user', list('shell, exec, files, forward: only as this user of the device'))
      .option('command', list('exec: this command; a * at the end stands for plain words'))
      .option('path', list('files: only below this directory'))
      .option('target', list('forward: only to HOST:PORT; listen:PORT to be listened on'))
      .option('record', {
        type: 'boolean',
        default: false,
        describe: 'what is done is recorded on the device, or not done: see box recordings',
      })
      .option('two', {
        type: 'boolean',
        default: false,
        describe: 'shell, exec: only what another person approves: see box approve',
      })
      .option('timeout', TIMEOUT)
      .epilogue('What the person had before is replaced. Sessions that are open end.'),
  run: async (context, args) => {
    const { clock, fleet, output } = context
    const device = fleet.device(args.name)
    const holder = zoneFromText(args.person)
    const rights = rightsIn(args.rights)
    const scope = scopeFor(rights, {
      ...{ users: args.user, commands: args.command, paths: args.path, targets: args.target },
      ...{ recorded: args.record, approved: args.two },
    })
    const until = args.until === undefined ? null : untilIn(args.until, clock.now())
    const progress = output.progress(`looking for ${device.name}`)
    try {
      const { person, as } = args
      const options = { timeoutMs: timeoutMs(args.timeout) }
      await letIn(context, device, { person, as, rights, scope, until }, options)
    } finally {
      progress.end()
    }
    const zone = zoneToText(device.zone)
    const how = `${scope.recorded ? ', recorded' : ''}${scope.approved ? ', with approval' : ''}`
    output.result(`${args.as} may ${rights.join(', ')} on ${device.name}${how}.`, {
      ...{ device: device.name, zone, holder: args.as, holder_zone: zoneToText(holder), rights },
      ...{ scope, until: until === null ? null : new Date(until).toISOString() },
    })
    output.remark(`There: box add ${zone} --as ${device.name}`)
  },
})

function rightsIn(text: string): readonly Right[] {
  const rights = text.split(',').map(right => right.trim())
  const unknown = rights.find(right => !isRight(right))
  if (unknown === undefined) return RIGHTS.filter(right => rights.includes(right))
  throw new BoxError('INPUT_INVALID', `"${unknown}" is no right: there are ${RIGHTS.join(', ')}.`)
}
