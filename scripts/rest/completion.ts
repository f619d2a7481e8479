import type { Command } from 'commander'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

interface Place {
  /** Names of commands from the program's on, with spaces between. */
  readonly path: string
  /** What may follow: names of commands and options. */
  readonly words: readonly string[]
}

/** A shell script made of the tree of commands. */
export function completionScript(program: Command, shell: Shell): string {
  const places = Array.from(placesOf(program, []))
  if (shell === 'fish') return fish(places)
  return shell === 'bash' ? bash(places) : zsh(places)
}

function* placesOf(command: Command, path: readonly string[]): Generator<Place> {
  const options = command.options
    .filter(({ hidden }) => !hidden)
    .map(({ long, short }) => long ?? short ?? '')
  yield {
    path: path.join(' '),
    words: [...command.commands.map((one) => one.name()), ...options, '--help'],
  }
  for (const one of command.commands) yield* placesOf(one, [...path, one.name()])
}

/** Cases of the place where the words so far have led. */
function cases(places: readonly Place[]): string {
  return places.map(({ path, words }) => `    '${path}') words='${words.join(' ')}' ;;`).join('\n')
}

/** Names of commands that lead deeper. */
function steps(places: readonly Place[]): string {
  return places
    .filter(({ path }) => path !== '')
    .map(({ path }) => `'${path}'`)
    .join('|')
}

function bash(places: readonly Place[]): string {
  return `# bash completion of cinque
_cinque() {
  local place='' next i words=''
  for ((i = 1; i < COMP_CWORD; i++)); do
    next="\${place:+$place }\${COMP_WORDS[i]}"
    case "$next" in
    ${steps(places)}) place=$next ;;
    esac
  done
  case "$place" in
${cases(places)}
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _cinque cinque
`
}

function zsh(places: readonly Place[]): string {
  return `#compdef cinque
_cinque() {
  local place='' next='' found='' i
  for ((i = 2; i < CURRENT; i++)); do
    next="\${place:+$place }\${words[i]}"
    case "$next" in
    ${steps(places)}) place=$next ;;
    esac
  done
  found=$(_cinque_words "$place")
  compadd -- \${=found}
  _files
}
_cinque_words() {
  local words=''
  case "$1" in
${cases(places)}
  esac
  print -r -- "$words"
}
compdef _cinque cinque
`
}

function fish(places: readonly Place[]): string {
  const each = places.map(({ path, words }) => `    case '${path}'\n      printf '%s\\n' ${words.join(' ')}`)
  return `# fish completion of cinque
function __cinque_words
  set -l place ''
  for word in (commandline -opc)[2..-1]
    set -l next (string trim -- "$place $word")
    switch $next
    case ${steps(places).replaceAll('|', ' ')}
      set place $next
    end
  end
  switch $place
${each.join('\n')}
  end
end
complete -c cinque -a '(__cinque_words)'
`
}
