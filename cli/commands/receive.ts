import type { Argv, CommandModule } from 'yargs';
import { UnsupportedError } from '../../formats/errors.ts';
import { runCommand, withCommonOptions } from '../command.ts';
import { type ReceiveFileOptions, receiveFile } from '../teleporter/receive-file.ts';

interface Options extends ReceiveFileOptions {
  teleporter: boolean;
}

export const receiveCommand: CommandModule<object, Options> = {
  command: 'receive',
  describe: 'Receive a running machine',
  builder: (argv) =>
    withCommonOptions(argv)
      .option('teleporter', { type: 'boolean', default: false, describe: 'From a VirtualBox that teleports it' })
      .option('listen', { type: 'string', requiresArg: true, demandOption: true, describe: 'HOST:PORT to wait on' })
      .option('output', { type: 'string', alias: 'o', requiresArg: true, demandOption: true, describe: 'File for the state' })
      .option('password-file', { type: 'string', requiresArg: true, describe: 'File with the password; else SAVKIT_TELEPORTER_PASSWORD, else a prompt' })
      .option('then', {
        choices: ['decline', 'hand-over'] as const,
        default: 'decline' as const,
        describe: 'Once the state is complete: decline the machine, which then runs on at the source; or take it over',
      })
      .option('flatten', { type: 'boolean', default: false, describe: 'Make a plain state of the passes' })
      .option('wait', { type: 'number', default: 300, describe: 'Seconds to wait for a source; 0 for ever' })
      .option('force', { type: 'boolean', alias: 'f', default: false, describe: 'Replace an existing file' })
      .option('ndjson', { type: 'boolean', default: false, describe: 'Print what happens as JSON, one event a line' })
      .example('$0 receive --teleporter --listen :6000 --password-file pw -o vm.sav', 'A consistent copy of a machine that runs on')
      .example('VBoxManage controlvm VM teleport --host HERE --port 6000 --passwordfile pw', 'Its other side, on the host of the machine')
      .example('$0 receive --teleporter --listen :6000 --password-file pw -o vm.sav --then hand-over', 'The machine leaves its host')
      .epilogue('VirtualBox does not encrypt what it sends: between hosts use `savkit relay`, or a tunnel.') as unknown as Argv<Options>,
  handler: async (options) => {
    process.exitCode = await runCommand('receive', [options.output], options, (job) => {
      if (!options.teleporter)
        throw new UnsupportedError('unsupported', 'Cannot receive without --teleporter: only VirtualBox machines can be received so far');
      return receiveFile(options, job);
    });
  },
};
