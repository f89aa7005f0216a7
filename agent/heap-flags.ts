/** How V8 is set up in an agent; what it compiled ahead is of use only where it is set up the same (deploy/packs.ts). */
export const HEAP_FLAGS = ['--semi-space-growth-factor=1', '--expose-gc'] as const
