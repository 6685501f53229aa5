import { connectPeer } from '../../migrations/teleporter/connect.ts';
import { type TeleportReport, teleportRunning } from '../../migrations/teleporter/teleport-running.ts';
import { parseEndpoint } from '../../migrations/trust/endpoint.ts';
import type { RunningMachine } from '../../src/running/running-machine.ts';
import type { OnEvent } from './kept-machine.ts';
import type { TeleportRequest } from './requests.ts';

/** Teleports a machine of this process to a VirtualBox that waits for it. @throws as `teleportRunning` does */
export async function teleport(
  request: TeleportRequest,
  running: RunningMachine,
  onEvent: OnEvent,
  signal: AbortSignal,
): Promise<TeleportReport> {
  const { to, password, paused, maxDowntimeMs } = request;
  const peer = await connectPeer(parseEndpoint(to), { signal });
  try {
    return await teleportRunning(peer, running, {
      ...{ password, paused, maxDowntimeMs, signal },
      onStep: (step, bytes) => (step === 'stream' ? onEvent('progress', { bytes }) : onEvent('step', { step })),
      onPass: (pass) => onEvent('pass', pass),
    });
  } finally {
    // The close is not awaited, so that the caller gets the answer before the process of the machine ends.
    void peer.close();
  }
}
