import type { Argv } from 'yargs';
import { parseBigNumber } from '../../../formats/values/number-text.ts';
import type { AddressSpace, Translation } from '../../../src/paging/address-space.ts';
import { command } from '../../parsing/options-of.ts';
import { withRamFile } from '../../parsing/ram-option.ts';
import { CPU, CR3, FILE } from '../../parsing/shared-options.ts';
import { ExitCode } from '../../process/exit-codes.ts';
import { withSpace } from '../../process/load-machine.ts';
import { runCommand, withCommonOptions } from '../../process/run-command.ts';
import { lines } from '../../terminal/terminal-text.ts';
import { FLAGS_LEGEND, hexText, rightsText, walkText } from '../../text/paging-text.ts';

const builder = (argv: Argv) =>
  withRamFile(withCommonOptions(argv))
    .positional('file', FILE)
    .positional('addresses', {
      type: 'string',
      array: true,
      demandOption: true,
      describe: 'Virtual addresses, e.g. 0xffffffff80000000',
    })
    .option('cpu', CPU)
    .option('cr3', CR3)
    .example('$0 walk machine.sav 0xffffffff80000000', 'Each entry on the way, and the physical address')
    .example(
      "$0 walk --json machine.sav 0xffffffff80000000 | jq -r '.files[0].result.walks[0].physical'",
      'The address for a script',
    )
    .epilogue('Exit code 3 when an address leads nowhere.');
export const walkCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('walk', [options.file], options, async (job) => {
    const addresses = options.addresses.map(parseBigNumber);
    return withSpace(job, options, (space) => {
      const found = addresses.map((address) => ({ address, found: space.translate(address) }));
      const exitCode = found.every((each) => each.found.status === 'mapped') ? ExitCode.OK : ExitCode.PARTLY;
      const text = lines([...found.map((each) => walkText(each.address, each.found, space)), FLAGS_LEGEND]);
      return { exitCode, result: describe(space, found), text };
    });
  });
});

function describe(space: AddressSpace, found: { address: bigint; found: Translation }[]): object {
  return {
    mode: space.mode,
    walks: found.map(({ address, found }) => ({
      virtual: hexText(address),
      status: found.status,
      ...(found.status === 'mapped'
        ? { physical: hexText(found.gcPhys), pageSize: found.pageSize, rights: rightsText(found) }
        : { level: found.level }),
      entries: found.entries.map(({ name, address: at, value }) => ({
        name,
        address: at === undefined ? undefined : hexText(at),
        value: hexText(value),
      })),
    })),
  };
}
