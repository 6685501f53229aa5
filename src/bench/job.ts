import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { BenchContext, BenchRow, Measured } from './row.ts';

// One row of the bench, once, in a process of its own: node job.js MODULE NAME CONTEXT. Prints its milliseconds and its
// peak memory as JSON.

const [module, name, context] = process.argv.slice(2);
const { rows } = (await import(module)) as { rows: BenchRow[] };
const row = rows.find((row) => row.name === name);
if (!row) throw new Error(`${module} has no row ${name}`);

/**
 * Peak memory in bytes. The usual figure of the operating system counts memory of the parent before the process began;
 * the kernel of Linux has a figure without it.
 */
function peakMemory(): number {
  const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : '';
  const [, kib] = /VmHWM:\s+(\d+) kB/.exec(status) ?? [];
  return (kib === undefined ? process.resourceUsage().maxRSS : Number(kib)) * 1024;
}

function isMeasured(value: unknown): value is Measured {
  return typeof value === 'object' && value !== null && 'ms' in value && 'figures' in value;
}

const start = performance.now();
const own = await row.run(JSON.parse(context) as BenchContext);
const elapsed = performance.now() - start;
const { ms, figures } = isMeasured(own) ? own : { ms: typeof own === 'number' ? own : elapsed, figures: [] };
writeFileSync(1, JSON.stringify({ ms, rss: peakMemory(), figures }));
process.exit(0);
