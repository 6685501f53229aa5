// What scripts import from 'savkit/migrations': moving machines over any duplex stream.

export { Receiver, type ReceiverOptions } from './arrival/receiver.ts';
export type { ReceiveEvent } from './arrival/reception.ts';
export { DecisionFile, type DecisionLog, DecisionMemory } from './hand-over/decision-record.ts';
export { type Resolution, resolve } from './hand-over/resolve.ts';
export type { SourceMachine, TargetHost, TargetMachine } from './machine/machine.ts';
export type { MachineDescription, PageRegion } from './machine/page-space.ts';
export { decideRound, type RoundDecision, type RoundFigures } from './policy/decide-round.ts';
export { type Forecast, type ForecastFigures, forecast } from './policy/forecast.ts';
export { DEFAULT_LIMITS, type MigrationLimits } from './policy/limits.ts';
export type { MigrationEvent, MigrationReport, ProofReport, RoundReport } from './report/report.ts';
export { migrate, newMigrationId } from './source/migration.ts';
export type { MigrateOptions } from './source/options.ts';
export { connectToTarget } from './trust/connect-to-target.ts';
export { type Endpoint, endpointText, parseEndpoint } from './trust/endpoint.ts';
export { Gate } from './trust/gate.ts';
export { keyOfCode, newPairingCode } from './trust/pairing-code.ts';
export type { Trust } from './trust/trust.ts';
export { ArrivingMachine } from './virtual-machine/arriving-machine.ts';
export { DepartingMachine } from './virtual-machine/departing-machine.ts';
export { MachineHost } from './virtual-machine/machine-host.ts';
