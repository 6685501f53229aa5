import { Receiver } from '../arrival/receiver.ts';
import { DecisionMemory } from '../hand-over/decision-record.ts';
import { Gate } from '../trust/gate.ts';
import { keyOfCode } from '../trust/pairing-code.ts';
import type { Trust } from '../trust/trust.ts';
import type { ArrivingMachine } from '../virtual-machine/arriving-machine.ts';
import { MachineHost } from '../virtual-machine/machine-host.ts';

// A target in a process of its own, for figures: node target-main.js [CODE]. Tells its port as one line of JSON, then
// how the machine was after it had run for a while.

const [code] = process.argv.slice(2);
const trust: Trust = code === undefined ? { kind: 'insecure' } : { kind: 'code', key: keyOfCode(code) };
const receiver = await Receiver.create(new MachineHost(), { logFor: () => new DecisionMemory(), streams: 16 });
const gate = await Gate.open({ host: '127.0.0.1', port: 0 }, trust, {
  onConnection: (socket, peer) => void receiver.accept(socket, peer),
});
console.log(JSON.stringify({ port: gate.endpoint.port }));
const before = process.cpuUsage();
const { running } = (await receiver.arrived) as ArrivingMachine;
const { user, system } = process.cpuUsage(before);
await new Promise((resolve) => setTimeout(resolve, 200));
running?.pause();
const check = running?.selfCheck();
console.log(
  JSON.stringify({
    cpuMs: (user + system) / 1000,
    faults: check?.faults.length ?? 0,
    ticks: check?.ticks ?? 0,
    steps: check?.steps ?? 0,
  }),
);
process.exit(0);
