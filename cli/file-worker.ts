import { COMMANDS } from './command-list.ts';
import { holdAddress, releaseAddress } from './io/addresses.ts';
import { takeOnlyFiles } from './io/only-files.ts';
import { stop } from './io/stop.ts';
import type { FileCommand } from './many/file-command.ts';
import type { FileAnswer, FileTask, WorkerStart } from './many/worker-messages.ts';
import { runOne } from './process/run-command.ts';
import { printIn } from './terminal/print.ts';
import { ProgressBar } from './terminal/progress-bar.ts';

/** Works on the files that the parent process names, one at a time, until the parent ends. */
export function runFileWorker(): void {
  // A terminal sends its signals to this process, too, but only the parent decides when to stop.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {});
  process.on('disconnect', () => stop.abort());
  let perFile: ((task: FileTask) => Promise<FileAnswer>) | undefined;
  process.on('message', async (message: WorkerStart | FileTask | 'stop') => {
    if (message === 'stop') stop.abort();
    else if ('command' in message) perFile = fileRunner(message);
    else {
      const answer = await perFile?.(message);
      if (process.connected) process.send?.(answer);
    }
  });
}

function fileRunner({ command, options, addresses, style }: WorkerStart): (task: FileTask) => Promise<FileAnswer> {
  printIn(style);
  takeOnlyFiles(options.filesFrom !== undefined);
  for (const address of addresses) holdAddress(address);
  const loading = COMMANDS.find(({ command: usage }) => usage.split(' ')[0] === command)?.load();
  return async ({ file, address, ...own }) => {
    if (address !== undefined) holdAddress(address);
    const { perFile } = (await loading) as Awaited<typeof loading> & FileCommand;
    const progress = new ProgressBar(command, file, false);
    const all = { ...options, ...own };
    const job = { file, signal: stop.signal, progress };
    const { text, told, ...done } = await runOne(command, job, all, (each) => perFile(each, all));
    releaseAddress(file);
    return { ...done, text: text.toString(), told: told.toString() };
  };
}
