/**
 * What pty.ts uses of node-pty: the package is installed under its own name from @lydell/node-pty, whose
 * types are only for that name; and the wrapper needs some of its insides, which no types tell (1.1.0,
 * unixTerminal.js and terminal.js).
 */

declare module 'node-pty' {
  interface Options {
    readonly name: string
    readonly cols: number
    readonly rows: number
    readonly cwd: string
    readonly env: Record<string, string>
    readonly encoding: string | null
    readonly uid?: number
    readonly gid?: number
  }

  interface Terminal {
    readonly pid: number
    readonly fd: number
    /** The device file of the program's side. */
    readonly ptsName: string
    readonly _socket: import('node:net').Socket & {
      readonly _readableState: { decoder: unknown; encoding: unknown }
    }
    /** Called by node-pty itself with 'close' when the program has ended. */
    once(event: string, listener: () => void): void
    onExit(listener: (exit: { exitCode: number; signal?: number }) => void): void
    resize(columns: number, rows: number): void
  }

  function spawn(file: string, args: string[], options: Options): Terminal
}
