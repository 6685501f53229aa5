import type { Random } from '../../../formats/testing/random.ts';
import type { Network } from '../world/network.ts';
import type { SimulatedHost } from '../world/simulated-process.ts';
import type { HostName } from '../world/simulated-socket.ts';
import type { Timeline } from '../world/timeline.ts';
import type { TeleportScenario } from './teleport-scenario.ts';

/** Surroundings that both sides of a simulated teleport share. */
export interface TeleportGround {
  readonly scenario: TeleportScenario;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly hosts: Record<HostName, SimulatedHost>;
  /** Networks from the source on; two if a relay stands between both sides. */
  readonly links: readonly Network[];
  /** Violations of the rules. */
  readonly faults: string[];
}

/** Password of the teleporter. */
export const PASSWORD = 'simulated';

/** A user who sees a program fail starts it again after this time at most. */
export const AGAIN_MS = 2000;
