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
import { type RoomListing, type RoomRequest, roomRequestText } from '../src/box/room-talk.ts'
import type { Scope } from '../src/box/scope.ts'
import { decodeSshAnnouncement } from '../src/box/ssh-announcement.ts'
import { sha256 } from '../src/crypto/hash.ts'
import type { ZoneSecret } from '../src/crypto/zone-key.ts'
import { zoneToText } from '../src/gns/name.ts'
import { asDuplex } from '../src/mesh/duplex.ts'
import type { Channel, Listening, Mesh } from '../src/mesh/mesh.ts'
import { encodeBase32 } from '../src/wire/base32.ts'
import type { AuditNotes } from './audit-notes.ts'
import { serveJobs } from './job-service.ts'
import type { Jobs } from './jobs.ts'
import type { OwnerNotices } from './owner-notices.ts'
import type { ParcelShelf } from './parcel-shelf.ts'
import type { Pushing } from './pushing.ts'
import { type Post, serveRelay } from './relay-service.ts'
import type { Rooms } from './rooms.ts'
import type { SshServer } from './ssh-server.ts'
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
  readonly device: ZoneSecret
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly grants: GrantBook
  readonly desk: PairingDesk
  readonly ssh: SshServer
  /** Of the SSH server, public. */
  readonly hostKey: () => Uint8Array
  readonly status: StatusPlace
  readonly audit: AuditNotes
  /** Whether what this person does is recorded. */
  readonly isRecorded: (zone: ZoneKey) => boolean
  readonly successions: Successions
  readonly notices: Pick<OwnerNotices, 'revoke'>
  /** Throws STATE_UNWRITABLE. */
  readonly rotateHostKey: () => void
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

/** What is kept for others. */
export interface Relay {
  readonly shelf: ParcelShelf
  readonly post: Post
}

export class Services {
  private readonly options: ServiceOptions
  private readonly listening: readonly Listening[]
  /** The peers we are finding out about. */
  private readonly meeting: PeerId[] = []

  /** Begins to listen. Throws ADDRESS_IN_USE. */
  constructor(options: ServiceOptions) {
    this.options = options
    this.listening = [
      this.listen(
        'ssh',
        (zone, payload) => this.admitSsh(zone, payload),
        s => this.serveSsh(s),
      ),
      this.listen(
        'pair',
        () => ({ payload: NOTHING }),
        s => void options.desk.serve(s),
      ),
      this.listen(
        'control',
        (zone, payload) => this.admitSuccessor(zone, payload),
        s => this.serveControl(s),
      ),
      this.listen(
        'place',
        zone => this.admitStatus(zone),
        s => options.status.serve(s),
      ),
      ...(options.pushing ? [this.listenForPushes(options.pushing)] : []),
      ...(options.upgrades ? [this.listenForUpgrades(options.upgrades)] : []),
      ...(options.rooms ? [this.listenForMembers(options.rooms)] : []),
      ...(options.jobs ? [this.listenForJobs(options.jobs)] : []),
      ...(options.relay ? [this.listenAsRelay(options.relay)] : []),
    ]
  }

  close(): void {
    for (const one of this.listening) one.close()
  }

  private listenForPushes(pushing: Pushing): Listening {
    const { grants, clock } = this.options
    const serve = (session: Session) =>
      void pushing.serve(session, right => grants.allows(session.peerZone, right, clock.now()))
    return this.listen('push', zone => this.admit(zone), serve)
  }

  private listenForUpgrades(upgrades: UpgradeService): Listening {
    const { grants, clock } = this.options
    const serve = (session: Session) =>
      void upgrades.serve(session, () => grants.allows(session.peerZone, 'admin', clock.now()))
    return this.listen('upgrade', zone => this.admit(zone), serve)
  }

  private listenForMembers(rooms: Rooms): Listening {
    return this.listen(
      'room',
      (zone, place) => rooms.admit(zone, place),
      session => rooms.serve(session),
    )
  }

  private listenForJobs(jobs: Jobs): Listening {
    const { device, clock, log, grants } = this.options
    const serve = (session: Session) => {
      const isKnown = () => grants.find(session.peerZone, clock.now()) !== null
      void serveJobs(session, { jobs, device, clock, log, isKnown })
    }
    return this.listen('jobs', zone => this.admit(zone), serve)
  }

