/** A hub, a device that only dials out, and a person who has paired it as `kitchen`, with ssh configured. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agent, Controller } from './fleet.ts'
import { folder, type Outcome, run, succeed } from './program.ts'

export interface Household {
  readonly hubs: readonly Agent[]
  readonly device: Agent
  readonly controller: Controller
  /** A folder for files of the test. */
  readonly files: string
  /** The configuration with `kitchen.box` in it. */
  readonly sshConfig: string
}

/** `addresses` are where hubs listen, one each. */
export async function household(addresses: readonly string[]): Promise<Household> {
  const hubs = addresses.map((at, i) => new Agent(`hub${i}`, ['--hub', '--listen', at]))
  const hellos = await Promise.all(
    hubs.map(async hub => (await hub.status(({ hello }) => hello.includes('tcp'))).hello),
  )
  const device = new Agent(
    'device',
    hellos.flatMap(hello => ['--hub-url', hello]),
  )
  await device.linked(hubs.length)
  const controller = new Controller('controller')
  await controller.must('init', '--ego', 'home')
  await controller.must('pair', await device.pairingCode(), '--as', 'kitchen', '--json')
  const files = folder('files')
  const sshConfig = join(files, 'ssh.conf')
  writeFileSync(sshConfig, await controller.must('ssh-config'))
  return { hubs, device, controller, files, sshConfig }
}

/** Runs a stock tool (ssh, scp, sftp) with `kitchen.box` configured; fails unless it exits with 0. */
export const stock = (
  { sshConfig }: Household,
  [tool, ...words]: readonly string[],
  options: { input?: string; ms?: number } = {},
): Promise<string> => succeed([tool!, '-F', sshConfig, ...words], options)

/** As `stock`, whatever it exits with. */
export const tryStock = (
  { sshConfig }: Household,
  [tool, ...words]: readonly string[],
  options: { input?: string; ms?: number } = {},
): Promise<Outcome> => run([tool!, '-F', sshConfig, ...words], options)

/** What a process has in memory, in MB. */
export function residentMb(pid: number): number {
  const [, kb] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!
  return Number(kb) / 1_024
}
