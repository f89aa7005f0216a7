/** From words to a command: which one is meant, and the exit code. */

import { BoxError } from '../src/base/errors.ts'
import { VERSION } from '../src/base/version.ts'
import type { Command, Common } from './command.ts'
import type { Context } from './context.ts'
import { Output, type Sink } from './output.ts'
import { readWords } from './read-words.ts'

interface Listed {
  readonly describe: string
  /** Loaded when it is called, so that no command waits for what another one needs. */
  load(): Promise<Command>
}

/** Every command, in the order of the help. */
export const COMMANDS: Readonly<Record<string, Listed>> = {
  demo: {
    describe: 'show all of it on this machine: hub, device, controller, a shell',
    load: async () => (await import('./commands/demo.ts')).demo,
  },
  init: {
    describe: 'make your identity',
    load: async () => (await import('./commands/init.ts')).init,
  },
  id: {
    describe: 'show your identity',
    load: async () => (await import('./commands/id.ts')).id,
  },
  pair: {
    describe: 'take a device into your fleet, by the code it shows',
    load: async () => (await import('./commands/pair.ts')).pair,
  },
  ls: {
    describe: 'list your devices',
    load: async () => (await import('./commands/ls.ts')).ls,
  },
  rename: {
    describe: 'give a device another name',
    load: async () => (await import('./commands/rename.ts')).rename,
  },
  tag: {
    describe: 'mark a device, so that @TAG means it',
    load: async () => (await import('./commands/tag.ts')).tag,
  },
  rm: {
    describe: 'forget a device',
    load: async () => (await import('./commands/rm.ts')).rm,
  },
  add: {
    describe: 'take in a device that somebody has granted you',
    load: async () => (await import('./commands/add.ts')).add,
  },
  grant: {
    describe: 'let somebody else do things on a device',
    load: async () => (await import('./commands/grant.ts')).grant,
  },
  grants: {
    describe: 'list who may do what on a device',
    load: async () => (await import('./commands/grants.ts')).grants,
  },
  revoke: {
    describe: 'end what somebody was granted on a device',
    load: async () => (await import('./commands/revoke.ts')).revoke,
  },
  rotate: {
    describe: 'a new key in place of an old one, without pairing anything again',
    load: async () => (await import('./commands/rotate.ts')).rotate,
  },
  revocation: {
    describe: 'make, keep and use the means to end a zone in GNS',
    load: async () => (await import('./commands/revocation.ts')).revocation,
  },
  audit: {
    describe: 'show who did what on a device',
    load: async () => (await import('./commands/audit.ts')).audit,
  },
  recordings: {
    describe: 'list the recordings of sessions on a device',
    load: async () => (await import('./commands/recordings.ts')).recordings,
  },
  play: {
    describe: 'show what was done in a recorded session, as it was done',
    load: async () => (await import('./commands/play.ts')).play,
  },
  watch: {
    describe: 'look at the open shell of somebody else, live, and touch nothing',
    load: async () => (await import('./commands/watch.ts')).watch,
  },
  up: {
    describe: 'keep the way to your devices open, and let programs ask',
    load: async () => (await import('./commands/up.ts')).up,
  },
  dashboard: {
    describe: 'open the page of box up in your browser',
    load: async () => (await import('./commands/dashboard.ts')).dashboard,
  },
  ssh: {
    describe: 'open a shell on a device, or run a command there',
    load: async () => (await import('./commands/ssh.ts')).ssh,
  },
  status: {
    describe: 'show how your devices are, now or from now on',
    load: async () => (await import('./commands/status.ts')).status,
  },
  alerts: {
    describe: 'list what your rules say of your devices, and take note of it',
    load: async () => (await import('./commands/alerts.ts')).alerts,
  },
  top: {
    describe: 'watch all devices on the whole terminal',
    load: async () => (await import('./commands/top.ts')).top,
  },
  logs: {
    describe: 'show what your devices log, now or from now on',
    load: async () => (await import('./commands/logs.ts')).logs,
  },
  exec: {
    describe: 'run a command on many devices at once',
    load: async () => (await import('./commands/exec.ts')).exec,
  },
  approvals: {
    describe: 'list what waits on devices until another person approves it',
    load: async () => (await import('./commands/approvals.ts')).approvals,
  },
  approve: {
    describe: 'let what somebody else asks for be done on a device, or deny it',
    load: async () => (await import('./commands/approve.ts')).approve,
  },
  jobs: {
    describe: 'list commands that wait for devices or come again, and what came of them',
    load: async () => (await import('./commands/jobs.ts')).jobs,
  },
  cp: {
    describe: 'copy files to a device, or from it',
    load: async () => (await import('./commands/cp.ts')).cp,
  },
  forward: {
    describe: 'carry connections to where a device reaches, and back',
    load: async () => (await import('./commands/forward.ts')).forward,
  },
  proxy: {
    describe: "connect standard input and output to a device's SSH (for ProxyCommand)",
    load: async () => (await import('./commands/proxy.ts')).proxy,
  },
  'ssh-config': {
    describe: 'let the stock ssh, and what builds on it, reach NAME.box',
    load: async () => (await import('./commands/ssh-config.ts')).sshConfig,
  },
  push: {
    describe: 'bring configuration to devices, which take back what cuts them off',
    load: async () => (await import('./commands/push.ts')).push,
  },
  diff: {
    describe: 'show what a bundle would change on devices',
    load: async () => (await import('./commands/diff.ts')).diff,
  },
  generations: {
    describe: 'list the configurations a device has been through',
    load: async () => (await import('./commands/generations.ts')).generations,
  },
  rollback: {
    describe: 'go back to an earlier configuration of a device',
    load: async () => (await import('./commands/rollback.ts')).rollback,
  },
  pull: {
    describe: 'make a bundle of files as they are on a device',
    load: async () => (await import('./commands/pull.ts')).pull,
  },
  drift: {
    describe: 'find what was changed on devices since it was pushed',
    load: async () => (await import('./commands/drift.ts')).drift,
  },
  sync: {
    describe: 'bring devices that were off what they should have got',
    load: async () => (await import('./commands/sync.ts')).sync,
  },
  upgrade: {
    describe: 'bring another version of the agent to devices, which go back where it fails',
    load: async () => (await import('./commands/upgrade.ts')).upgrade,
  },
  bundle: {
    describe: 'look for mistakes in a bundle of configuration',
    load: async () => (await import('./commands/bundle.ts')).bundle,
  },
  contact: {
    describe: 'the people you talk to: take in, list, introduce',
    load: async () => (await import('./commands/contact.ts')).contact,
  },
  chat: {
    describe: 'talk with one person, there or not',
    load: async () => (await import('./commands/chat.ts')).chat,
  },
  room: {
    describe: 'talk with other admins, in a room that a device hosts',
    load: async () => (await import('./commands/room.ts')).room,
  },
  send: {
    describe: 'offer a file to a contact or to a room',
    load: async () => (await import('./commands/send.ts')).send,
  },
  files: {
    describe: 'list the files that were offered to you, and fetch them',
    load: async () => (await import('./commands/files.ts')).files,
  },
  hub: {
    describe: 'say which hubs to use',
    load: async () => (await import('./commands/hub.ts')).hub,
  },
  name: {
    describe: 'ask what a name of the GNU Name System has',
    load: async () => (await import('./commands/name.ts')).name,
  },
  doctor: {
    describe: 'find out what works and what does not',
    load: async () => (await import('./commands/doctor.ts')).doctor,
  },
  backup: {
    describe: 'save your keys and devices in an encrypted file',
    load: async () => (await import('./commands/backup.ts')).backup,
  },
  restore: {
    describe: 'bring back what backup has saved',
    load: async () => (await import('./commands/restore.ts')).restore,
  },
  completion: {
    describe: 'print what makes a shell complete box commands',
    load: async () => (await import('./commands/completion.ts')).completion,
  },
}

