import type { CommandWords, WordOption } from './vocabulary.ts';

// Scripts that complete command lines of savkit. They contain all declared words, so that pressing a key starts no
// process; savkit is run only for names of units, ROMs and device memory in the file on the command line.

export const SHELLS = ['bash', 'zsh', 'fish', 'pwsh'] as const;
export type Shell = (typeof SHELLS)[number];

export const SCRIPTS: Readonly<Record<Shell, (commands: readonly CommandWords[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
  pwsh: pwshScript,
};

function isName({ takes }: WordOption): boolean {
  return takes !== 'switch' && takes !== 'value';
}

/** All spellings of an option. */
function spellings({ name, short }: WordOption): string[] {
  return short === undefined ? [name] : [name, short];
}

/** Text in single quotes, as POSIX shells and fish read it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function bashScript(commands: readonly CommandWords[]): string {
  const cases = commands.map(({ name, options, choices }) => {
    const values = options
      .filter((option) => option.choices.length > 0)
      .map((option) => `      ${spellings(option).join('|')}) words=${quoted(option.choices.join(' '))} ;;`);
    const names = options
      .filter(isName)
      .map((option) => `      ${option.name}) _savkit_names ${option.takes}; return ;;`);
    const others = options.filter(({ takes, choices: given }) => takes === 'value' && given.length === 0);
    const free = others.length > 0 ? [`      ${others.flatMap(spellings).join('|')}) return ;;`] : [];
    return [
      `    ${name})`,
      `      options=${quoted(options.flatMap(spellings).join(' '))}`,
      `      arguments=${quoted(choices.join(' '))}`,
      '      case $prev in',
      ...values,
      ...names,
      ...free,
      '      esac ;;',
    ].join('\n');
  });
  return `# bash completion of savkit; made by: savkit completion bash
# Names come out of a file: they are compared and quoted, and never expanded, as compgen -W would.
_savkit_names() {
  local word name quoted
  for word in "\${COMP_WORDS[@]:2}"; do
    [[ -f $word ]] || continue
    while IFS= read -r name; do
      printf -v quoted %q "$name"
      [[ $name == "$cur"* || $quoted == "$cur"* ]] && COMPREPLY+=("$quoted")
    done < <(savkit completion "$1" "$word" 2>/dev/null)
    return
  done
}
_savkit() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} options='' arguments='' words=''
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W ${quoted(['help', ...commands.map(({ name }) => name)].join(' '))} -- "$cur"))
    return
  fi
  case \${COMP_WORDS[1]} in
${cases.join('\n')}
  esac
  if [[ -n $words ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
  elif [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$cur"))
  elif [[ -n $arguments ]]; then
    COMPREPLY=($(compgen -W "$arguments" -- "$cur"))
  fi
}
complete -o bashdefault -o default -F _savkit savkit`;
}

function zshScript(commands: readonly CommandWords[]): string {
  const described = (text: string) => text.replace(/[[\]:\\]/g, '\\$&');
  const specs = ({ options, choices }: CommandWords) => [
    ...options.flatMap((option) =>
      spellings(option).map((spelt) => quoted(`${spelt}[${described(option.meaning)}]${following(option)}`)),
    ),
    quoted(choices.length > 0 ? `*:argument:(${choices.join(' ')})` : '*:file:_files'),
  ];
  const following = (option: WordOption) => {
    if (option.takes === 'switch') return '';
    if (option.choices.length > 0) return `:value:(${option.choices.join(' ')})`;
    return isName(option) ? `:name:{_savkit_names ${option.takes}}` : ':value:_files';
  };
  return `#compdef savkit
# zsh completion of savkit; made by: savkit completion zsh
_savkit_names() {
  local word
  for word in \${words[2,-1]}; do
    if [[ -f $word ]]; then
      compadd -- \${(f)"$(savkit completion $1 $word 2>/dev/null)"}
      return
    fi
  done
}
_savkit() {
  local -a commands=(
${commands.map(({ name, meaning }) => `    ${quoted(`${name}:${described(meaning)}`)}`).join('\n')}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${commands.map((command) => `    ${command.name}) _arguments ${specs(command).join(' ')} ;;`).join('\n')}
  esac
}
if [[ $funcstack[1] == _savkit ]]; then _savkit "$@"; else compdef _savkit savkit; fi`;
}

function fishScript(commands: readonly CommandWords[]): string {
  const lines = commands.flatMap(({ name, meaning, options, choices }) => [
    `complete -c savkit -n __fish_use_subcommand -f -a ${name} -d ${fishQuoted(meaning)}`,
    ...(choices.length > 0
      ? [`complete -c savkit -n '__fish_seen_subcommand_from ${name}' -f -a ${fishQuoted(choices.join(' '))}`]
      : []),
    ...options.map((option) => {
      const short = option.short === undefined ? '' : ` -s ${option.short.slice(1)}`;
      const values =
        option.choices.length > 0
          ? ` -x -a ${fishQuoted(option.choices.join(' '))}`
          : isName(option)
            ? ` -x -a '(__savkit_names ${option.takes})'`
            : option.takes === 'value'
              ? ' -r'
              : '';
      return (
        `complete -c savkit -n '__fish_seen_subcommand_from ${name}' -l ${option.name.slice(2)}${short}${values} ` +
        `-d ${fishQuoted(option.meaning)}`
      );
    }),
  ]);
  return `# fish completion of savkit; made by: savkit completion fish
function __savkit_names
    for word in (commandline -opc)
        if test -f $word
            savkit completion $argv[1] $word 2>/dev/null
            return
        end
    end
end
${lines.join('\n')}`;
}

function fishQuoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}

function pwshScript(commands: readonly CommandWords[]): string {
  const text = (value: string) => `'${value.replaceAll("'", "''")}'`;
  const list = (values: readonly string[]) => `@(${values.map(text).join(', ')})`;
  const entries = commands.map(({ name, options, choices }) => {
    const values = options
      .filter((option) => option.choices.length > 0 || isName(option))
      .flatMap((option) =>
        spellings(option).map((spelt) => {
          const given = isName(option)
            ? `{ & savkit completion ${option.takes} $file 2>$null | ForEach-Object ` +
              `{ if ($_ -match '[ ,=@]') { "'$_'" } else { $_ } } }`
            : list(option.choices);
          return `${text(spelt)} = ${given}`;
        }),
      );
    return (
      `  ${text(name)} = @{ options = ${list(options.flatMap(spellings))}; arguments = ${list(choices)}; values ` +
      `= @{ ${values.join('; ')} } }`
    );
  });
  return `# PowerShell completion of savkit; made by: savkit completion pwsh
$SavkitWords = @{
${entries.join('\n')}
}
Register-ArgumentCompleter -Native -CommandName savkit -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @($commandAst.CommandElements | ForEach-Object { $_.ToString() })
  $complete = $words.Count -gt 1 -and $words[-1] -eq $wordToComplete
  $before = if ($complete) { $words[0..($words.Count - 2)] } else { $words }
  if ($before.Count -lt 2) { $found = $SavkitWords.Keys }
  else {
    $known = $SavkitWords[$before[1]]
    $file = $before | Select-Object -Skip 2 | Where-Object { Test-Path -PathType Leaf $_ } | Select-Object -First 1
    $values = if ($known) { $known.values[$before[-1]] }
    if ($values -is [scriptblock]) { $found = if ($file) { & $values } }
    elseif ($values) { $found = $values }
    elseif ($wordToComplete.StartsWith('-')) { $found = $known.options }
    else { $found = $known.arguments }
  }
  $found | Where-Object { $_ -like "$wordToComplete*" } | Sort-Object | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}`;
}
