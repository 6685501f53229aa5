import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { COMMANDS } from './command-list.ts';
import { hideDashes, showDashes } from './dash.ts';
import { loadCommands } from './lazy-command.ts';
import { knownOptions, optionFault, settleSwitches } from './option-faults.ts';
import { terminalColumns } from './terminal/print.ts';
import { commandFirst, positionalsOf, refuse } from './usage.ts';

/** Reads the command line and runs what it asks for. */
export async function runCommandLine(version: string): Promise<void> {
  const words = commandFirst(hideBin(process.argv));
  const wantsHelp = words.includes('--help') || words.includes('-h');
  const { modules, end } = await loadCommands(COMMANDS, words, (command, argv) => {
    const fault = wantsHelp ? undefined : optionFault(words, knownOptions(argv), positionalsOf(command));
    if (fault) refuse(fault, words);
  });
  const parser = yargs(hideDashes(words))
    .scriptName('savkit')
    .usage('$0 <command>\n\nRead, verify, extract and convert VirtualBox saved states; move running machines.')
    .command(modules)
    .middleware([showDashes, settleSwitches])
    .demandCommand(1)
    .strict()
    .version(version)
    .help()
    .alias('help', 'h')
    .wrap(Math.min(120, terminalColumns() ?? 100))
    .epilogue('Exit codes: 0 ok, 1 bad file, 2 usage, 3 partly done, 4 environment, 5 not supported, 130 interrupted.')
    .fail((message, error) => {
      if (error) throw error;
      refuse(message, words);
    });

  // yargs lays out the help text of a command once it has run; without wrapping that takes no time.
  parser.middleware(() => {
    parser.wrap(null);
  });
  await parser.parseAsync();
  await end();
}
