/**
 * Sessions of SSH in which nothing has begun: what was asked for is refused.
 *
 * Whoever was refused may ask for something else on the same channel, as PuTTY does where it gets no SFTP. So it stays open,
 * as with sshd, but it is no use of the connection, and gives its place to whoever needs one.
 *
 * ssh2 1.17.0 cannot close a session before something has begun in it, and where the client does so, it neither
 * answers nor forgets it.
 */

import type { EventEmitter } from 'node:events'
import type { Connection, Session } from 'ssh2'

/** What begins a session (RFC 4254 section 6.5). */
const BEGINNINGS = ['shell', 'exec', 'subsystem']

/** What is behind the types of ssh2 (lib/server.js). */
interface SessionInsides {
  /** Once something has begun. */
  readonly _channel?: object
  readonly _chanInfo: { readonly incoming: { id: number }; readonly outgoing: { id: number } }
}
interface ClientInsides {
  readonly _chanMgr: { get(id: number): unknown; remove(id: number): void }
  readonly _protocol: { channelClose(id: number): void }
}

export class RefusedSessions {
  private readonly sessions = new Set<Session>()

  get size(): number {
    return this.sessions.size
  }

  /** From now on, for a session that has its other listeners; `changed` where there are more of us or fewer. */
  watch(client: Connection, session: Session, changed: () => void): void {
    const { sessions } = this
    const gone = () => {
      if (sessions.delete(session)) changed()
    }
    const asked = () => {
      if (hasBegun(session)) gone()
      else {
        sessions.add(session)
        changed()
      }
    }
    for (const beginning of BEGINNINGS) (session as EventEmitter).on(beginning, asked)
    session.on('close', () => {
      if (!hasBegun(session)) close(client, session)
      gone()
    })
  }

  /** Whether there was one. */
  closeOldest(): boolean {
    const [oldest] = this.sessions
    // As where its client closes it.
    oldest?.emit('close')
    return oldest !== undefined
  }
}

const hasBegun = (session: Session): boolean =>
  (session as unknown as SessionInsides)._channel !== undefined

/** Once: by then it is unknown to ssh2, which throws away whatever comes for it. */
function close(client: Connection, session: Session): void {
  const { incoming, outgoing } = (session as unknown as SessionInsides)._chanInfo
  const { _chanMgr, _protocol } = client as unknown as ClientInsides
  if (_chanMgr.get(incoming.id) !== session) return
  _chanMgr.remove(incoming.id)
  _protocol.channelClose(outgoing.id)
}
