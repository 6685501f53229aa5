import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MIB } from '../../formats/sizes.ts';
import { emptyMachine } from '../../src/running/empty-machine.ts';
import { RunningMachine } from '../../src/running/running-machine.ts';
import type { KeptMachine } from '../control/kept-machine.ts';
import { metricsText } from '../many/metrics.ts';
import { testGround } from '../testing/test-ground.ts';
import { expositionOf, METRICS, valuesOfMachines } from './metrics.ts';

const { folder, start } = testGround('metrics');
const docs = (name: string) => new URL(`../../docs/${name}`, import.meta.url);
const OF_FILES = [
  ...metricsText('verify', { files: 1, outcomes: { whole: 1 }, resumed: 0 }, 0, 1, new Date(0)).matchAll(
    /^# TYPE (\S+)/gm,
  ),
].map(([, name]) => name);

/**
 * Collects the names, and expects of each line that it is a comment or a sample, as the format wants it; and of each
 * sample that its family was announced.
 */
function namesIn(text: string): string[] {
  expect(text.endsWith('\n')).toBe(true);
  const families = new Set<string>();
  for (const line of text.trimEnd().split('\n')) {
    const head = /^# (?:HELP|TYPE) ([a-z_]+) .+$/.exec(line);
    if (head) families.add(head[1]);
    else {
      const sample = /^([a-z_]+)(?:\{[a-z]+="(?:[^"\\\n]|\\.)*"\})? -?[\d.e+-]+$/.exec(line);
      expect(families.has(sample?.[1] ?? ''), line).toBe(true);
    }
  }
  return [...families];
}

describe('figures for Prometheus', () => {
  it('are told of a machine, and of its migration while that is under way', async () => {
    const running = RunningMachine.of(await emptyMachine(4 * MIB), { kind: 'idle' });
    const kept: KeptMachine = { name: 'a "b"\\\n', running };
    const text = expositionOf(valuesOfMachines([kept]));
    expect(namesIn(text)).not.toContain('kubevirt_vmi_migration_data_processed_bytes');
    expect(text).toContain('libvirt_domain_info_maximum_memory_bytes{domain="a \\"b\\"\\\\\\n"} 4194304\n');
    expect(text).toContain('kubevirt_vmi_migrations_in_running_phase 0\n');
    const figures = { round: 2, ofRound: 0.5, total: 0.25, bytes: 1000, rate: 500, dirtyRate: 100, downtimeMs: 20 };
    kept.migration = {
      to: 'b:1',
      phase: 'sends',
      since: 0,
      progress: { ...figures, leftMs: [4000, Number.POSITIVE_INFINITY] },
    };
    const moving = expositionOf(valuesOfMachines([kept]));
    namesIn(moving);
    expect(moving).toContain('kubevirt_vmi_migrations_in_running_phase 1\n');
    expect(moving).toMatch(/kubevirt_vmi_migration_data_remaining_bytes\{name=.*\} 2000\n/);
    expect(moving).toMatch(/savkit_migration_downtime_forecast_seconds\{name=.*\} 0.02\n/);
  });

  it('are served by processes that run for long, and nothing else is', async () => {
    const metrics = ['--metrics-listen', '127.0.0.1:0'];
    const processes = [
      start('run', '--ram', '4M', '--workload', 'idle', '--socket', join(folder, 'vm.sock'), ...metrics),
      start('receive', '--listen', '127.0.0.1:0', '--insecure', '--keep', '--records', join(folder, 'r'), ...metrics),
      start('relay', '--listen', '127.0.0.1:0', '--to', '127.0.0.1:1', ...metrics),
    ];
    const families: string[] = [];
    for (const each of processes) {
      const { at } = await each.event('metrics');
      const answer = await fetch(String(at));
      expect([answer.status, answer.headers.get('content-type')]).toEqual([
        200,
        'text/plain; version=0.0.4; charset=utf-8',
      ]);
      families.push(...namesIn(await answer.text()));
      for (const [path, method] of [
        ['/', 'GET'],
        ['/metrics', 'POST'],
        ['/metrics?x', 'GET'],
      ])
        expect((await fetch(new URL(path, String(at)), { method })).status).toBe(404);
    }
    expect(families).toEqual(
      expect.arrayContaining(['savkit_machine_faults', 'savkit_receive_machines', 'savkit_relay_refused_total']),
    );
  });

  it('are told while clients that say nothing hold connections', async () => {
    const run = start('run', '--ram', '4M', '--workload', 'idle', '--metrics-listen', '127.0.0.1:0');
    const { at } = await run.event('metrics');
    const { port, hostname } = new URL(String(at));
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        const socket = connect(Number(port), hostname).on('error', () => {});
        await once(socket, 'connect');
      }),
    );
    expect((await fetch(String(at))).status).toBe(200);
  });

  it('are all in the table of the docs, and in the dashboard, which shows no others', () => {
    const rows = Object.entries(METRICS).map(([name, { type, help }]) => `| \`${name}\` | ${type} | ${help} |`);
    const table = ['| name | kind | tells |', '|---|---|---|', ...rows].join('\n');
    const page = readFileSync(docs('monitoring.md'), 'utf8');
    const written = page.replace(/(<!-- table metrics -->\n)[\s\S]*?(<!-- end -->)/, `$1\n${table}\n\n$2`);
    if (process.env.SAVKIT_WRITE_DOCS) writeFileSync(docs('monitoring.md'), written);
    else expect(page).toBe(written);
    const dashboard = JSON.parse(readFileSync(docs('grafana-dashboard.json'), 'utf8')) as {
      panels: { id: number; targets: { expr: string }[] }[];
    };
    const shown = dashboard.panels
      .flatMap(({ targets }) => targets)
      .flatMap(({ expr }) => expr.match(/\b(?:savkit|libvirt|kubevirt)_\w+/g) ?? []);
    expect([...new Set(shown)].sort()).toEqual([...Object.keys(METRICS), ...OF_FILES].sort());
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });
});
