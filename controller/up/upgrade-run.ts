/** An upgrade of devices that goes on in `box up`, one at a time: whoever asks hears how far it is, also afterwards. */

import type { Context } from '../context.ts'
import type { Device } from '../fleet.ts'
import { type RolloutOptions, rollOut } from '../push/rollout.ts'
import { type UpgradeWish, upgradeDevice } from '../upgrade/delivery.ts'
import { upgradedValue, verdictOf } from '../upgrade/report.ts'

const TIMEOUT_MS = 30_000

export interface Wanted {
  readonly devices: readonly Device[]
  readonly wish: UpgradeWish
  readonly pace: RolloutOptions
}

/** Of one device: what is being done, or what became of it. */
type Line = { readonly name: string } & (
  | { readonly doing: string }
  | ReturnType<typeof upgradedValue>
)

const UNTRIED = { result: 'not_tried', version: null, before: null, error: null } as const

export class UpgradeRun {
  private readonly wanted: Wanted
  private readonly begunAt: number
  private readonly lines = new Map<string, Line>()
  private isRunning = true
  private isStopping = false

  constructor(wanted: Wanted, now: number) {
    this.wanted = wanted
    this.begunAt = now
  }

  get goesOn(): boolean {
    return this.isRunning
  }

  /** Nobody else is begun with, and what is handed over is left where it is; a version on trial is waited for. */
  stop(): void {
    this.isStopping = true
  }

  /** Expected failures are in what is said. */
  async run(context: Context, say: (line: Line) => void): Promise<void> {
    const { devices, wish, pace } = this.wanted
    const isStopped = () => this.isStopping
    const tell = (line: Line) => {
      this.lines.set(line.name, line)
      say(line)
    }
    try {
      const { untried } = await rollOut(
        devices,
        { ...pace, isStopped },
        async device => {
          const { name } = device
          const note = (doing: string) => tell({ name, doing })
          const following = { timeoutMs: TIMEOUT_MS, note }
          const upgraded = await upgradeDevice(context, device, { ...wish, isStopped }, following)
          tell(upgradedValue(name, upgraded))
          return upgraded
        },
        verdictOf,
      )
      for (const { name } of untried) tell({ name, ...UNTRIED })
    } finally {
      this.isRunning = false
    }
  }

  value() {
    const { devices, wish } = this.wanted
    return {
      ...{ running: this.isRunning, stopping: this.isRunning && this.isStopping },
      ...{ begun_at: new Date(this.begunAt).toISOString(), downgrade: wish.downgrade },
      releases: [...wish.releases.values()].map(({ manifest: { version, machine } }) => {
        return { version, machine }
      }),
      devices: devices.map(({ name }) => {
        const line = this.lines.get(name)
        const nothing = { name, doing: null, result: null, version: null, before: null }
        return { ...nothing, error: null, ...line }
      }),
    }
  }
}
