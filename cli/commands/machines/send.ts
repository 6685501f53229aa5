import type { Argv } from 'yargs';
import { UnsupportedError } from '../../../formats/errors.ts';
import { DEFAULT_MAX_DOWNTIME_MS } from '../../../src/live-save/vote.ts';
import { isControlSocket } from '../../control/socket-path.ts';
import { withInput } from '../../io/input.ts';
import { finishing } from '../../io/stop.ts';
import { command } from '../../parsing/options-of.ts';
import { LAYOUT, LIKE, NDJSON, PASSWORD_FILE } from '../../parsing/shared-options.ts';
import { runCommand, withCommonOptions } from '../../process/run-command.ts';
import { sendFile } from '../../teleporter/send-file.ts';
import { sendRunning } from '../../teleporter/send-running.ts';

const builder = (argv: Argv) =>
  withCommonOptions(argv)
    .positional('state', {
      type: 'string',
      demandOption: true,
      describe:
        'Saved state, plain or live, in any container; or the control socket of a machine that savkit run keeps',
    })
    .option('teleporter', {
      type: 'boolean',
      default: false,
      describe: 'To a VirtualBox that waits for a teleported machine',
    })
    .option('to', { type: 'string', requiresArg: true, demandOption: true, describe: 'HOST:PORT of the target' })
    .option('password-file', PASSWORD_FILE)
    .option('password-form', {
      choices: ['hashed', 'plain'] as const,
      default: 'hashed' as const,
      describe: 'Form of the password; plain: for VirtualBox 3.1 to 4.1',
    })
    .option('paused', { type: 'boolean', default: false, describe: 'Leave the machine paused at the target' })
    .option('max-downtime', {
      type: 'number',
      default: DEFAULT_MAX_DOWNTIME_MS,
      describe: 'Of a running machine: milliseconds for which it should stand still at most',
    })
    .option('flatten', {
      type: 'boolean',
      default: false,
      describe: 'Make one plain state of the passes of a live save, and send that',
    })
    .option('pgm', {
      type: 'number',
      requiresArg: true,
      describe: 'Version of the memory unit, 10 to 14; default: that of the state, or 14',
    })
    .option('layout', LAYOUT)
    .option('like', LIKE)
    .option('ndjson', NDJSON)
    .example('$0 send vm.sav --teleporter --to other:6000 --password-file pw', 'The machine goes on at the other host')
    .example(
      'VBoxManage modifyvm VM --teleporter on --teleporter-port 6000 --teleporter-password-file pw',
      'At the target; then VBoxManage startvm VM',
    )
    .epilogue(
      'The machine at the target must have the same RAM, CPUs and devices. VirtualBox does not encrypt: use ' +
        '`savkit relay`, or a tunnel.',
    );
export const sendCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('send', [options.state], options, (job) => {
    if (!options.teleporter)
      throw new UnsupportedError(
        'unsupported',
        'Cannot send without --teleporter: only a waiting VirtualBox takes saved states',
      );
    if (isControlSocket(options.state)) return finishing(sendRunning(options.state, options, job));
    return finishing(withInput(options.state, (source) => sendFile(source, options, job)));
  });
});
