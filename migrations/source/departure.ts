import { clock } from '../../formats/world/waiting.ts';
import type { SourceMachine } from '../machine/machine.ts';
import { PageSpace } from '../machine/page-space.ts';
import type { Zstd } from '../pages/zstd.ts';
import { MigrationAccount } from './migration-account.ts';
import { LimitsOfNow, type MigrationFacts } from './migration-facts.ts';
import type { MigrateOptions } from './options.ts';
import { SourceCustody } from './source-custody.ts';
import { StopCosts } from './stop-costs.ts';
import { Transfer } from './transfer.ts';

/** The parts of a migration that outlive links, at the source. Each part changes only itself. */
export interface Departure {
  readonly facts: MigrationFacts;
  readonly limits: LimitsOfNow;
  /** Memory that was sent, and memory to send. */
  readonly transfer: Transfer;
  /** Decides who has the machine. */
  readonly custody: SourceCustody;
  /** Events and figures for reports. */
  readonly account: MigrationAccount;
  /** Estimates of the downtime. */
  readonly costs: StopCosts;
}

export function departureOf(machine: SourceMachine, options: MigrateOptions, zstd: Zstd | undefined): Departure {
  const facts = { machine, options, zstd, space: new PageSpace(machine.description.regions), start: clock() };
  const limits = new LimitsOfNow(options);
  const transfer = new Transfer(facts.space.pageCount);
  const account = new MigrationAccount(facts);
  const custody = new SourceCustody(machine, options.log, account);
  return { facts, limits, transfer, account, custody, costs: new StopCosts({ facts, limits, transfer, custody }) };
}
