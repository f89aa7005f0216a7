/** People of the rig who talk to each other, each with processes that come and go, and a relay that can be away. */

import { AuditNotes } from '../../../agent/audit-notes.ts'
import { FileShelf } from '../../../agent/file-shelf.ts'
import { admitToMail, serveMail } from '../../../agent/mail-service.ts'
import { MailShelf } from '../../../agent/mail-shelf.ts'
import { chat } from '../../../controller/commands/chat.ts'
import { contact } from '../../../controller/commands/contact.ts'
import { rotate } from '../../../controller/commands/rotate.ts'
import type { Context } from '../../../controller/context.ts'
import { addHub } from '../../../controller/hubs.ts'
import { ContactBook, filedUnder } from '../../../controller/talk/contact-book.ts'
import { TalkDesk } from '../../../controller/talk/desk.ts'
import { sayingIn } from '../../../controller/talk/intake.ts'
import { TalkMemory } from '../../../controller/talk/memory.ts'
import { SealedState } from '../../../controller/talk/sealed-state.ts'
import { silentLog } from '../../../src/base/log.ts'
import { memoryStore, type Store } from '../../../src/base/store.ts'
import { AuditLog, memoryEntries } from '../../../src/box/audit.ts'
import { GrantBook } from '../../../src/box/grant.ts'
import { acceptHandshake } from '../../../src/box/handshake.ts'
import { servicePort } from '../../../src/box/ports.ts'
import { readSuccessionChain } from '../../../src/box/succession.ts'
import { zoneToText } from '../../../src/gns/name.ts'
import { type MemoryFiles, memoryFiles } from '../../agent/memory-files.ts'
import type { FakeMesh } from '../../sim/fake-mesh.ts'
import type { Controller, Rig, RigDevice } from '../rig.ts'

const DEFAULTS = { words: [], as: undefined, minutes: 10, qr: false, timeout: 20 }
/** Of files, at a relay. */
export const FILES_BYTES = 2 * 1_048_576
const TALK = { say: undefined, history: false, last: 50, listen: false }

export class Person {
  readonly rig: Rig
  readonly controller: Controller
  /** The process that stays, as `box up` does. */
  private staying: { desk: TalkDesk; mesh: FakeMesh } | null = null

  /** Somebody new, who knows the hub of the rig. */
  static async arrive(rig: Rig, ego: string): Promise<Person> {
    const controller = await rig.controller({ ego })
    await addHub(controller.context.state, rig.hub.hello())
    return new Person(rig, controller)
  }

  constructor(rig: Rig, controller: Controller) {
    this.rig = rig
    this.controller = controller
  }

  get zone() {
    return this.controller.context.ego().secret.zone
  }

  /** Of the process that stays. */
  get pid() {
    return this.staying!.mesh.self
  }

  get key(): string {
    return zoneToText(this.zone)
  }

  /** Another process of the same person, with a peer of its own. */
  process(): { context: Context; mesh: FakeMesh } {
    const mesh = this.rig.net.peer()
    mesh.introduce(this.rig.hub.hello())
    return { context: { ...this.controller.context, mesh: async () => mesh }, mesh }
  }

  /** Runs `box contact` to its end; what it printed. */
  async contact(action: string, words: readonly string[] = [], more: object = {}) {
    return await this.run(contact, { ...DEFAULTS, action, words, ...more })
  }

  /** Runs `box rotate ego` to its end. */
  async rotate() {
    return await this.run(rotate, { key: 'ego', selector: undefined, timeout: 20 })
  }

  /** Runs `box chat` to its end. */
  async chat(name: string, more: object = {}) {
    return await this.run(chat, { ...TALK, name, ...more })
  }

  private async run(command: typeof chat, args: object) {
    const { said } = this.controller
    said.out = ''
    said.err = ''
    const { context, mesh } = this.process()
    const { json } = context.output
    const code = await this.rig.world.until(
      command.run(context, { json, ...args } as never),
      400_000,
    )
    mesh.stop()
    return { code, ...said }
  }

  async up(): Promise<TalkDesk> {
    const { context, mesh } = this.process()
    const desk = await this.rig.world.until(TalkDesk.open(context, { stays: true }), 60_000)
    this.staying = { desk, mesh }
    return desk
  }

