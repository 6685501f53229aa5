import type { KeptMachine } from '../control/kept-machine.ts';
import { remainingBytes } from '../control/migration-status.ts';
import { familyText, type MetricHead, type Sample } from './exposition.ts';

/*
 * Metrics of long-running processes for Prometheus. Metrics that KubeVirt's and libvirt's exporters know, too, have
 * the names of these exporters, so that existing dashboards and alarms work; `name` and `domain` are the machine.
 */
export const METRICS = {
  libvirt_domain_info_maximum_memory_bytes: { type: 'gauge', help: 'RAM of the machine.' },
  libvirt_domain_info_virtual_cpus: { type: 'gauge', help: 'CPUs of the machine.' },
  libvirt_domain_info_vstate: { type: 'gauge', help: 'State of the machine: 1 running, 3 paused, 5 off, 6 failed.' },
  kubevirt_vmi_migrations_in_running_phase: { type: 'gauge', help: 'Migrations from here that are under way.' },
  kubevirt_vmi_migration_data_processed_bytes: { type: 'gauge', help: 'Bytes that the migration has sent.' },
  kubevirt_vmi_migration_data_remaining_bytes: {
    type: 'gauge',
    help: 'Bytes that are left to be sent, if nothing more gets dirty.',
  },
  kubevirt_vmi_migration_dirty_memory_rate_bytes: { type: 'gauge', help: 'Bytes per second that the guest dirties.' },
  kubevirt_vmi_migration_memory_transfer_rate_bytes: { type: 'gauge', help: 'Bytes per second that leave.' },
  savkit_migration_progress_ratio: { type: 'gauge', help: 'How far the migration is, from 0 to 1.' },
  savkit_migration_round: { type: 'gauge', help: 'Round of the migration, from 0.' },
  savkit_migration_downtime_forecast_seconds: {
    type: 'gauge',
    help: 'How long the machine would stand still if it were stopped now.',
  },
  savkit_machine_steps_total: { type: 'counter', help: 'Steps that the workload has made.' },
  savkit_machine_faults: { type: 'gauge', help: 'Places of memory that are not as the workload left them.' },
  savkit_machine_throttle_ratio: { type: 'gauge', help: 'Share of its time that the machine is held back.' },
  savkit_machine_longest_gap_seconds: { type: 'gauge', help: 'Longest time without execution.' },
  savkit_receive_machines: { type: 'gauge', help: 'Machines that have come, and run in this process.' },
  savkit_receive_arriving: { type: 'gauge', help: 'Machines whose pages are arriving.' },
  savkit_receive_arrived_total: { type: 'counter', help: 'Machines that have come.' },
  savkit_receive_not_arrived_total: { type: 'counter', help: 'Machines that began to come, and did not arrive.' },
  savkit_receive_refused_total: { type: 'counter', help: 'Connections that were refused with a message.' },
  savkit_receive_memory_limit_bytes: { type: 'gauge', help: 'Memory for all machines together.' },
  savkit_receive_memory_free_bytes: { type: 'gauge', help: 'Memory that machines can still take.' },
  savkit_relay_connections_total: { type: 'counter', help: 'Sources that were connected with the target.' },
  savkit_relay_refused_total: { type: 'counter', help: 'Sources that the relay or the target did not let in.' },
  savkit_relay_bytes: { type: 'gauge', help: 'Bytes of the stream that passes now.' },
  savkit_relay_passes: { type: 'gauge', help: 'Passes so far of the stream that passes now.' },
} as const satisfies Record<string, MetricHead>;

export type MetricName = keyof typeof METRICS;

/** Values by the names of their metrics. */
export type Values = Partial<Record<MetricName, readonly Sample[]>>;

/** All values in Prometheus's text format. */
export function expositionOf(values: Values): string {
  const names = Object.keys(METRICS) as MetricName[];
  return names.map((name) => familyText(name, METRICS[name], values[name] ?? [])).join('');
}

/** libvirt's numbers of states. */
function stateNumber(state: string): number {
  if (state.startsWith('running')) return 1;
  if (state.startsWith('off')) return 5;
  return state.startsWith('fatal') || state.startsWith('guru') ? 6 : 3;
}

/** Values for the machines of this process. */
export function valuesOfMachines(machines: readonly KeptMachine[]): Values {
  const of = (value: (kept: KeptMachine) => number): Sample[] =>
    machines.map((kept) => ({ labels: { domain: kept.name }, value: value(kept) }));
  return {
    libvirt_domain_info_maximum_memory_bytes: of(({ running }) => running.machine.state.pgm?.ramSize ?? 0),
    libvirt_domain_info_virtual_cpus: of(({ running }) => running.machine.cpus.length),
    libvirt_domain_info_vstate: of(({ running }) => stateNumber(running.state)),
    savkit_machine_steps_total: of(({ running }) => running.guest.block.steps),
    savkit_machine_faults: of(({ running }) => running.guest.faults.length),
    savkit_machine_throttle_ratio: of(({ running }) => running.throttle),
    savkit_machine_longest_gap_seconds: of(({ running }) => running.figures.longestGapMs / 1000),
    ...valuesOfMigrations(machines),
  };
}

function valuesOfMigrations(machines: readonly KeptMachine[]): Values {
  const underWay = machines.flatMap(({ name, migration }) => (migration ? [{ name, migration }] : []));
  const told = underWay.flatMap(({ name, migration: { progress } }) => (progress ? [{ name, progress }] : []));
  const of = (value: (progress: (typeof told)[number]['progress']) => number): Sample[] =>
    told.map(({ name, progress }) => ({ labels: { name }, value: value(progress) }));
  return {
    kubevirt_vmi_migrations_in_running_phase: [{ value: underWay.length }],
    kubevirt_vmi_migration_data_processed_bytes: of(({ bytes }) => bytes),
    kubevirt_vmi_migration_data_remaining_bytes: of(remainingBytes),
    kubevirt_vmi_migration_dirty_memory_rate_bytes: of(({ dirtyRate }) => dirtyRate),
    kubevirt_vmi_migration_memory_transfer_rate_bytes: of(({ rate }) => rate),
    savkit_migration_progress_ratio: of(({ total }) => total),
    savkit_migration_round: of(({ round }) => round),
    savkit_migration_downtime_forecast_seconds: of(({ downtimeMs }) => downtimeMs / 1000),
  };
}
