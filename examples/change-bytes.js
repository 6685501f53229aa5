// Writes bytes into guest memory and saves a new state: node examples/change-bytes.js STATE RESULT ADDRESS HEX

import { openFile, openFileSink } from 'savkit';
import { loadState, poke, proveEdit, saveState } from 'savkit/machine';

const [file, result, address, hex] = process.argv.slice(2);
const start = Number(address);
const bytes = Buffer.from(hex, 'hex');
const source = await openFile(file);
const machine = await loadState(source);
poke(machine.memory, start, bytes);

const sink = await openFileSink(result);
await saveState(machine, sink);
await sink.commit();

const written = await openFile(result);
const proof = await proveEdit(source, written, machine, [{ start, end: start + bytes.length }]);
await written.close();
await source.close();
console.log(proof.holds ? `nothing differs but ${proof.changedPages} pages that were written` : proof.differences);
