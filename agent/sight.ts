/** All that this device says about how it is: the machine, what the owner's probes and services say, its clock, what was pushed, and what the rules make of all that. */

import type { Clock } from '../src/base/clock.ts'
import type { Log } from '../src/base/log.ts'
import type { Session } from '../src/box/handshake.ts'
import { OtherClock, readClockReading } from '../src/box/other-clock.ts'
import type { ConfigurationStatus } from './agent-status.ts'
import type { DeviceAlerts } from './alerts.ts'
import type { AgentConfig } from './config.ts'
import { type Figures, measure, ownMachine, variablesOf } from './probes.ts'
import { ScriptProbes } from './script-probes.ts'
import { askedMachine, serviceAsker } from './service-asking.ts'
import { WatchedServices } from './watched-services.ts'

export interface SightOptions {
  readonly config: Pick<AgentConfig, 'name' | 'probes' | 'services' | 'servicesFile'>
  readonly clock: Clock
  readonly log: Log
  readonly alerts: DeviceAlerts
  /** Null where nothing can be pushed. */
  readonly configuration: () => ConfigurationStatus | null
}

export class Sight {
  private readonly options: SightOptions
  private readonly probes: ScriptProbes | null
  private readonly services: WatchedServices
  private readonly ownersClock: OtherClock

  constructor(options: SightOptions) {
    const { config, clock, log } = options
    this.options = options
    this.probes =
      config.probes === null ? null : new ScriptProbes({ directory: config.probes, clock, log })
    const ask = serviceAsker(askedMachine(() => clock.now()))
    const names = { own: config.services, path: config.servicesFile }
    this.services = new WatchedServices({ ...names, ask, clock, log })
    this.ownersClock = new OtherClock(clock)
  }

  /** An owner has come, and may have said what time it is. */
  met({ payload, exchange }: Session): void {
    const time = readClockReading(payload)
    if (time !== null) this.ownersClock.hear({ time, ...exchange })
  }

  /** The rules see it as it is, not only what has changed enough to be told. */
  look(): Figures {
    const { config, clock, alerts } = this.options
    const figures = {
      ...measure(ownMachine(clock.now())),
      configuration: this.options.configuration(),
      probes: this.probes?.all() ?? [],
      services: this.services.report(),
      clock: this.ownersClock.offset(),
    }
    return { ...figures, alerts: alerts.look(() => variablesOf(figures, config.name)) }
  }

  close(): void {
    this.probes?.close()
    this.services.close()
  }
}
