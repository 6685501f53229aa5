import { QmpClient, type QmpWait } from '../qmp/qmp-client.ts';
import { type GuestProcess, processBehind, processWithWords } from './guest-process.ts';
import { VIRSH_MS, VirshBridge } from './virsh-bridge.ts';

// A guest has an address: the path of a QMP socket, or `libvirt:DOMAIN`.

export const LIBVIRT_SCHEME = 'libvirt:';

/** A guest with a connection to its QEMU. */
export interface ReachedGuest {
  /** The address, as records keep it. */
  address: string;
  qmp: QmpClient;
  /** The process of QEMU; undefined where the system does not tell. */
  process: GuestProcess | undefined;
  /** Closes the connection; the guest does not notice. */
  close(): void;
}

export function isOfLibvirt(address: string): boolean {
  return address.startsWith(LIBVIRT_SCHEME);
}

/**
 * Connects to a guest.
 * @throws EnvironmentError, UnsupportedError with libvirt's message, InterruptedError
 */
export async function reachGuest(address: string, wait: QmpWait = {}): Promise<ReachedGuest> {
  if (!isOfLibvirt(address)) {
    const qmp = await QmpClient.connect(address, wait);
    return { address, qmp, process: processBehind(address), close: () => qmp.close() };
  }
  const bridge = await VirshBridge.open(address.slice(LIBVIRT_SCHEME.length), wait);
  try {
    const qmp = await QmpClient.connect(bridge.path, { withinMs: VIRSH_MS, ...wait });
    const close = () => {
      qmp.close();
      bridge.close();
    };
    return { address, qmp, process: processWithWords('-uuid', bridge.uuid), close };
  } catch (error) {
    bridge.close();
    throw error;
  }
}
