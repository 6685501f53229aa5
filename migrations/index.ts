// Exports of 'savkit/migrations', which move machines over any duplex stream.

export type { ReceiveEvent } from './arrival/receive-event.ts';
export { Receiver, type ReceiverOptions } from './arrival/receiver.ts';
export type { CustodyOptions } from './arrival/target-custody.ts';
export {
  type Decision,
  DecisionFile,
  type DecisionLog,
  DecisionMemory,
  type DecisionRecord,
  type GuestRecord,
  type RecordHead,
  type SourceDecision,
  type TargetDecision,
} from './hand-over/decision-record.ts';
export { type Resolution, resolve, type SourceKnown, type TargetKnown } from './hand-over/resolve.ts';
export type { MachineDescription, PageRegion, QemuDescription, VirtualBoxDescription } from './machine/description.ts';
export type { DiskWay, PageAccess, SourceMachine, TargetHost, TargetMachine } from './machine/machine.ts';
export { PageHashes } from './machine/page-hashes.ts';
export { PageSet } from './machine/page-set.ts';
export type { ProofMode } from './policy/choose-proof.ts';
export { decideRound, type RoundDecision, type RoundFigures, type RoundVerdict } from './policy/decide-round.ts';
export { type DirtyCurve, type ForecastFigures, forecast, type MigrationForecast } from './policy/forecast.ts';
export { DEFAULT_LIMITS, type MigrationLimits } from './policy/limits.ts';
export type { MigrationSettings } from './qmp/migration-settings.ts';
export type {
  DowntimePhases,
  LookBack,
  MigrationEvent,
  MigrationReport,
  ProgressFigures,
  ProofReport,
  RoundReport,
} from './report/report.ts';
export { migrate, newMigrationId } from './source/migration.ts';
export type { CompressionChoice, MigrateOptions, ProofChoice } from './source/options.ts';
export { connectToTarget } from './trust/connect-to-target.ts';
export { type Endpoint, endpointText, parseEndpoint } from './trust/endpoint.ts';
export { Gate, type GateOptions } from './trust/gate.ts';
export { keyOfCode, newPairingCode } from './trust/pairing-code.ts';
export type { OnRefused } from './trust/refusals.ts';
export type { CertificateTrust, KeyTrust, Trust } from './trust/trust.ts';
export { ArrivingMachine, type ArrivingOptions } from './virtual-machine/arriving-machine.ts';
export { DepartingMachine } from './virtual-machine/departing-machine.ts';
export { MachineHost } from './virtual-machine/machine-host.ts';
export type { TimeOuts } from './wire/limits.ts';
export { type MigrationCode, MigrationError } from './wire/migration-error.ts';
