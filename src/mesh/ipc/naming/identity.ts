/** The egos of the user's GNUnet, with their private keys: listed, made, watched (identity.h). */

import { BoxError } from '../../../base/errors.ts'
import { WireError } from '../../../wire/layout.ts'
import { decodeTextNul, encodeTextNul } from '../../../wire/text.ts'
import { Exchange } from '../exchange.ts'
import { Service, type ServicePorts } from '../service.ts'
import { IdentityCreate, IdentityResult, IdentityStart, IdentityUpdate } from './messages.ts'

/** Type and 32 bytes: the private half of a zone. A secret. */
export type EgoKey = Uint8Array

export interface DaemonEgo {
  readonly name: string
  readonly key: EgoKey
}

export interface EgoWatch {
  /** An ego is there, or has another name now. */
  there(ego: DaemonEgo): void
  /** The ego of this key is gone. */
  gone(key: EgoKey): void
  /** Those there are were told; changes follow. */
  complete(): void
}

const EGOS_MAX = 4_096

export class DaemonIdentity {
  private readonly path: string
  private readonly ports: ServicePorts
  private readonly exchange: Exchange
  private readonly watches = new Set<Service>()

  constructor(path: string, ports: ServicePorts) {
    this.path = path
    this.ports = ports
    this.exchange = new Exchange('identity', path, ports)
  }

  /** `done` gets the egos, or why not. */
  list(done: (egos: readonly DaemonEgo[] | BoxError) => void): void {
    const egos: DaemonEgo[] = []
    const exchange = new Exchange('identity', this.path, this.ports)
    const finish = (result: readonly DaemonEgo[] | BoxError) => {
      exchange.close()
      done(result)
    }
    // On a connection of its own: whoever starts is told of changes for ever.
    exchange.ask({
      ask: IdentityStart.encode({}),
      heard: (type, raw) => {
        if (type !== IdentityUpdate.type) return false
        const { isEnd, ego } = readUpdate(raw)
        if (ego && egos.length < EGOS_MAX) egos.push(ego)
        if (isEnd) finish(egos)
        return isEnd
      },
      failed: reason => {
        if (reason.code !== 'ENGINE_CLOSED') finish(reason)
      },
    })
  }

  /** Makes an ego of a key. `done` gets null, or why not: NAME_TAKEN where there is one of this name. */
  create({ name, key }: DaemonEgo, done: (failure: BoxError | null) => void): void {
    this.exchange.ask({
      ask: IdentityCreate.encode({ key, name: encodeTextNul(name) }),
      heard: (type, raw) => {
        if (type !== IdentityResult.type) return false
        const { code } = IdentityResult.decode(raw)
        done(code === 0 ? null : new BoxError('NAME_TAKEN', `GNUnet says so (${code}).`))
        return true
      },
      failed: done,
    })
  }

  /** Tells of every ego, now and whenever one changes; again from the beginning where the service was lost. */
  watch(events: EgoWatch): { close(): void } {
    const service = new Service('identity', this.path, this.ports, {
      up: () => void service.send(IdentityStart.encode({})),
      received: (type, raw) => {
        if (type !== IdentityUpdate.type) return
        const { isEnd, ego, key } = readUpdate(raw)
        if (ego) events.there(ego)
        else if (isEnd) events.complete()
        else events.gone(key)
      },
      down: () => {},
    })
    this.watches.add(service)
    service.open()
    return {
      close: () => {
        this.watches.delete(service)
        service.close()
      },
    }
  }

  close(): void {
    this.exchange.close()
    for (const service of this.watches) service.close()
  }
}

function readUpdate(raw: Uint8Array) {
  const { name, key, isEnd } = IdentityUpdate.decode(raw)
  if (key.length > 0 && key.length !== 36)
    throw new WireError(IdentityUpdate.name, 'key', 12, `${key.length} bytes are no key`)
  const ego =
    name.length > 0 && key.length > 0 ? { name: decodeTextNul(name), key: key.slice() } : null
  return { isEnd: isEnd !== 0, ego, key: key.slice() }
}
