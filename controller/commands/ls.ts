/** box ls: the devices of the fleet. Asks nobody: what is shown is what was last known. */

import { zoneToText } from '../../src/gns/name.ts'
import { AlertSight } from '../alerts/alert-sight.ts'
import { command } from '../command.ts'
import { table } from '../output.ts'
import { selectOrAll } from '../selector.ts'
import { StatusView } from '../status-view.ts'

export const ls = command<{ selector: string | undefined }>({
  usage: 'ls [selector]',
  examples: [
    ['box ls', 'lists all devices'],
    ['box ls @lab --json', 'prints those tagged "lab", one JSON object a line'],
  ],
  options: yargs => yargs.positional('selector', { type: 'string', describe: 'a name, or @tag' }),
  run: async (context, { selector }) => {
    const { output } = context
    const sight = new AlertSight(context)
    const devices = selectOrAll(context, selector)
    const alerts = devices.map(device =>
      new StatusView(context, device, sight).alerts().map(({ rule }) => rule),
    )
    const lines = table(
      devices.map(({ name, tags, zone, last }, i) => [
        name,
        tags.map(tag => `@${tag}`).join(' '),
        last ? `seen ${day(last.at)}` : 'never seen',
        ...(alerts.some(rules => rules.length > 0) ? [alerts[i]!.join(', ') || '-'] : []),
        zoneToText(zone),
      ]),
    )
    devices.forEach(({ name, tags, zone, pairedAt, last }, i) => {
      output.result(lines[i]!, {
        name,
        tags,
        zone: zoneToText(zone),
        paired: new Date(pairedAt).toISOString(),
        seen: last && new Date(last.at).toISOString(),
        alerts: alerts[i],
      })
    })
  },
})

const day = (at: number) => new Date(at).toISOString().slice(0, 16).replace('T', ' ')
