import { execFileSync } from 'node:child_process'
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Pipe, PipeShelf, type Pipes } from '../../agent/pipe-shelf.ts'

/** How many descriptors may still be opened. */
const room = vi.hoisted(() => ({ left: Number.POSITIVE_INFINITY }))

vi.mock(import('node:fs'), async original => {
  const real = await original()
  const need = () => {
    if (room.left > 0) return
    throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' })
  }
  const openSync: typeof real.openSync = (...args) => {
    need()
    room.left--
    return real.openSync(...args)
  }
  const closing: typeof real.closeSync = fd => {
    real.closeSync(fd)
    room.left++
  }
  /** It reads the directory. */
  const removing: typeof real.rmSync = (...args) => {
    need()
    real.rmSync(...args)
  }
  return { ...real, openSync, closeSync: closing, rmSync: removing }
})

const openCount = () => readdirSync('/proc/self/fd').length
const fdsOf = (pipes: Pipes) =>
  (Object.values(pipes) as (Pipe | null)[]).flatMap(pipe => (pipe ? [pipe.ours, pipe.theirs] : []))
const text = (fd: number) => {
  const bytes = Buffer.alloc(16)
  return bytes.toString('latin1', 0, readSync(fd, bytes))
}

describe('pipes for commands', () => {
  const given: Pipes[] = []
  let started: number[]
  let shelf: PipeShelf
  let mkfifo: (paths: readonly string[]) => Promise<void>

  beforeEach(() => {
    started = []
    mkfifo = async paths => {
      started.push(paths.length / 3)
      execFileSync('mkfifo', ['-m', '600', ...paths])
    }
    shelf = new PipeShelf(paths => mkfifo(paths))
  })
  afterEach(() => {
    shelf.clear()
    for (const pipes of given.splice(0)) for (const fd of fdsOf(pipes)) closeSync(fd)
  })

  const ask = async (...how: Partial<Parameters<PipeShelf['take']>>) => {
    const [as = null, hasInput] = how
    const pipes = await shelf.take(as, hasInput)
    if (pipes) given.push(pipes)
    return pipes
  }

  const take = async (count: number) => {
    const taken: Pipes[] = []
    for (let i = 0; i < count; i++) taken.push((await ask())!)
    return taken
  }

  it('are made for one command, then for eight, then for as many as there may be at a time', async () => {
    await take(48)
    expect(started).toEqual([1, 8, 32, 32])
  })

  it('are made for everybody who asks at the same time', async () => {
    const taken = await Promise.all(Array.from({ length: 5 }, () => ask()))
    expect(new Set(taken.flatMap(pipes => fdsOf(pipes!))).size).toBe(30)
    expect(started).toEqual([1, 8])
  })

  it('carry bytes one way, and are nobody else’s', async () => {
    const [first, second] = await take(2)
    writeSync(first!.stdin!.ours, 'one')
    writeSync(second!.stdin!.ours, 'two')
    writeSync(second!.stdout.theirs, 'out')
    expect(text(first!.stdin!.theirs)).toBe('one')
    expect(text(second!.stdin!.theirs)).toBe('two')
    expect(text(second!.stdout.ours)).toBe('out')
  })

  it('have no name, and can be opened again by their owner alone', async () => {
    const [pipes] = await take(1)
    const { mode, nlink } = fstatSync(pipes!.stdout.theirs)
    expect([mode & 0o777, nlink]).toEqual([0o600, 0])
    expect(statSync(`/proc/self/fd/${pipes!.stdout.theirs}`).isFIFO()).toBe(true)
  })

  it.skipIf(process.getuid?.() !== 0)('belong to the user whose command gets them', async () => {
    await take(2)
    const pipes = await ask({ uid: 12_345, gid: 12_346, groups: [] })
    const { uid, gid } = fstatSync(pipes!.stderr.theirs)
    expect([uid, gid]).toEqual([12_345, 12_346])
  })

  it('are closed when nobody is there any more', async () => {
    const before = openCount()
    const taken = await take(4)
    expect(openCount()).toBeGreaterThan(before + 4 * 6)
    shelf.clear()
    expect(openCount()).toBe(before + taken.length * 6)
  })

  it('reach who has asked before everybody went, and leave nothing open', async () => {
    await take(1)
    const before = openCount()
    const asked = ask()
    shelf.clear()
    expect(fdsOf((await asked)!)).toHaveLength(6)
    expect(openCount()).toBe(before + 6)
  })

  it('are made again after a machine could make none', async () => {
    const before = openCount()
    const working = mkfifo
    mkfifo = () => Promise.reject(new Error('no process left'))
    expect(await ask()).toBeNull()
    expect(openCount()).toBe(before)
    mkfifo = working
    expect(await ask()).not.toBeNull()
  })

  it('are made in the next place where the first will not do', async () => {
    shelf = new PipeShelf(paths => mkfifo(paths), ['/nowhere', tmpdir()])
    expect(await ask()).not.toBeNull()
    expect(started).toEqual([1])
  })

  it('are made again after there was no place for their names', async () => {
    const places = ['/nowhere']
    shelf = new PipeShelf(paths => mkfifo(paths), places)
    expect(await ask()).toBeNull()
    places.push(tmpdir())
    expect(await ask()).not.toBeNull()
  })

  it('are none where too few are left and no more can be made: that is tried once', async () => {
    const place = tmpdir()
    shelf = new PipeShelf(paths => mkfifo(paths), [place])
    await ask(null, false)
    const working = mkfifo
    let tried = 0
    mkfifo = paths => (++tried > 10 ? working(paths) : Promise.reject(new Error('no process left')))
    expect(await ask(null, false)).toBeNull()
    expect(tried).toBe(1)
  })

  it('are made for one command after they could not be made for many', async () => {
    await take(1)
    const working = mkfifo
    mkfifo = () => Promise.reject(new Error('no process left'))
    expect(await ask()).toBeNull()
    mkfifo = working
    await take(1)
    expect(started).toEqual([1, 1])
  })

  describe('where descriptors are short', () => {
    let place: string

    beforeEach(() => {
      place = mkdtempSync(join(tmpdir(), 'box-shelf-'))
      shelf = new PipeShelf(paths => mkfifo(paths), [place])
    })
    afterEach(() => {
      room.left = Number.POSITIVE_INFINITY
      rmSync(place, { recursive: true })
    })

    // Three are held, and of those the two ends opened.
    it.for([0, 1, 2, 3, 4, 5, 6, 7, 8])(
      'are none with room for %i, and leave nothing',
      async left => {
        const before = openCount()
        room.left = left
        expect(await ask()).toBeNull()
        expect([openCount(), room.left, readdirSync(place)]).toEqual([before, left, []])
        shelf.clear()
        room.left = Number.POSITIVE_INFINITY
        expect(await ask()).not.toBeNull()
        await take(1)
        shelf.clear()
        expect(openCount()).toBe(before + 2 * 6)
      },
    )

    it('are given with room for all of them', async () => {
      room.left = 9
      expect(await ask()).not.toBeNull()
      expect(room.left).toBe(3)
    })

    it('wait on the shelf for nobody where only some could be opened', async () => {
      await take(1)
      const before = openCount()
      room.left = 20
      expect(await ask()).toBeNull()
      expect([openCount(), readdirSync(place)]).toEqual([before, []])
    })
  })
})
