/** box pair: takes the device that shows the code into the fleet. */

import { readFileSync } from 'node:fs'
import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import { type PairedDevice, pairWithDevice } from '../../src/box/pairing.ts'
import { type PairingCode, parsePairingCode } from '../../src/box/pairing-code.ts'
import { servicePort } from '../../src/box/ports.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { command } from '../command.ts'
import { type Context, introduce } from '../context.ts'
import { type Found, search } from '../device-search.ts'
import { nameOf } from '../fleet.ts'
import { openResolver, publishZone } from '../names.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

export const pair = command<{ code: string[]; as: string; tag: string[]; timeout: number }>({
  usage: 'pair <code..>',
  examples: [
    ['box pair 04G0-… --as kitchen', 'the code is what `box-agent pair` shows on the device'],
    ['box pair - --as kitchen < code.txt', 'reads the code from standard input'],
  ],
  options: yargs =>
    yargs
      .positional('code', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'the code; spaces, hyphens and case do not matter',
      })
      .option('as', { type: 'string', demandOption: true, describe: 'how to call the device' })
      .option('tag', {
        type: 'string',
        array: true,
        default: [] as string[],
        describe: 'mark it, so that @TAG means it',
      })
      .option('timeout', TIMEOUT),
  run: async (context, { code: words, as, tag, timeout }) => {
    const { output, fleet, clock } = context
    const ego = context.ego()
    const name = nameOf(as)
    const code = parsePairingCode(words.join('') === '-' ? readFileSync(0, 'utf8') : words.join(''))
    const namesake = fleet.devices().find(device => device.name === name)
    if (namesake && !equalBytes(namesake.zone, code.device))
      throw new BoxError('NAME_TAKEN', `Another device is called "${name}".`)
    const progress = output.progress('looking for the device')
    const { met, path } = await meet(context, code, name, timeoutMs(timeout), async paired => {
      const last = { record: paired.record, hostKey: null, at: clock.now() }
      await fleet.add({ name, zone: paired.zone, tags: [], pairedAt: clock.now(), last })
      if (tag.length > 0) await fleet.tag(name, tag, [])
    }).finally(progress.end)
    const zone = zoneToText(met.zone)
    const same = met.checkWords.join(' ')
    output.result(`${name} is yours. The device shows the same words: ${same}`, {
      name,
      zone,
      full_name: `${name}.${ego.name}`,
      check_words: met.checkWords,
      hops: path.length - 1,
    })
    context.meanwhile(publishZone(context))
  },
})

/** Finds the device by its zone key, at the hubs the code tells, and pairs. */
async function meet(
  context: Context,
  code: PairingCode,
  deviceName: string,
  timeoutMs: number,
  store: (paired: PairedDevice) => Promise<void>,
): Promise<Found<PairedDevice>> {
  const { clock, random, log, fleet } = context
  const { name: ownerName, secret: own } = context.ego()
  const mesh = await context.mesh()
  for (const hub of code.hubs) introduce(mesh, hub, log)
  const resolver = openResolver(mesh, clock, context.ego(), fleet.devices())
  try {
    return await search(context, resolver, {
      called: 'The device',
      name: { labels: [], zone: code.device },
      zone: code.device,
      port: servicePort('pair', code.device),
      known: null,
      timeoutMs,
      meet: (channel, signal) =>
        pairWithDevice(channel, {
          self: mesh.self,
          own,
          code,
          deviceName,
          ownerName,
          clock,
          random,
          signal,
          store,
        }),
    })
  } finally {
    resolver.close()
  }
}
