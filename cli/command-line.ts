import yargs from 'yargs';
import { UsageError } from '../formats/errors.ts';
import { COMMANDS } from './command-list.ts';
import { hideAddress } from './io/addresses.ts';
import { beforeDashes, hideDashes, showDashes } from './parsing/dash.ts';
import { BEGUN, loadCommands } from './parsing/lazy-command.ts';
import { foldChoices, knownOptions, optionFault, settleSwitches } from './parsing/option-faults.ts';
import { show, terminalColumns } from './terminal/print.ts';
import { ownLines } from './terminal/terminal-text.ts';
import { commandFirst, expectCommand, positionalsOf, refuse, refuseCodes, usageError } from './usage.ts';

/** Width of the help text: longer lines are hard to read. */
const MOST_COLUMNS = 120;
const DEFAULT_COLUMNS = 100;

/** Runs the command that a command line names, and sets the exit code of the process. */
export async function runCommandLine(given: readonly string[], version: string): Promise<void> {
  const words = commandFirst(given.map(hideAddress));
  try {
    await parseAndRun(words, version);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    await refuse(error, words);
  }
}

/** @throws UsageError for a wrong command line */
async function parseAndRun(words: readonly string[], version: string): Promise<void> {
  const options = beforeDashes(words);
  const wantsHelp = options.includes('--help') || options.includes('-h');
  expectCommand(words, wantsHelp || options.includes('--version'));
  const { modules, end } = await loadCommands(COMMANDS, words, (command, argv) => {
    const known = knownOptions(argv);
    const fault = wantsHelp ? undefined : optionFault(words, known, positionalsOf(command));
    if (fault) throw new UsageError('bad-option', fault);
    refuseCodes(words);
    if (words.includes('')) throw new UsageError('missing-argument', 'an argument is empty ("")');
    foldChoices(argv, known);
  });
  const parser = yargs()
    .scriptName('savkit')
    .usage(
      '$0 <command>\n\nRead, verify, repair and convert saved states of VirtualBox and QEMU; move running machines.',
    )
    .command(modules)
    .middleware([showDashes, settleSwitches])
    .demandCommand(1)
    .strict()
    .version(version)
    .help()
    .alias('help', 'h')
    .wrap(Math.min(MOST_COLUMNS, terminalColumns() ?? DEFAULT_COLUMNS))
    .epilogue(
      'Exit codes: 0 ok, 1 bad file, 2 usage, 3 partly done, 4 environment, 5 not supported, 70 savkit itself ' +
        'failed, 130 interrupted.',
    )
    .fail((message, error) => {
      throw error ?? usageError(message, words[0]);
    });

  try {
    await parser.parseAsync(
      hideDashes(words),
      {},
      (_error: unknown, _options: unknown, output: string) => void show(ownLines(output)),
    );
  } catch (error) {
    if (error !== BEGUN) throw error;
  }
  await end();
}
