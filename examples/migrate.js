// Moves a running machine over a socket, here within one process: node examples/migrate.js

import { emptyMachine, RunningMachine } from 'savkit/machine';
import {
  connectToTarget,
  DEFAULT_LIMITS,
  DecisionMemory,
  DepartingMachine,
  Gate,
  keyOfCode,
  MachineHost,
  migrate,
  newMigrationId,
  newPairingCode,
  Receiver,
} from 'savkit/migrations';

// Both sides know the code. DecisionFile in place of DecisionMemory makes their decisions outlive a crash.
const key = keyOfCode(newPairingCode());

// The target.
const receiver = await Receiver.create(new MachineHost(), { logFor: () => new DecisionMemory() });
const gate = await Gate.open(
  { host: '127.0.0.1', port: 0 },
  { kind: 'code', key },
  { onConnection: (socket, peer) => receiver.accept(socket, peer) },
);

// The source.
const running = RunningMachine.of(await emptyMachine(64 * 1024 * 1024), { kind: 'random', rate: 2000 });
running.resume();
const { outcome, rounds, downtimeMs } = await migrate(new DepartingMachine('vm', running.machine, running), {
  connect: () => connectToTarget(gate.endpoint, { kind: 'code', key }),
  migration: newMigrationId(),
  log: new DecisionMemory(),
  limits: DEFAULT_LIMITS,
});
console.log(`${outcome} after ${rounds.length} rounds, stood still for ${Math.round(downtimeMs)} ms`);

const { running: arrived } = await receiver.arrived;
arrived?.stop();
const check = arrived?.selfCheck();
console.log(`${check?.pages} pages compared, ${check?.faults.length} of them wrong`);
await receiver.close();
gate.close();
