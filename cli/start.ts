import { stop } from './io/stop.ts';
import { WORKER_VARIABLE } from './many/worker-messages.ts';
import { custody } from './process/custody.ts';
import { endWithTerminal } from './process/lost-terminal.ts';
import { version } from './process/version.ts';
import { onOutputError, show } from './terminal/print.ts';
import { line } from './terminal/terminal-text.ts';

onOutputError((error) => custody.outputFailed(error));
endWithTerminal();
process.on('uncaughtException', (error) => custody.uncaught(error));

const words = process.argv.slice(2);
if (process.env[WORKER_VARIABLE] && process.connected)
  void import('./file-worker.ts').then((worker) => worker.runFileWorker());
// `--version` needs no command line parser.
else if (words.join(' ') === '--version') void show(line`${version()}`);
else void runToItsEnd();

/** Milliseconds for which the end of an interrupted process waits for other processes and connections. */
const LEFT_MS = 300;

/**
 * Runs the command. If the command waits for an event that cannot happen, Node would end the process with exit code 0,
 * as if the work was done; an error is reported instead.
 */
async function runToItsEnd(): Promise<void> {
  const complain = () => custody.uncaught(new Error('savkit waits for an event that cannot happen any more'));
  process.once('beforeExit', complain);
  const { runCommandLine } = await import('./command-line.ts');
  await runCommandLine(words, version());
  process.off('beforeExit', complain);
  // A program that hangs, and that was told to end as well, would keep the process.
  if (stop.signal.aborted) setTimeout(() => process.exit(), LEFT_MS).unref();
}
