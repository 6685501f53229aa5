import { IGNORE_SHARED } from '../../formats/qemu/constants.ts';
import { count, flag, list, record, text, withDefault } from '../../formats/values/shape.ts';
import type { QmpClient } from '../qmp/qmp-client.ts';

/** Has QEMU wait before it goes on from memory to devices. */
const PAUSE = 'pause-before-switchover';
/** Bytes per second: as fast as a socket takes them. */
const UNLIMITED = 2 ** 40;
/** ms: QEMU that hands out memory of a guest that runs stops it by itself when the rest takes no longer. */
const NEVER = 0;
/** QEMU's own, in ms. */
const DEFAULT_DOWNTIME = 300;

const capabilityList = list(record({ capability: text(128), state: flag }), 256);
const parametersShape = record({
  'max-bandwidth': withDefault(count, UNLIMITED),
  'downtime-limit': withDefault(count, DEFAULT_DOWNTIME),
});
type Capability = { capability: string; state: boolean };

/** How QEMU was set to migrate before, so that it can be put back. */
export interface FormerSettings {
  capabilities: Capability[];
  bandwidth: number;
  downtime: number;
}

/**
 * Sets QEMU to write, or read, one plain stream of devices: whatever else was switched on for migrations of its own
 * would make another stream of it.
 * @param memory `left-out`: all of it is shared; `stripped`: it stands in the stream as well, at the source, and savkit
 * takes it out
 * @throws UnsupportedError in QEMU's words, as for a version that does not know how
 */
export async function setForDevicesOnly(qmp: QmpClient, memory: 'left-out' | 'stripped'): Promise<FormerSettings> {
  const capabilities = await qmp.ask('query-migrate-capabilities', capabilityList);
  const former = await qmp.ask('query-migrate-parameters', parametersShape);
  const wanted = memory === 'left-out' ? IGNORE_SHARED : PAUSE;
  await setCapabilities(
    qmp,
    capabilities
      .filter(({ capability, state }) => state !== (capability === wanted))
      .map(({ capability, state }) => ({ capability, state: !state })),
  );
  const downtime = memory === 'stripped' ? { 'downtime-limit': NEVER } : {};
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': UNLIMITED, ...downtime });
  return { capabilities, bandwidth: former['max-bandwidth'], downtime: former['downtime-limit'] };
}

/** Sets a QEMU that waits for a guest to expect the memory that its stream has. */
export async function expectMemory(qmp: QmpClient, capabilities: readonly string[]): Promise<void> {
  const state = capabilities.includes(IGNORE_SHARED);
  await setCapabilities(qmp, [{ capability: IGNORE_SHARED, state }]);
}

/** Puts back what `setForDevicesOnly` has found. */
export async function putBack(qmp: QmpClient, { capabilities, bandwidth, downtime }: FormerSettings): Promise<void> {
  await setCapabilities(qmp, capabilities);
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': bandwidth, 'downtime-limit': downtime });
}

async function setCapabilities(qmp: QmpClient, capabilities: Capability[]): Promise<void> {
  if (capabilities.length > 0) await qmp.execute('migrate-set-capabilities', { capabilities });
}
