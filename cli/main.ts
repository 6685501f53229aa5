#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { controlCommand } from './commands/control.ts';
import { convertCommand } from './commands/convert.ts';
import { diffCommand } from './commands/diff.ts';
import { extractCommand } from './commands/extract.ts';
import { inspectCommand } from './commands/inspect.ts';
import { liveSaveCommand } from './commands/live-save.ts';
import { manifestCommand } from './commands/manifest.ts';
import { pagetableCommand } from './commands/pagetable.ts';
import { peekCommand } from './commands/peek.ts';
import { pokeCommand } from './commands/poke.ts';
import { receiveCommand } from './commands/receive.ts';
import { relayCommand } from './commands/relay.ts';
import { runCommandModule } from './commands/run.ts';
import { salvageCommand } from './commands/salvage.ts';
import { sendCommand } from './commands/send.ts';
import { verifyCommand } from './commands/verify.ts';
import { walkCommand } from './commands/walk.ts';
import { hideDashes, showDashes } from './dash.ts';
import { ExitCode } from './exit-codes.ts';

/** A reader that closed its end early, like `head`, wants no more; that is no fault. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? ExitCode.OK : ExitCode.ENVIRONMENT));

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };

// A version needs no command line parser.
if (process.argv.slice(2).join(' ') === '--version') process.stdout.write(`${version}\n`);
else await (await import('./command-line.ts')).runCommandLine(version);
const parser = yargs(hideDashes(hideBin(process.argv)))
  .scriptName('savkit')
  .usage('$0 <command>\n\nRead, verify, extract and convert VirtualBox saved states; move running machines.')
  .command(inspectCommand)
  .command(verifyCommand)
  .command(extractCommand)
  .command(convertCommand)
  .command(salvageCommand)
  .command(manifestCommand)
  .command(diffCommand)
  .command(peekCommand)
  .command(pokeCommand)
  .command(walkCommand)
  .command(pagetableCommand)
  .command(receiveCommand)
  .command(sendCommand)
  .command(relayCommand)
  .command(runCommandModule)
  .command(liveSaveCommand)
  .command(controlCommand)
  .middleware(showDashes)
  .demandCommand(1, 'Which command?')
  .strict()
  .version(version)
  .help()
  .alias('help', 'h')
  .wrap(Math.min(120, process.stdout.columns ?? 100))
  .epilogue('Exit codes: 0 ok, 1 bad file, 2 usage, 3 partly done, 4 environment, 5 not supported, 130 interrupted.')
  .fail((message, error) => {
    if (error) throw error;
    process.stderr.write(`savkit: ${message}\nTry: savkit --help\n`);
    process.exit(ExitCode.USAGE);
  });

await parser.parseAsync();
