import { EnvironmentError, type SavkitError, UsageError } from '../../formats/errors.ts';
import type { FileSink } from '../../formats/files/sink.ts';
import { connectPeer } from '../../migrations/teleporter/connect.ts';
import { Door } from '../../migrations/teleporter/door.ts';
import type { StreamFigures } from '../../migrations/teleporter/pass-figures.ts';
import type { Peer } from '../../migrations/teleporter/peer.ts';
import { type RelayReport, relayMachine } from '../../migrations/teleporter/relay.ts';
import { type RelayKey, relayKey } from '../../migrations/teleporter/relay-key.ts';
import { statusName } from '../../migrations/teleporter/status.ts';
import { type Endpoint, endpointText, parseEndpoint, parseListenEndpoint } from '../../migrations/trust/endpoint.ts';
import { findingOf } from '../../src/saved-state/reading/findings.ts';
import { readSmallFile } from '../io/input.ts';
import { openOutput } from '../io/output.ts';
import { finishing } from '../io/stop.ts';
import type { Values } from '../metrics/metrics.ts';
import { type MetricsOptions, serveMetrics } from '../metrics/metrics-server.ts';
import { ExitCode } from '../process/exit-codes.ts';
import type { CommonOptions, Job, Outcome } from '../process/run-command.ts';
import { sizeText } from '../terminal/size-text.ts';
import { bad, good } from '../terminal/styles.ts';
import { indent, line, lines, NO_TEXT, type TerminalText } from '../terminal/terminal-text.ts';
import { LiveReport } from '../text/live-report.ts';
import { figuresLine, passTable } from './figures-text.ts';

export interface RelayMigrationOptions extends CommonOptions, MetricsOptions {
  listen: string;
  to: string;
  encrypt?: 'in' | 'out' | 'both';
  keyFile?: string;
  record?: string;
  wait: number;
  force: boolean;
}

const KEY_FILE_LIMIT = 65536;

/** Stands between a source and a target, or between one of them and another relay, for one migration. */
export async function relayMigration(options: RelayMigrationOptions, { signal }: Job): Promise<Outcome> {
  const report = new LiveReport(options);
  const ends = { at: parseListenEndpoint(options.listen), to: parseEndpoint(options.to) };
  const keys = await keysFor(options);
  const sink = options.record === undefined ? undefined : await openOutput(options.record, { force: options.force });
  try {
    const carrier = new Carrier(ends, options.wait, keys, sink, report, signal);
    const endMetrics = await serveMetrics(options, report, () => carrier.values());
    const carried = await finishing(carrier.run()).finally(endMetrics);
    report.stop();
    if (sink && carried.recorded) await sink.commit();
    else await sink?.abort();
    return outcomeOf(carried, options);
  } catch (error) {
    report.stop();
    await sink?.abort();
    throw error;
  }
}

interface Keys {
  in?: RelayKey;
  out?: RelayKey;
}

async function keysFor({ encrypt, keyFile }: RelayMigrationOptions): Promise<Keys> {
  if ((encrypt === undefined) !== (keyFile === undefined))
    throw new UsageError('bad-key', 'Cannot relay: --encrypt and --key-file go together');
  if (encrypt === undefined || keyFile === undefined) return {};
  const key = relayKey(await readSmallFile(keyFile, KEY_FILE_LIMIT));
  return { in: encrypt === 'out' ? undefined : key, out: encrypt === 'in' ? undefined : key };
}

/**
 * Relays connections one by one until one of them is a migration. A source with a wrong password is refused by the
 * target, which goes on listening, as the relay does.
 */
class Carrier {
  readonly #at: Endpoint;
  readonly #to: Endpoint;
  /** Seconds to wait for a source; 0: for ever. */
  readonly #wait: number;
  readonly #keys: Keys;
  readonly #sink: FileSink | undefined;
  readonly #report: LiveReport;
  readonly #signal: AbortSignal;
  readonly #counts = { connections: 0, refused: 0 };
  #figures: StreamFigures | undefined;

  constructor(
    { at, to }: { at: Endpoint; to: Endpoint },
    wait: number,
    keys: Keys,
    sink: FileSink | undefined,
    report: LiveReport,
    signal: AbortSignal,
  ) {
    this.#at = at;
    this.#to = to;
    this.#wait = wait;
    this.#keys = keys;
    this.#sink = sink;
    this.#report = report;
    this.#signal = signal;
  }

