/**
 * The services of the device on the mesh: SSH, pairing, control, status. Every channel begins with the handshake
 * (src/box/handshake.ts); what a caller may do is decided by its grant, at the beginning and at each request.
 */

import { equalBytes } from '../src/base/bytes.ts'
import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { PeerId, ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import type { Random } from '../src/base/random.ts'
import { type DeviceInfo, serveControl } from '../src/box/control.ts'
import { type GrantBook, grantText } from '../src/box/grant.ts'
import { readGrant } from '../src/box/grant-statement.ts'
import { applyGrant } from '../src/box/granting.ts'
import { type Admission, acceptHandshake, type Session } from '../src/box/handshake.ts'
import type { PairingDesk } from '../src/box/pairing-window.ts'
import { type Service, servicePort } from '../src/box/ports.ts'
import { readRevocation } from '../src/box/revocation.ts'
import { roomService } from '../src/box/room-address.ts'
import { type RoomListing, type RoomRequest, roomRequestText } from '../src/box/room-talk.ts'
import { NO_SCOPE } from '../src/box/scope.ts'
import { decodeSshAnnouncement } from '../src/box/ssh-announcement.ts'
import { sshKeyMark } from '../src/box/ssh-key.ts'
import type { ZoneSecret } from '../src/crypto/zone-key.ts'
import { zoneToText } from '../src/gns/name.ts'
import type { RevocationIntent } from '../src/gns/revocation.ts'
import { asDuplex } from '../src/mesh/duplex.ts'
import type { Channel, Listening, Mesh } from '../src/mesh/mesh.ts'
import type { Accounts } from './accounts.ts'
import type { ApprovalDesk } from './approval-desk.ts'
import type { AuditNotes } from './audit-notes.ts'
import type { DeviceKeys, ServedKey } from './device-keys.ts'
import { serveJobs } from './job-service.ts'
import type { Jobs } from './jobs.ts'
import type { KeyRotation } from './key-rotation.ts'
import { admitToMail, serveMail } from './mail-service.ts'
import type { OwnerNotices } from './owner-notices.ts'
import type { Pushing } from './pushing.ts'
import { serveRelay } from './relay-service.ts'
import type { Relay } from './relay-shelves.ts'
import type { Rooms } from './rooms.ts'
import { refusalOf } from './session-account.ts'
import type { Caller, SshServer } from './ssh-server.ts'
import type { StatusPlace } from './status.ts'
import type { Successions } from './successions.ts'
import type { UpgradeService } from './upgrade-service.ts'

/** Each costs two signatures and an exponentiation; more than a fleet's worth at once is an attack. */
const HANDSHAKES_MAX = 32
/** A controller tries several ways at once; no peer may take all places. */
const HANDSHAKES_PER_PEER_MAX = 8
const NOTHING = new Uint8Array(0)

export interface ServiceOptions {
  readonly mesh: Mesh
  readonly device: DeviceKeys
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly grants: GrantBook
  readonly desk: PairingDesk
  readonly ssh: SshServer
  readonly accounts: Accounts
  /** Of the SSH server, public. */
  readonly hostKey: () => Uint8Array
  readonly status: StatusPlace
  readonly audit: AuditNotes
  readonly approvals: Pick<ApprovalDesk, 'list' | 'judge'>
  /** Whether what this person does is recorded. */
  readonly isRecorded: (zone: ZoneKey) => boolean
  readonly successions: Successions
  readonly notices: Pick<OwnerNotices, 'revoke'>
  /** Throws STATE_UNWRITABLE. */
  readonly rotateHostKey: () => void
  readonly rotation: Pick<KeyRotation, 'rotate'>
  readonly info: () => DeviceInfo
  /** Null where this device takes no configuration. */
  readonly pushing: Pushing | null
  /** Null where the executable is not ours to change. */
  readonly upgrades: UpgradeService | null
  /** Null where it hosts no rooms. */
  readonly rooms: Rooms | null
  /** Null where what is kept of them is damaged. */
  readonly jobs: Jobs | null
  /** Null where this device keeps nothing for others. */
  readonly relay: Relay | null
}

/** A service of the device: whom it lets in, and what it does with them. */
interface Offer {
  readonly service: Service
  readonly admit: (zone: ZoneKey, payload: Uint8Array) => Admission
  readonly serve: (session: Session) => void
  /** Somebody is at the door. */
  readonly prepare?: () => void
}

export class Services {
  private readonly options: ServiceOptions
  /** What listens, by the zone as text: a device answers by each of its names that still holds. */
  private readonly listening = new Map<string, readonly Listening[]>()
  /** The peers we are finding out about. */
  private readonly meeting: PeerId[] = []

  /** Begins to listen. Throws ADDRESS_IN_USE. */
  constructor(options: ServiceOptions) {
    this.options = options
    this.keysChanged()
  }

  /** Listens by the keys that answer now, and by no other; who is there already stays. Throws ADDRESS_IN_USE. */
  keysChanged(): void {
    const keys = this.options.device.served()
    const served = new Map(keys.map(key => [zoneToText(key.secret.zone), key]))
    for (const [name, listening] of this.listening)
      if (!served.has(name)) {
        for (const one of listening) one.close()
        this.listening.delete(name)
      }
    for (const [name, key] of served)
      if (!this.listening.has(name)) this.listening.set(name, this.listenBy(key))
  }

  close(): void {
    for (const one of [...this.listening.values()].flat()) one.close()
    this.options.relay?.close()
  }

  private listenBy({ secret }: ServedKey): readonly Listening[] {
    const { desk, status, pushing, upgrades, rooms, jobs, relay } = this.options
    const offers: readonly (Offer | null)[] = [
      {
        service: 'ssh',
        admit: (zone, payload) => this.admitSsh(zone, payload),
        serve: session => this.serveSsh(session),
        prepare: () => this.options.ssh.prepare(),
      },
      {
        service: 'pair',
        admit: () => ({ payload: NOTHING }),
        serve: session => void desk.serve(session),
      },
      {
        service: 'control',
        admit: (zone, payload) => this.admitSuccessor(zone, payload),
        serve: session => this.serveControl(session),
      },
      {
        service: 'place',
        admit: zone => this.admitStatus(zone),
        serve: session => status.serve(session),
      },
      pushing && this.pushes(pushing),
      upgrades && this.upgrades(upgrades),
      ...(rooms ? [this.members(rooms, false), this.members(rooms, true)] : []),
      jobs && this.jobs(jobs, secret),
      ...(relay ? this.relay(relay) : []),
    ]
    return offers.flatMap(offer => (offer ? [this.listen(offer, secret)] : []))
  }

  private pushes(pushing: Pushing): Offer {
    const serve = (session: Session) =>
      void pushing.serve(session, this.rightsOf(session.peerZone).allows)
    return { service: 'push', admit: zone => this.admit(zone), serve }
  }

  private upgrades(upgrades: UpgradeService): Offer {
    const serve = (session: Session) =>
      void upgrades.serve(session, () => this.rightsOf(session.peerZone).allows('admin'))
    return { service: 'upgrade', admit: zone => this.admit(zone), serve }
  }

  private members(rooms: Rooms, isDeniable: boolean): Offer {
    const mode = { isDeniable }
    const admit: Offer['admit'] = (zone, place) => rooms.admit(zone, place, mode)
    return { service: roomService(mode), admit, serve: session => rooms.serve(session, mode) }
  }

  /** What is told of them is signed by the key by which it was asked. */
  private jobs(jobs: Jobs, device: ZoneSecret): Offer {
    const { clock, log, grants } = this.options
    const serve = (session: Session) => {
      const isKnown = () => grants.find(session.peerZone, clock.now()) !== null
      void serveJobs(session, { jobs, device, clock, log, isKnown })
    }
    return { service: 'jobs', admit: zone => this.admit(zone), serve }
  }

  private relay({ shelf, post, mail, files }: Relay): readonly Offer[] {
    const { audit, grants, clock, log } = this.options
    const isAwaited = (zone: ZoneKey) =>
      shelf.waitingFor(zone).length > 0 || post.jobs.knows(zone) || post.results.knows(zone)
    const admit = (zone: ZoneKey): Admission =>
      isAwaited(zone) ? { payload: NOTHING } : this.admit(zone)
    const serve = (session: Session) => {
      const allows = () => grants.allows(session.peerZone, 'push', clock.now())
      void serveRelay(session, { clock, log, shelf, post, audit, allows })
    }
    const options = {
      ...{ shelf: mail, files, audit, clock, log },
      allows: (zone: ZoneKey) => grants.allows(zone, 'push', clock.now()),
    }
    const letters: Offer = {
      service: 'mail',
      admit: (zone, drop) => admitToMail(zone, drop, options),
      serve: session => void serveMail(session, options),
    }
    return [{ service: 'relay', admit, serve }, letters]
  }

  private listen(offer: Offer, own: ZoneSecret): Listening {
    return this.options.mesh.listen(servicePort(offer.service, own.zone), channel => {
      void this.meet(channel, offer, own)
    })
  }

  /** Finds out who it is, and serves it. */
  private async meet(channel: Channel, offer: Offer, own: ZoneSecret): Promise<void> {
    const { service: purpose, admit, serve, prepare } = offer
    const { mesh, device, clock, random, log } = this.options
    const { meeting } = this
    const { peer } = channel
    const same = meeting.filter(other => equalBytes(other, peer))
    if (meeting.length >= HANDSHAKES_MAX || same.length >= HANDSHAKES_PER_PEER_MAX) {
      log.note('warn', 'services', 'too many at once', { purpose })
      channel.close()
      return
    }
    meeting.push(peer)
    try {
      const options = { self: mesh.self, purpose, own, clock, random, admit, answered: prepare }
      serve(await acceptHandshake(channel, { ...options, chain: device.chainFrom(own.zone) }))
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      log.note('info', 'services', 'not served', { purpose, reason: error.code })
    } finally {
      meeting.splice(meeting.indexOf(peer), 1)
    }
  }

  private admit(zone: ZoneKey): Admission {
    const { grants, clock, log } = this.options
    if (grants.find(zone, clock.now())) return { payload: NOTHING }
    log.note('info', 'services', 'stranger', { zone: zoneToText(zone) })
    return { refused: 'NOT_PERMITTED' }
  }

  /** Whoever has a new key says so on the way in: what the old one was granted goes on with it. */
  private admitSuccessor(zone: ZoneKey, payload: Uint8Array): Admission {
    if (payload.length > 0) this.options.successions.take(payload, zone)
    return this.admit(zone)
  }

  /** Those who may see the status are told which place it is. */
  private admitStatus(zone: ZoneKey): Admission {
    const { grants, clock, status } = this.options
    if (grants.allows(zone, 'status', clock.now())) return { payload: status.key }
    return { refused: 'NOT_PERMITTED' }
  }

  /** Whoever may come in is told the host key: in GNS stands its fingerprint only. */
  private admitSsh(zone: ZoneKey, payload: Uint8Array): Admission {
    const announced = decodeSshAnnouncement(payload)
    const admission = this.admit(zone)
    if (!announced || 'refused' in admission) return { refused: 'NOT_PERMITTED' }
    const { publicKey, user } = announced
    const { accounts, hostKey } = this.options
    const refused = user === null ? null : refusalOf(this.rightsOf(zone), user, accounts)
    if (refused === null) return { payload: hostKey() }
    this.note(zone, sshKeyMark(publicKey), 'login', `as ${user}`, 'refused')
    return { refused }
  }

  private rightsOf(zone: ZoneKey): Pick<Caller, 'allows' | 'scope'> {
    const { grants, clock } = this.options
    return {
      allows: right => grants.allows(zone, right, clock.now()),
      scope: () => grants.find(zone, clock.now())?.scope ?? NO_SCOPE,
    }
  }

  private serveSsh({ peerZone: zone, payload, channel }: Session): void {
    const { accounts, audit, grants, clock, ssh } = this.options
    const { publicKey, deviceName, user: name } = decodeSshAnnouncement(payload)!
    const grant = grants.find(zone, clock.now())
    const user = name === null ? null : accounts.find(name)
    if (!grant || typeof user === 'string') {
      channel.close() // Revoked, or taken away, while the verdict was on its way.
      return
    }
    void ssh.serve(asDuplex(channel, clock), {
      ...{ zone, publicKey, user, name: grant.holder, ...this.rightsOf(zone) },
      deviceName: deviceName || grant.deviceName,
      isKnown: () => grants.find(zone, clock.now()) !== null,
      note: audit.by(zone, sshKeyMark(publicKey), name),
      isRecorded: () => this.options.isRecorded(zone),
    })
  }

  private serveControl(session: Session): void {
    const { grants, clock, info, ssh, status } = this.options
    const { peerZone: zone } = session
    void serveControl(session, {
      clock,
      info,
      allows: this.rightsOf(zone).allows,
      leave: () => {
        this.note(zone, '', 'leave', '', 'done')
        grants.remove(zone)
        ssh.expel(zone)
        status.review()
      },
      approvals: {
        list: () => this.options.approvals.list(zone),
        judge: signed => this.options.approvals.judge(zone, signed),
      },
      administration: {
        grant: signed => this.grant(zone, signed),
        revoke: signed => this.revoke(zone, signed),
        rotateHostKey: () => {
          this.options.rotateHostKey()
          this.note(zone, '', 'rotate', 'host key', 'done')
        },
        rotateKey: theirs => this.options.rotation.rotate(zone, theirs),
        revocation: time => this.revocation(zone, time),
        grants: () => grants.all().map(grantText),
        audit: from => this.options.audit.all().filter(({ number }) => number >= from),
        rooms: request => this.rooms(zone, request),
      },
    })
  }

  /** Throws BoxError where the statement is not taken. */
  private grant(caller: ZoneKey, signed: Uint8Array): void {
    const { grants, device, clock, ssh } = this.options
    const note = (detail: string, result: string) => this.note(caller, '', 'grant', detail, result)
    let about = ''
    try {
      const statement = readGrant(signed)
      const { holder, name, rights } = statement
      about = `${name} ${zoneToText(holder)}: ${rights.join(' ') || 'nothing'}`
      applyGrant(grants, statement, {
        ...{ isOurs: device.isOwn(statement.device), caller, now: clock.now() },
      })
      note(about, 'done')
      // Whoever has less than before must not go on with it; whoever has more comes again.
      ssh.expel(holder)
    } catch (error) {
      note(about, 'refused')
      throw error
    }
  }

  /** Whoever may grant here may also end the device, as its name goes. Throws CLOCK_WRONG. */
  private revocation(caller: ZoneKey, time: bigint): RevocationIntent {
    const intent = this.options.device.revocation(time)
    this.note(caller, '', 'revocation', 'of the zone of this device', 'signed')
    return intent
  }

  /** Throws BoxError where it is not taken. */
  private revoke(caller: ZoneKey, signed: Uint8Array): void {
    const revocation = readRevocation(signed)
    // In the owner's zone it may be said by anybody; here somebody else would only be confusing.
    if (!equalBytes(revocation.issuer, caller)) throw new BoxError('NOT_PERMITTED')
    this.options.notices.revoke(revocation)
  }

  /** Throws BoxError where it is not done. */
  private rooms(caller: ZoneKey, request: RoomRequest): readonly RoomListing[] {
    const { rooms, grants, clock } = this.options
    const by = { zone: caller, nick: grants.find(caller, clock.now())?.holder ?? '' }
    const isRead = request.do === 'list' || request.do === 'show'
    const note = (result: string) => {
      if (!isRead) this.note(caller, '', 'room', roomRequestText(request), result)
    }
    try {
      if (!rooms) throw new BoxError('ROOM_LIMIT')
      const done = rooms.handle(request, by)
      note('done')
      return done
    } catch (error) {
      note('refused')
      throw error
    }
  }

  private note(zone: ZoneKey, key: string, what: string, detail: string, result: string): void {
    this.options.audit.note({ zone, key, what, detail, result })
  }
}
