import { count, flag, list, record, text, withDefault } from '../../formats/values/shape.ts';
import type { QmpClient } from '../qmp/qmp-client.ts';

/** Has QEMU leave out of its stream all memory that others share with it. */
const IGNORE_SHARED = 'x-ignore-shared';
/** Bytes per second: as fast as a socket takes them. */
const UNLIMITED = 2 ** 40;

const capabilityList = list(record({ capability: text(128), state: flag }), 256);
type Capability = { capability: string; state: boolean };

/** How QEMU was set to migrate before, so that it can be put back. */
export interface FormerSettings {
  capabilities: Capability[];
  bandwidth: number;
}

/**
 * Sets QEMU to write, or read, one plain stream of devices without shared memory: whatever else was switched on for
 * migrations of its own would make another stream of it.
 * @throws UnsupportedError in QEMU's words, as for a version that does not know how
 */
export async function setForDevicesOnly(qmp: QmpClient): Promise<FormerSettings> {
  const capabilities = await qmp.ask('query-migrate-capabilities', capabilityList);
  const { 'max-bandwidth': bandwidth } = await qmp.ask(
    'query-migrate-parameters',
    record({ 'max-bandwidth': withDefault(count, UNLIMITED) }),
  );
  await setCapabilities(
    qmp,
    capabilities
      .filter(({ capability, state }) => state !== (capability === IGNORE_SHARED))
      .map(({ capability, state }) => ({ capability, state: !state })),
  );
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': UNLIMITED });
  return { capabilities, bandwidth };
}

/** Puts back what `setForDevicesOnly` has found. */
export async function putBack(qmp: QmpClient, { capabilities, bandwidth }: FormerSettings): Promise<void> {
  await setCapabilities(qmp, capabilities);
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': bandwidth });
}

async function setCapabilities(qmp: QmpClient, capabilities: Capability[]): Promise<void> {
  if (capabilities.length > 0) await qmp.execute('migrate-set-capabilities', { capabilities });
}
