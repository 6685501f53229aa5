import type { Argv } from 'yargs';
import { UsageError } from '../../formats/errors.ts';
import { isPlainName } from '../../formats/values/shell-word.ts';
import { readState } from '../../src/saved-state/families/read-state.ts';
import type { StateView } from '../../src/saved-state/reading/state-view.ts';
import { SCRIPTS, SHELLS, type Shell } from '../completion/scripts.ts';
import { type CommandWords, NAME_KINDS, type NameKind } from '../completion/vocabulary.ts';
import { withInput } from '../io/input.ts';
import { command } from '../parsing/options-of.ts';
import { ExitCode } from '../process/exit-codes.ts';
import { runCommand, withCommonOptions } from '../process/run-command.ts';
import { jsonText, lines } from '../terminal/terminal-text.ts';

const NAMES: Readonly<Record<NameKind, (state: StateView) => string[]>> = {
  unit: ({ units }) => units.map(({ name, instance }) => (instance === 0 ? name : `${name}/${instance}`)),
  rom: ({ memory }) => (memory?.roms ?? []).map(({ name }) => name),
  mmio2: ({ memory }) => (memory?.mmio2 ?? []).map(({ name }) => name),
};

const builder = (argv: Argv) =>
  withCommonOptions(argv)
    .positional('shell', {
      choices: [...SHELLS, ...NAME_KINDS],
      demandOption: true,
      describe: "Shell; or, for a shell's script, the kind of names to list from a state",
    })
    .positional('file', { type: 'string', describe: 'The state whose names to list' })
    .example('$0 completion bash', 'The script for bash, for ~/.local/share/bash-completion/completions/savkit')
    .example('$0 completion unit machine.sav', 'Names of units, one a line')
    .epilogue(
      'Where scripts belong: zsh, a file _savkit in a folder of fpath; fish, ' +
        '~/.config/fish/completions/savkit.fish; PowerShell, a line in $PROFILE: savkit completion pwsh | ' +
        'Out-String | Invoke-Expression.',
    );

/** @param vocabulary words of all commands; a parameter, since this command is one of them */
export function completionCommand(vocabulary: () => Promise<readonly CommandWords[]>) {
  return command(builder, async (options) => {
    const { shell, file } = options;
    const kind = NAME_KINDS.find((each) => each === shell);
    if (kind !== undefined && file === undefined)
      throw new UsageError('missing-argument', `expected savkit completion ${kind} <file>`);
    process.exitCode = await runCommand('completion', [file ?? shell], options, async (job) => {
      if (kind === undefined) {
        const script = SCRIPTS[shell as Shell](await vocabulary());
        return { exitCode: ExitCode.OK, result: { shell, script }, text: jsonText(script) };
      }
      const names = await withInput(job.file, async (source) => NAMES[kind](await readState(source, job)));
      // Names come from a file, and go onto a shell's command line.
      const unique = [...new Set(names)].filter(isPlainName);
      return { exitCode: ExitCode.OK, result: { kind, names: unique }, text: lines(unique) };
    });
  });
}
