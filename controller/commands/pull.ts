/** box pull: makes a bundle of files as they are on a device. */

import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import { LIMITS } from '../../src/box/bundle/limits.ts'
import { type ListedFile, readFiles } from '../../src/box/push-report.ts'
import { attempt, makeDirectories } from '../../src/sys/file-store.ts'
import { command } from '../command.ts'
import { openPushTalk } from '../push/delivery.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

export const pull = command<{ name: string; paths: string[]; into: string; timeout: number }>({
  usage: 'pull <name> <paths..>',
  examples: [['box pull kitchen /etc/config --into ./router', 'a bundle of all files below it']],
  options: yargs =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'which device' })
      .positional('paths', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'files, or directories with all that is in them',
      })
      .option('into', {
        type: 'string',
        default: '.',
        describe: 'the directory of the bundle; nothing in it is overwritten',
      })
      .option('timeout', TIMEOUT),
  run: async (context, { name, paths, into, timeout }) => {
    const { output, fleet } = context
    const device = fleet.device(name)
    const talk = await openPushTalk(context, device, timeoutMs(timeout))
    const progress = output.progress(`reading from ${device.name}`)
    const files: ListedFile[] = []
    try {
      for (const path of paths)
        for (const file of readFiles(await talk.ask('list', { path })))
          if (!files.some(known => known.path === file.path)) files.push(file)
      const mine = new Map(files.map(file => [file.path, localPath(file.path)]))
      for (const { path } of files) {
        progress.now(path)
        const [, content] = await talk.fetch('read', { path }, LIMITS.fileBytes)
        save(join(into, mine.get(path)!), content)
      }
      save(join(into, 'bundle.yaml'), new TextEncoder().encode(manifest(device.name, files)))
    } finally {
      progress.end()
      talk.close()
    }
    output.result(`${files.length} files of ${device.name} are in ${into}`, {
      name: device.name,
      directory: into,
      files: files.map(({ path, size }) => ({ path, size })),
    })
    return 0
  },
})

/** Where a file lies in the bundle. The device named the path: it must not lead out. */
function localPath(path: string): string {
  const names = path.split('/').filter(name => name !== '')
  if (names.length === 0 || names.includes('..') || names.includes('.') || path.includes('\0'))
    throw new BoxError('STATE_UNEXPECTED', `The device names a file ${JSON.stringify(path)}.`)
  return join('files', ...names)
}

/** JSON texts are YAML texts. */
function manifest(name: string, files: readonly ListedFile[]): string {
  const lines = files.map(({ path, mode, uid, gid }) => {
    const octal = mode.toString(8).padStart(4, '0')
    const from = JSON.stringify(localPath(path))
    return `  ${JSON.stringify(path)}: { from: ${from}, mode: ${octal}, owner: "${uid}:${gid}" }`
  })
  return ['bundle: 1', `name: ${JSON.stringify(name)}`, 'files:', ...lines, ''].join('\n')
}

function save(path: string, content: Uint8Array): void {
  attempt('STATE_UNWRITABLE', path, () => {
    makeDirectories(dirname(path))
    writeFileSync(path, content, { flag: 'wx', mode: 0o600 })
  })
}
