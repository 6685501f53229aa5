import { UnsupportedError } from '../../formats/errors.ts';
import { IGNORE_SHARED } from '../../formats/qemu/constants.ts';
import { count, flag, list, record, type ShapeValue, text, withDefault } from '../../formats/values/shape.ts';
import type { Ask } from './ask.ts';
import type { QmpClient } from './qmp-client.ts';

/** Makes QEMU wait between memory and devices. */
const PAUSE = 'pause-before-switchover';
/** Bytes per second: as fast as a socket takes them. */
const UNLIMITED = 2 ** 40;
/**
 * Downtime limit in ms: QEMU that hands out memory of a running guest would stop it by itself when the rest fits the
 * limit.
 */
const NEVER = 0;
/** QEMU's own limit, in ms. */
const DEFAULT_DOWNTIME = 300;

const capabilityList = list(record({ capability: text(128), state: flag }), 256);
const parametersShape = record({
  'max-bandwidth': withDefault(count, UNLIMITED),
  'downtime-limit': withDefault(count, DEFAULT_DOWNTIME),
});

/** QEMU's settings for migrations of its own, as far as savkit changes them for a while. */
export const settingsShape = record({
  capabilities: capabilityList,
  /** Bytes per second. */
  bandwidth: count,
  /** In ms. */
  downtime: count,
});
/** QEMU's settings before savkit changed them. */
export type MigrationSettings = ShapeValue<typeof settingsShape>;

/** Asks QEMU for its settings. */
export async function learnSettings(ask: Ask): Promise<MigrationSettings> {
  const capabilities = await ask('query-migrate-capabilities', capabilityList);
  const parameters = await ask('query-migrate-parameters', parametersShape);
  return { capabilities, bandwidth: parameters['max-bandwidth'], downtime: parameters['downtime-limit'] };
}

/**
 * Sets QEMU to write, or read, one plain stream of devices: other capabilities that are on for QEMU's own migrations
 * would change the stream.
 * @param memory `left-out`: all of it is shared; `stripped`: the source's stream holds it as well, and savkit takes it
 * out
 * @throws UnsupportedError with QEMU's message
 */
export async function setForDevicesOnly(
  qmp: QmpClient,
  { capabilities }: MigrationSettings,
  memory: 'left-out' | 'stripped',
): Promise<void> {
  const wanted = memory === 'left-out' ? IGNORE_SHARED : PAUSE;
  const downtime = memory === 'stripped' ? { 'downtime-limit': NEVER } : {};
  // The bandwidth is set first, as a later savkit recognises savkit's settings by it.
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': UNLIMITED, ...downtime });
  await setCapabilities(
    qmp,
    capabilities
      .filter(({ capability, state }) => state !== (capability === wanted))
      .map(({ capability, state }) => ({ capability, state: !state })),
  );
}

/** Whether an earlier savkit has left QEMU's settings changed. */
export async function hasOurSettings(qmp: QmpClient): Promise<boolean> {
  return (await learnSettings((command, shape) => qmp.ask(command, shape))).bandwidth === UNLIMITED;
}

/**
 * Restores settings that an earlier savkit has left changed; not in a QEMU whose owner has changed them since.
 * @returns QEMU's reason where it refuses; a later call may have it done
 */
export async function putBackIfLeft(qmp: QmpClient, former: MigrationSettings): Promise<UnsupportedError | undefined> {
  if (!(await hasOurSettings(qmp))) return undefined;
  try {
    await putBack(qmp, former);
    return undefined;
  } catch (error) {
    if (error instanceof UnsupportedError) return error;
    throw error;
  }
}

/** Sets capabilities of a QEMU that waits for a guest, by the memory that the stream holds. */
export async function expectMemory(qmp: QmpClient, capabilities: readonly string[]): Promise<void> {
  const state = capabilities.includes(IGNORE_SHARED);
  await setCapabilities(qmp, [{ capability: IGNORE_SHARED, state }]);
}

/** Restores the settings from before `setForDevicesOnly`. @throws SavkitError */
export async function putBack(qmp: QmpClient, { capabilities, ...former }: MigrationSettings): Promise<void> {
  await setCapabilities(qmp, capabilities);
  // The bandwidth comes last: by it a later savkit recognises settings that have stayed changed.
  await setLimits(qmp, former);
}

async function setLimits(
  qmp: QmpClient,
  { bandwidth, downtime }: Omit<MigrationSettings, 'capabilities'>,
): Promise<void> {
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': bandwidth, 'downtime-limit': downtime });
}

async function setCapabilities(qmp: QmpClient, capabilities: MigrationSettings['capabilities']): Promise<void> {
  if (capabilities.length > 0) await qmp.execute('migrate-set-capabilities', { capabilities });
}
