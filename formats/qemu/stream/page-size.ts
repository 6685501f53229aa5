import { UnsupportedError } from '../../errors.ts';
import type { ByteSource } from '../../files/source.ts';
import { PAGE_SIZE } from '../../sizes.ts';
import type { QemuConfiguration } from '../configuration.ts';
import { findPageSize } from '../find-description.ts';
import { isPc } from '../guest-layout.ts';

/**
 * Refuses guests with pages of another size, such as 1 KiB on ARM machines other than `virt`. If the configuration does
 * not tell the size, the end of the stream does.
 */
export async function expectPageSize(source: ByteSource, { machine, pageBits }: QemuConfiguration): Promise<void> {
  if (isPc(machine)) return;
  const pageSize = pageBits === undefined ? await findPageSize(source) : 2 ** pageBits;
  if (pageSize === undefined || pageSize === PAGE_SIZE) return;
  const message = `Cannot read memory: the guest has pages of ${pageSize} bytes, savkit reads pages of ${PAGE_SIZE}`;
  throw new UnsupportedError('other-page-size', message);
}
