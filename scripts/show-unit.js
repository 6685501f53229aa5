import { readFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';

// node scripts/show-unit.js [UNIT]: shows the payloads of a unit in the machines of test-vectors/machines, without
// lines of zeros; without UNIT, lists the units.

/** @typedef {[name: string, instance: number, version: number, deflated?: string]} Unit */

const vectors = new URL('../test-vectors/machines/machines.json', import.meta.url);
/** @type {{ machines: Record<string, { units: Unit[] }> }} */
const { machines } = JSON.parse(readFileSync(vectors, 'utf8'));
const wanted = process.argv[2];
const LINE = 16;

const units = Object.entries(machines).flatMap(([machine, { units: own }]) =>
  own.map(([name, instance, version, deflated]) => ({ machine, name, instance, version, deflated })),
);
if (wanted === undefined) console.log([...new Set(units.map(({ name }) => name))].sort().join('\n'));
for (const { machine, name, instance, version, deflated } of units) {
  if (name !== wanted || deflated === undefined) continue;
  const payload = inflateRawSync(Buffer.from(deflated, 'base64'));
  console.log(`${machine}: ${name}/${instance} version ${version}, ${payload.length} bytes`);
  for (let at = 0; at < payload.length; at += LINE) {
    const line = payload.subarray(at, at + LINE);
    if (line.some((byte) => byte !== 0)) console.log(`  ${at.toString(16).padStart(4, '0')}  ${line.toString('hex')}`);
  }
}