  /** Ends it in order. */
  async down(): Promise<void> {
    const { staying } = this
    this.staying = null
    await this.rig.world.until(staying?.desk.close() ?? Promise.resolve(), 60_000)
    staying?.mesh.stop()
  }

  /** Ends it as kill -9 does, as far as others can see. */
  async kill(): Promise<void> {
    const { staying } = this
    this.staying = null
    staying?.mesh.stop()
    await this.rig.world.until(staying?.desk.close() ?? Promise.resolve(), 60_000)
  }

  async memoryOf(other: Person): Promise<TalkMemory> {
    const { state, random } = this.controller.context
    const sealed = await SealedState.open(state, random)
    const known = new ContactBook(sealed).findEver(other.zone)
    return new TalkMemory(sealed, known ? filedUnder(known) : other.zone)
  }

  async book(): Promise<ContactBook> {
    const { state, random } = this.controller.context
    return new ContactBook(await SealedState.open(state, random))
  }

  /** What was said between the two, as this one has it. */
  async talkWith(other: Person): Promise<string[]> {
    const said = await (await this.memoryOf(other)).history()
    return said.map(({ by, packet }) => {
      const saying = sayingIn(packet)
      return `${by}: ${saying.is === 'text' ? saying.text : saying.is}`
    })
  }
}

/** A device that keeps letters. */
export class MailRelay {
  readonly device: RigDevice
  readonly store: Store = memoryStore()
  readonly shelf: MailShelf
  readonly disk: MemoryFiles = memoryFiles()
  readonly files: FileShelf
  private readonly rig: Rig
  private readonly owners: string[]
  /** As before it knew of keys that follow others. */
  isOld = false
  /** As before it knew of files, or where it is set up to keep none. */
  keepsFiles = true

  /** A device of theirs that keeps their letters. */
  static async of(owner: Person): Promise<MailRelay> {
    const { rig, controller } = owner
    const device = await rig.device(controller, 'post')
    await controller.context.fleet.tag('post', ['mail'], [])
    await rig.world.pass(5_000)
    return new MailRelay(rig, device, [owner])
  }

  constructor(rig: Rig, device: RigDevice, owners: readonly Person[]) {
    this.rig = rig
    this.device = device
    this.owners = owners.map(({ key }) => key)
    const now = () => rig.world.now()
    this.shelf = new MailShelf(this.store, now)
    this.files = new FileShelf({ files: this.disk, mail: this.shelf, now, bytesMax: FILES_BYTES })
    this.listen()
  }

  stop(): void {
    this.device.stop()
  }

  comeBack(): void {
    this.device.move()
    this.listen()
  }

  /** What was said on its control port of keys after those of its owners. */
  private heed(): void {
    for (const payload of this.device.payloads.splice(0))
      for (const { before, after } of readSuccessionChain(payload, null)) {
        if (!this.owners.includes(zoneToText(before))) continue
        this.owners.push(zoneToText(after))
        if (!this.isOld) this.shelf.succeed(before, after)
      }
  }

  private listen(): void {
    const { world, net } = this.rig
    const { secret } = this.device
    const mesh = net.find(this.device.pid)!
    const audit = new AuditNotes({
      ...{ audit: new AuditLog(memoryEntries()), grants: new GrantBook(memoryStore()) },
      ...{ device: secret, clock: world, log: silentLog },
    })
    const options = {
      ...{ clock: world, log: silentLog, shelf: this.shelf, audit },
      allows: (zone: Parameters<typeof zoneToText>[0]) => {
        this.heed()
        return this.owners.includes(zoneToText(zone))
      },
    }
    mesh.listen(servicePort('mail', secret.zone), channel => {
      acceptHandshake(channel, {
        ...{ self: mesh.self, purpose: 'mail', own: secret, clock: world, random: world.random },
        admit: (zone, drop) => admitToMail(zone, drop, options),
      }).then(
        session => serveMail(session, { ...options, files: this.keepsFiles ? this.files : null }),
        () => {},
      )
    })
  }
}

/** Both have the other one, by key. */
export async function acquainted(one: Person, other: Person, names: readonly [string, string]) {
  await one.contact('add', [other.key], { as: names[1] })
  await other.contact('add', [one.key], { as: names[0] })
}

/** At the end of a test. */
export async function depart(rig: Rig, people: readonly Person[]): Promise<void> {
  for (const { controller } of people) await rig.world.until(controller.context.close(), 60_000)
  rig.clean()
}
