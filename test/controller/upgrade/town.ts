/**
 * Devices with the real agent, real versions and the real launcher, on a mesh without a network. Only the process
 * is not one: which version the launcher starts is looked up, and an agent is started that says it is that one.
 */

import { mkdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { openRelease } from '../../../agent/release.ts'
import type { Upgrader } from '../../../agent/upgrader.ts'
import {
  awaitsOwner,
  endTrial,
  failedVersion,
  giveWay,
  isOvertaken,
  takeRelease,
  trialOf,
} from '../../../agent/versions.ts'
import { BoxError } from '../../../src/base/errors.ts'
import { executable, KEY, machine } from '../../agent/small-release.ts'
import { PushHouse } from '../push/house.ts'

/** Stands for the time within which somebody must find the new version. */
const UNREACHED_MS = 300
/** Large enough that it travels in pieces. */
export const PADDING = '#'.repeat(700_000)

/** The executable of a version, and its ballast. */
export const large = (version: string, runs = true) => `${executable(version, runs)}${PADDING}\n`

export class UpgradeTown {
  readonly house: PushHouse
  /** Versions that run, and whom nobody reaches. */
  readonly unreachable = new Set<string>()
  /** What was taken, in order: the names of devices. */
  readonly taken: string[] = []
  /** Why the next devices take nothing; null where they do. */
  refusal: string | null = null
  private readonly machines = new Map<string, ReturnType<typeof machine>>()
  private readonly running = new Map<string, string>()
  private readonly turns = new Set<Promise<void>>()

  static async open(): Promise<UpgradeTown> {
    return new UpgradeTown(await PushHouse.open())
  }

  private constructor(house: PushHouse) {
    this.house = house
    house.upgrader = directory => this.upgrader(directory)
  }

  /** A device with version 1.0.0. */
  async device(name: string): Promise<void> {
    await this.house.device(name)
  }

  /** The version that runs there now. */
  version(name: string): string | undefined {
    return this.running.get(name)
  }

  /** What an agent began that was killed: the release is current, and the agent before runs again. */
  outlive(name: string, file: string): void {
    takeFrom(file, this.versions(name), false)
  }

  /** Where the versions lie. */
  versions(name: string): string {
    return this.machines.get(name)!.directory
  }

  async close(): Promise<void> {
    await Promise.all(this.turns)
    await this.house.close()
  }

  private upgrader(directory: string): Upgrader {
    const name = basename(directory)
    const made = this.machines.get(name) ?? machine(join(libraryOf(directory), 'versions'))
    this.machines.set(name, made)
    const versions = made.directory
    const version = this.running.get(name) ?? '1.0.0'
    this.running.set(name, version)
    return {
      ...{ version, machine: 'linux-x64', refusal: this.refusal },
      incoming: join(directory, 'state', 'release.part'),
      current: join(versions, version, 'box'),
      keys: () => [KEY.publicKey],
      trial: () => trialOf(versions),
      failed: () => failedVersion(versions),
      isAwaiting: () => trialOf(versions)?.version === version && awaitsOwner(versions, version),
      isOvertaken: () => isOvertaken(versions, version),
      take: async (path, { downgrade }) => {
        this.taken.push(name)
        return takeFrom(path, versions, downgrade)
      },
      drop: () => rmSync(join(directory, 'state', 'release.part'), { force: true }),
      restart: () => {
        const turn = this.turn(name).finally(() => this.turns.delete(turn))
        this.turns.add(turn)
      },
      prove: () => endTrial(versions, version),
    }
  }

  /** The process ends, and whatever the launcher finds runs. */
  private async turn(name: string): Promise<void> {
    const { running, directory } = this.machines.get(name)!
    await this.house.off(name)
    for (;;) {
      const started = running()
      if (!started) throw new BoxError('RELEASE_REFUSED', 'The machine does not start any more.')
      const version = started.said.replace('running ', '')
      this.running.set(name, version)
      if (!this.unreachable.has(version)) break
      await new Promise(resolve => setTimeout(resolve, UNREACHED_MS))
      giveWay(directory)
    }
    await this.house.on(name)
  }
}

function takeFrom(path: string, directory: string, downgrade: boolean): string {
  const release = openRelease(path, [KEY.publicKey])
  try {
    return takeRelease({ directory, release, machine: 'linux-x64', downgrade, awaitOwner: true })
  } finally {
    release.close()
  }
}

function libraryOf(directory: string): string {
  mkdirSync(join(directory, 'lib'), { recursive: true })
  return join(directory, 'lib')
}