  private listenAsRelay({ shelf, post }: Relay): Listening {
    const { audit, grants, clock, log } = this.options
    const isAwaited = (zone: ZoneKey) =>
      shelf.waitingFor(zone).length > 0 || post.jobs.knows(zone) || post.results.knows(zone)
    const admit = (zone: ZoneKey): Admission =>
      isAwaited(zone) ? { payload: NOTHING } : this.admit(zone)
    const serve = (session: Session) => {
      const allows = () => grants.allows(session.peerZone, 'push', clock.now())
      void serveRelay(session, { clock, log, shelf, post, audit, allows })
    }
    return this.listen('relay', admit, serve)
  }

  private listen(
    service: Service,
    admit: (zone: ZoneKey, payload: Uint8Array) => Admission,
    serve: (session: Session) => void,
  ): Listening {
    const { mesh, device } = this.options
    return mesh.listen(servicePort(service, device.zone), channel => {
      void this.meet(channel, service, admit, serve)
    })
  }

  /** Finds out who it is, and serves it. */
  private async meet(
    channel: Channel,
    purpose: Service,
    admit: (zone: ZoneKey, payload: Uint8Array) => Admission,
    serve: (session: Session) => void,
  ): Promise<void> {
    const { mesh, device: own, clock, random, log } = this.options
    const { meeting } = this
    const { peer } = channel
    const ofPeer = meeting.filter(other => equalBytes(other, peer)).length
    if (meeting.length >= HANDSHAKES_MAX || ofPeer >= HANDSHAKES_PER_PEER_MAX) {
      log.note('warn', 'services', 'too many at once', { purpose })
      channel.close()
      return
    }
    meeting.push(peer)
    try {
      const self = mesh.self
      serve(await acceptHandshake(channel, { self, purpose, own, clock, random, admit }))
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
    if (!decodeSshAnnouncement(payload)) return { refused: 'NOT_PERMITTED' }
    const admission = this.admit(zone)
    return 'refused' in admission ? admission : { payload: this.options.hostKey() }
  }

  private serveSsh({ peerZone: zone, payload, channel }: Session): void {
    const { grants, clock, ssh } = this.options
    const { publicKey, deviceName } = decodeSshAnnouncement(payload)!
    const grant = grants.find(zone, clock.now())
    if (!grant) {
      channel.close() // Revoked while the verdict was on its way.
      return
    }
    const key = fingerprint(publicKey)
    void ssh.serve(asDuplex(channel, clock), {
      zone,
      publicKey,
      deviceName: deviceName || grant.deviceName,
      name: grant.holder,
      allows: right => grants.allows(zone, right, clock.now()),
      scope: () => grants.find(zone, clock.now())?.scope ?? NO_SCOPE,
      isKnown: () => grants.find(zone, clock.now()) !== null,
      isRecorded: () => this.options.isRecorded(zone),
      note: (what, detail, result) => this.note(zone, key, what, detail, result),
    })
  }

  private serveControl(session: Session): void {
    const { grants, clock, info, ssh, status } = this.options
    const { peerZone: zone } = session
    void serveControl(session, {
      clock,
      info,
      allows: right => grants.allows(zone, right, clock.now()),
      leave: () => {
        this.note(zone, '', 'leave', '', 'done')
        grants.remove(zone)
        ssh.expel(zone)
        status.review()
      },
      administration: {
        grant: signed => this.grant(zone, signed),
        revoke: signed => this.revoke(zone, signed),
        rotateHostKey: () => {
          this.options.rotateHostKey()
          this.note(zone, '', 'rotate', 'host key', 'done')
        },
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
      applyGrant(grants, statement, { device: device.zone, caller, now: clock.now() })
      note(about, 'done')
      // Whoever has less than before must not go on with it; whoever has more comes again.
      ssh.expel(holder)
    } catch (error) {
      note(about, 'refused')
      throw error
    }
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

/** Of whoever has no grant any more. */
const NO_SCOPE: Scope = { users: [], commands: [], paths: [], targets: [], recorded: true }

/** Of an SSH key, short enough for a line. */
const fingerprint = (publicKey: Uint8Array): string => encodeBase32(sha256(publicKey)).slice(0, 16)
