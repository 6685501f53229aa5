import type { Incident } from '../scenario.ts';
import type { SimulatedHost } from '../world/simulated-process.ts';
import type { HostName } from '../world/simulated-socket.ts';
import type { SimulatedQemu } from './simulated-qemu.ts';

/** Things that a program of savkit leaves. */
interface Left {
  /** Kinds of troubles that have happened. */
  readonly troubles: { readonly had: ReadonlySet<Incident['kind']> };
  /** Hosts on which the program has said that settings of a QEMU may stay as they are. */
  readonly toldOfSettings: ReadonlySet<HostName>;
  readonly report: { outcome: 'handed-over' | 'kept' | 'undecided' } | undefined;
  /** QEMUs that live. */
  at(host: SimulatedHost): readonly SimulatedQemu[];
}

/**
 * Checks the QEMU that a program of savkit leaves when it ends by itself: operators who ask later would have it ended
 * or its settings put back, and hide that savkit has not done so. A QEMU in trouble may not quit as it is told.
 */
export function leavingFaults(left: Left, host: SimulatedHost): string[] {
  const [qemu] = left.at(host);
  if (!qemu) return [];
  const { outcome } = left.report ?? {};
  if (host.name === 'source' && outcome === 'handed-over')
    return left.troubles.had.has('qemu') ? [] : ['the QEMU of a guest that has left is not ended'];
  // Devices may have to be saved again, and an earlier target that was killed may have left a QEMU of its own.
  const mayDiffer =
    host.name === 'source' ? outcome === 'undecided' : left.troubles.had.has('kill') || left.troubles.had.has('crash');
  const { left: copies } = qemu.copies;
  if (host.name === 'source' && !left.troubles.had.has('qemu') && copies.length > 0)
    return [`savkit has left ${copies.join(', ')} in the QEMU at the source`];
  if (mayDiffer || qemu.hasFirstSettings || left.toldOfSettings.has(host.name)) return [];
  return [`savkit has not put back the settings of the QEMU at the ${host.name}, and does not say so`];
}
