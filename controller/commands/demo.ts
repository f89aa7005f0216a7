/**
 * box demo: all of it on this machine. A hub, a device that only dials out, and a controller, each a
 * process of its own; paired by a code, found by name, reached through the hub, a shell opened.
 */

import { spawn } from 'node:child_process'
import { BoxError } from '../../src/base/errors.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { Cast } from '../demo-cast.ts'
import { Daemons } from '../demo-daemons.ts'
import { Scene } from '../demo-scene.ts'

export const demo = command<{ keep: boolean; hubs: number; daemon: string[] }>({
  usage: 'demo',
  examples: [
    ['box demo', 'shows everything, and leaves you in a shell on the device'],
    ['box demo --json', 'does the same without you, and prints what was found'],
    ['box demo --keep', 'leaves hub and device running, and says what to try next'],
    ['box demo --mesh gnunet', 'does it with three GNUnet daemons in place of peers of our own'],
    ['box demo --hubs 2', 'kills a hub in the middle, and shows that the device stays reachable'],
  ],
  options: yargs =>
    yargs
      .option('keep', {
        type: 'boolean',
        default: false,
        describe: 'leave everything running at the end',
      })
      .option('hubs', {
        type: 'number',
        choices: [1, 2],
        default: 1,
        describe: 'how many hubs; with two, one of them fails',
      })
      .option('daemon', {
        type: 'string',
        array: true,
        default: [] as string[],
        describe:
          'with --mesh gnunet: the configuration files of the daemons of controller, hub, device',
      }),
  run: async (context, { keep, hubs, daemon }) => {
    const { clock, signal, output } = context
    const isOnDaemons = context.engine.mesh === 'gnunet'
    if (isOnDaemons && hubs > 1)
      throw new BoxError('INPUT_INVALID', 'With --mesh gnunet there is one hub, a daemon.')
    const cast = new Cast({ clock, signal, keep })
    const scene = new Scene(context, cast)
    const daemons = new Daemons(context)
    try {
      if (isOnDaemons) await scene.useDaemons(daemons, daemon)
      else for (let i = 1; i <= hubs; i++) await scene.startHub(hubs === 1 ? 'hub' : `hub-${i}`)
      await scene.startDevice()
      await scene.pair()
      const report = await scene.openShell()
      const failover_ms = hubs > 1 ? await scene.failOver(report.path) : undefined
      if (output.json) output.result('', { ...report, failover_ms })
      else if (context.stdio.isTerminal) await stay(context, scene)
      else output.result(report.output.trimEnd(), {})
      if (keep) cast.keepAll()
      if (keep) daemons.keepAll()
    } finally {
      await daemons.end()
      await cast.end()
    }
    if (!keep) return
    const hints = scene.hints(daemons.pids)
    output.remark(['', 'Everything is left running. Try:', ...hints].join('\n  '))
  },
})

/** Leaves the person in a shell on the device; ends when they do. */
async function stay({ output, signal }: Context, scene: Scene): Promise<void> {
  output.remark('This is the device. Type exit when you have seen enough.')
  const [program, ...args] = scene.shellCommand()
  const child = spawn(program!, args, { stdio: 'inherit' })
  const end = () => void child.kill()
  signal.addEventListener('abort', end, { once: true })
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve())
  })
  signal.removeEventListener('abort', end)
}
