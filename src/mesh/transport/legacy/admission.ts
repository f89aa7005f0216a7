/** Who may connect: so many in all, so many from one host, so many who have not said who they are. */

import type { Counters } from '../../../base/counters.ts'
import { SESSIONS_MAX, SESSIONS_PER_HOST_MAX, STRANGE_SESSIONS_MAX } from './limits.ts'
import type { Session } from './session.ts'

export class Admission {
  private readonly counters: Counters
  private readonly accepted = new Set<Session>()
  private readonly strange = new Set<Session>()
  private readonly byHost = new Map<string, number>()

  constructor(counters: Counters) {
    this.counters = counters
  }

  /** Whether one more connection from this host is welcome. */
  admits(host: string): boolean {
    const admitted =
      this.accepted.size < SESSIONS_MAX &&
      this.strange.size < STRANGE_SESSIONS_MAX &&
      (this.byHost.get(host) ?? 0) < SESSIONS_PER_HOST_MAX
    if (!admitted) this.counters.add('transport.turned_away')
    return admitted
  }

  entered(session: Session): void {
    this.accepted.add(session)
    this.strange.add(session)
    const { host } = session.remote
    this.byHost.set(host, (this.byHost.get(host) ?? 0) + 1)
  }

  greeted(session: Session): void {
    this.strange.delete(session)
  }

  left(session: Session): void {
    if (!this.accepted.delete(session)) return
    this.strange.delete(session)
    const { host } = session.remote
    const left = (this.byHost.get(host) ?? 1) - 1
    if (left > 0) this.byHost.set(host, left)
    else this.byHost.delete(host)
  }
}
