import type { Argv } from 'yargs';
import { unlessAborted } from '../../../formats/aborting.ts';
import { SECRET_VARIABLES } from '../../../formats/world/secret-variables.ts';
import { actOnQueue, FLEET_ACTIONS } from '../../fleet/act-on-queue.ts';
import { AnswerLimit } from '../../fleet/answer-limit.ts';
import { OPERATIONS } from '../../fleet/job-shape.ts';
import { command } from '../../parsing/options-of.ts';
import { filesOf } from '../../parsing/shared-options.ts';
import { custody } from '../../process/custody.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { runCommand, withCommonOptions } from '../../process/run-command.ts';
import { unreadBytes } from '../../terminal/print.ts';

/** Time for giving jobs under way back to the server. */
const FAREWELL_MS = 5000;
/** Time for the server's client to end by itself. */
const EXIT_MS = 200;

const builder = (argv: Argv) =>
  withCommonOptions(argv)
    .positional('action', {
      choices: FLEET_ACTIONS,
      demandOption: true,
      describe: 'add: put files into the queue; work: do its jobs; status: count them; report: list the results',
    })
    .positional(
      'words',
      filesOf(`Of add: ${OPERATIONS.join(', ')}; then files and, with -r, folders, as all workers can open them`),
    )
    .option('queue', {
      type: 'string',
      requiresArg: true,
      describe:
        `redis://HOST:PORT or postgres://HOST:PORT/DATABASE; default: ${SECRET_VARIABLES.queue}, which hides a ` +
        'password from other users',
    })
    .option('with', {
      type: 'string',
      array: true,
      requiresArg: true,
      default: [] as string[],
      describe: 'Of add: an option of the operation, such as --with=--hash; may be given several times',
    })
    .option('recursive', {
      type: 'boolean',
      alias: 'r',
      default: false,
      describe: 'Of add: take all files in folders',
    })
    .option('files-from', {
      type: 'string',
      requiresArg: true,
      describe: 'Of add: also the files of this list, one a line; - for stdin',
    })
    .option('null', {
      type: 'boolean',
      alias: '0',
      default: false,
      describe: 'Names in the list end with a NUL byte',
    })
    .option('jobs', { type: 'number', requiresArg: true, default: 1, describe: 'Of work: jobs side by side' })
    .option('until-empty', {
      type: 'boolean',
      default: false,
      describe: 'Of work: end when no jobs are left',
    })
    .option('csv', { type: 'boolean', default: false, describe: 'Of report: comma-separated values' })
    .option('ndjson', { type: 'boolean', default: false, describe: 'Print JSON, one event or file a line' })
    .example('$0 fleet add verify -r /archive --queue redis://queue', 'Files that all hosts see under this path')
    .example('$0 fleet work --jobs 4 --queue redis://queue', 'On each host')
    .example('$0 fleet report --ndjson --queue redis://queue > results.ndjson', 'For savkit report, too')
    .epilogue(
      'Exit codes: of report the gravest of the files, as with the operation itself, or 3 where jobs in the queue ' +
        'are not of savkit; 4 the queue cannot be reached; 130 a signal has ended the command (the usual end of work).',
    );

export const fleetCommand = command(builder, async (options) => {
  const patience = options.action === 'work' ? FAREWELL_MS : 0;
  const limit = new AnswerLimit();
  custody.takesUncaught = (error) => limit.takeUncaught(error);
  let staysOpen = false;
  const onStaysOpen = () => {
    staysOpen = true;
  };
  const exitCode = await runCommand('fleet', [options.action], options, (job) =>
    unlessAborted(job.signal, patience, Promise.race([actOnQueue(options, job, limit, onStaysOpen), limit.exceeded])),
  );
  limit.end();
  process.exitCode = exitCode;
  // The client of a failing server tries on for ever, and would keep the process alive.
  const isStuck = staysOpen || exitCode === ExitCode.ENVIRONMENT || exitCode === ExitCode.INTERRUPTED;
  if (isStuck) setInterval(() => unreadBytes() === 0 && process.exit(), EXIT_MS).unref();
});