/** Who runs the command line: the process, or a test. */
export interface Surroundings {
  readonly out: Sink
  readonly err: Sink
  context(common: Common, output: Output, commands: readonly string[]): Promise<Context>
}

/** Runs a command line; returns its exit code. Never throws. */
export async function run(
  args: readonly string[],
  surroundings: Surroundings = processSurroundings(),
): Promise<number> {
  const { out, err } = surroundings
  const output = await openOutput(args, surroundings)
  try {
    const [only, ...others] = args.filter(word => word !== '--json')
    if (others.length === 0 && (only === '--version' || only === 'version')) {
      output.result(VERSION, { version: VERSION })
      return 0
    }
    const words = args[0] === 'help' ? [...args.slice(1), '--help'] : args
    const at = commandAt(words)
    const name = words[at] ?? null
    if (name !== null && !Object.hasOwn(COMMANDS, name))
      throw new BoxError('INPUT_INVALID', `There is no command "${name}": see box --help.`)
    const parsed = await parse(words, at)
    if ('help' in parsed) {
      const asked = name !== null || words.length > 0
      ;(asked ? out : err).write(`${parsed.help}\n`)
      return asked ? 0 : 64
    }
    const context = await surroundings.context(parsed.args, output, Object.keys(COMMANDS))
    try {
      return (await parsed.command.run(context, parsed.args)) ?? 0
    } finally {
      await context.close()
    }
  } catch (error) {
    return output.failure(error)
  }
}

