import type { Argv } from 'yargs';
import { withMetrics } from '../../metrics/metrics-server.ts';
import { command } from '../../parsing/options-of.ts';
import { FORCE, NDJSON } from '../../parsing/shared-options.ts';
import { runCommand, withCommonOptions } from '../../process/run-command.ts';
import { relayMigration } from '../../teleporter/relay-migration.ts';

const builder = (argv: Argv) =>
  withMetrics(withCommonOptions(argv))
    .option('listen', {
      type: 'string',
      requiresArg: true,
      demandOption: true,
      describe: 'Address for the source, or the previous relay, to connect to: :PORT or HOST:PORT',
    })
    .option('to', {
      type: 'string',
      requiresArg: true,
      demandOption: true,
      describe: 'HOST:PORT of the target, or of the next relay',
    })
    .option('record', {
      type: 'string',
      requiresArg: true,
      describe: 'File in which to keep a copy of the state that passes through',
    })
    .option('encrypt', {
      choices: ['in', 'out', 'both'] as const,
      describe: 'Side on which there is another relay, reached through TLS',
    })
    .option('key-file', { type: 'string', requiresArg: true, describe: 'File with the secret of both relays' })
    .option('wait', { type: 'number', default: 0, describe: 'Seconds to wait for a source; 0 for ever' })
    .option('force', FORCE)
    .option('ndjson', NDJSON)
    .example('$0 relay --listen :6001 --to target:6000', 'Watch passes, pages and rates of a migration')
    .example('$0 relay --listen :6001 --to target:6000 --record vm.sav', 'The same, keeping the state that passes')
    .example('(umask 077; openssl rand -base64 32 > relay.key)', 'A secret, to be copied to both hosts')
    .example(
      '$0 relay --listen 127.0.0.1:6001 --to other:6443 --encrypt out --key-file relay.key',
      'On the host of the source, which teleports to port 6001',
    )
    .example(
      '$0 relay --listen :6443 --to 127.0.0.1:6000 --encrypt in --key-file relay.key',
      'On the host of the target, which waits on port 6000',
    )
    .epilogue('The relay passes the password on unseen, and ends after one migration.');

export const relayCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('relay', [options.record ?? options.to], options, (job) =>
    relayMigration(options, job),
  );
});
