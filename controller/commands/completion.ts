/** box completion: lets bash, zsh and fish complete commands and the names of devices. */

import { command } from '../command.ts'

const BASH = `_box() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(box completion --for "\${COMP_WORDS[*]:1:COMP_CWORD-1}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _box box
`
const SCRIPTS = {
  bash: BASH,
  zsh: `autoload -U +X bashcompinit && bashcompinit\n${BASH}`,
  fish: `complete -c box -f -a '(box completion --for (string join " " (commandline -opc)[2..-1]) 2>/dev/null)'\n`,
} as const

/** Commands whose first word names a device, and whether tags do as well. */
const NAMING: Readonly<Record<string, 'name' | 'selector'>> = {
  ssh: 'name',
  proxy: 'name',
  rename: 'name',
  tag: 'name',
  rm: 'name',
  doctor: 'name',
  ls: 'selector',
  exec: 'selector',
}

export const completion = command<{ shell: keyof typeof SCRIPTS; for: string | undefined }>({
  usage: 'completion [shell]',
  examples: [
    ['box completion bash >> ~/.bashrc', 'completes from the next shell on'],
    ['box completion fish > ~/.config/fish/completions/box.fish', 'the same for fish'],
  ],
  options: yargs =>
    yargs
      .positional('shell', { choices: ['bash', 'zsh', 'fish'] as const, default: 'bash' as const })
      .option('for', { type: 'string', hidden: true }),
  run: async ({ fleet, output, commands }, { shell, for: typed }) => {
    if (typed === undefined) {
      output.raw(new TextEncoder().encode(SCRIPTS[shell]), 'out')
      return
    }
    const [verb, ...words] = typed.split(/\s+/).filter(word => word && !word.startsWith('-'))
    const naming = verb === undefined ? undefined : NAMING[verb]
    const choices =
      verb === undefined
        ? commands
        : words.length > 0 || !naming
          ? []
          : fleet
              .devices()
              .flatMap(({ name, tags }) =>
                naming === 'name' ? [name] : [name, ...tags.map(tag => `@${tag}`)],
              )
    for (const choice of [...new Set(choices)].sort()) output.result(choice, { choice })
  },
})