  /** Figures for Prometheus. */
  values(): Values {
    const figures = this.#figures;
    return {
      savkit_relay_connections_total: [{ value: this.#counts.connections }],
      savkit_relay_refused_total: [{ value: this.#counts.refused }],
      savkit_relay_bytes: figures ? [{ value: figures.bytes }] : [],
      savkit_relay_passes: figures ? [{ value: figures.passes.length }] : [],
    };
  }

  async run(): Promise<RelayReport> {
    const wait = this.#wait;
    const door = await Door.open(this.#at, {
      key: this.#keys.in,
      onRefused: (from, why) => {
        this.#counts.refused++;
        this.#report.note('refused', line`${from} was refused: ${why}`, { from, why });
      },
    });
    const [at, to] = [endpointText(door.endpoint), endpointText(this.#to)];
    this.#report.note('listening', line`Relaying from ${at} to ${to}`, { at, to });
    const deadline = performance.now() + (wait === 0 ? Number.POSITIVE_INFINITY : wait * 1000);
    try {
      for (;;) {
        const source = await door.next(deadline, this.#signal);
        const carried = await this.#carry(source);
        if (carried?.authenticated) return carried;
        if (!carried) continue;
        this.#counts.refused++;
        const why = carried.refusal?.text ?? '';
        const told = line`${source.name} was refused by the target${why === '' ? '' : `: ${why}`}`;
        this.#report.note('refused', told, { from: source.name, why });
      }
    } finally {
      door.close();
    }
  }

  async #carry(source: Peer): Promise<RelayReport | undefined> {
    const target = await this.#reach(source);
    if (!target) return undefined;
    this.#counts.connections++;
    this.#report.note('connected', line`Connected ${source.name} with ${target.name}`, {
      from: source.name,
      to: target.name,
    });
    return relayMachine(source, target, {
      record: this.#sink,
      onStep: (step) => this.#report.note('step', NO_TEXT, { step }),
      onProgress: (figures) => {
        this.#figures = figures;
        this.#report.update(
          'progress',
          () => figuresLine(figures),
          () => figures,
        );
      },
    });
  }

  /** Connects to the target. If that fails, the source's connection is closed, and the next source is waited for. */
  async #reach(source: Peer): Promise<Peer | undefined> {
    try {
      return await connectPeer(this.#to, { key: this.#keys.out });
    } catch (error) {
      source.destroy();
      if (!(error instanceof EnvironmentError)) throw error;
      this.#report.note('unreachable', line`${source.name} was turned away: ${error.message}`, {
        from: source.name,
        why: error.message,
      });
      return undefined;
    }
  }
}

function outcomeOf(carried: RelayReport, options: RelayMigrationOptions): Outcome {
  const { end, refusal, figures, recorded, recordFault } = carried;
  const result = { end, refusal: refusal ?? null, recorded, ...figures };
  const text = [
    line`relay: ${endText(carried)}, ${sizeText(figures.bytes)} in ${figures.seconds.toFixed(1)} s`,
    passTable(figures.passes),
  ];
  if (options.record !== undefined) text.push(indent(recordText(options.record, recorded, recordFault)));
  const recordFailed = options.record !== undefined && !recorded;
  const exitCode =
    end !== 'handed-over'
      ? recorded
        ? ExitCode.PARTLY
        : ExitCode.ENVIRONMENT
      : recordFailed
        ? ExitCode.PARTLY
        : ExitCode.OK;
  const findings = recordFault ? [findingOf(recordFault)] : [];
  return { exitCode, findings, result, text: options.quiet ? NO_TEXT : lines(text) };
}

function endText({ end, refusal }: RelayReport): TerminalText {
  if (end === 'handed-over') return good('the machine was handed over');
  if (end === 'cancelled') return bad('the source cancelled, and keeps the machine');
  if (end === 'cut' || !refusal)
    return bad('the link broke; the source has not been told that the target runs the machine');
  const words = refusal.text === '' ? '' : `: ${refusal.text.trimEnd()}`;
  return bad(`the target refused at ${refusal.at} (${statusName(refusal.status) ?? refusal.status})${words}`);
}

function recordText(path: string, recorded: boolean, fault: SavkitError | undefined): TerminalText {
  if (recorded) return line`${path}: recorded, complete and checked`;
  return line`${path}: not recorded${fault ? `: ${fault.message}` : ', the stream did not come to its end'}`;
}