type Parsed = { help: string } | { command: Command; args: Common }

/** Reads the words. Help, where it is asked for or nothing else is, comes back as text. */
async function parse(words: readonly string[], at: number): Promise<Parsed> {
  const name = words[at] ?? null
  const command = name === null ? null : await COMMANDS[name]!.load()
  const args = command && readWords(words.toSpliced(at, 1), command)
  if (command && args) return { command, args }
  const { explainWords } = await import('./explain-words.ts')
  const asked = command && { name: name!, command }
  const described = new Map(Object.entries(COMMANDS).map(([key, one]) => [key, one.describe]))
  const explained = await explainWords(words, at, asked, described)
  return 'help' in explained ? explained : { command: command!, args: explained.args }
}

const TAKE_A_VALUE = ['--state', '--mesh', '--gnunet-conf']

/** Where the first word is that is no option, and no value of one; -1 without one. */
function commandAt(words: readonly string[]): number {
  for (let i = 0; i < words.length && words[i] !== '--'; i++) {
    if (TAKE_A_VALUE.includes(words[i]!)) i++
    else if (!words[i]!.startsWith('-')) return i
  }
  return -1
}

async function openOutput(args: readonly string[], { out, err }: Surroundings): Promise<Output> {
  const { systemClock } = await import('../src/sys/clock.ts')
  const end = args.indexOf('--')
  const json = (end < 0 ? args : args.slice(0, end)).includes('--json')
  return new Output({ json, out, err, clock: systemClock })
}

/** A pipe that nobody reads takes what is written all the same, into our memory. */
function processSink(stream: NodeJS.WriteStream): Sink {
  let catchingUp: Promise<void> | null = null
  const caughtUp = () =>
    new Promise<void>(resolve => {
      const done = () => {
        stream.off('drain', done).off('close', done)
        catchingUp = null
        resolve()
      }
      stream.once('drain', done).once('close', done)
    })
  return {
    isTerminal: stream.isTTY === true,
    write: bytes => void stream.write(bytes),
    behind: () => {
      if (!stream.writableNeedDrain || stream.destroyed) return null
      catchingUp ??= caughtUp()
      return catchingUp
    },
  }
}

function processSurroundings(): Surroundings {
  return {
    out: processSink(process.stdout),
    err: processSink(process.stderr),
    context: async (common, output, commands) =>
      (await import('./context.ts')).openContext(common, output, commands),
  }
}
