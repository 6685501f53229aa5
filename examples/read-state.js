// Verifies a state of VirtualBox or QEMU, and lists its parts and its memory: node examples/read-state.js STATE

import { openFile, verifyState } from 'savkit';

const source = await openFile(process.argv[2]);
const { verdict, findings, state } = await verifyState(source);
await source.close();
console.log(`${state?.title ?? 'unreadable'}: ${verdict}`);
for (const { code, message } of findings) console.log(`${code}: ${message}`);
// `state` is all that could be read; it is absent when not even the head makes sense.
const word = state?.family.unitWord; // VirtualBox has units, QEMU sections
for (const { name, instance, version } of state?.units ?? [])
  console.log(`${word} ${name}/${instance} version ${version}`);
for (const { kind, start, end, name } of state?.memory?.regions ?? [])
  console.log(`0x${start.toString(16)} to 0x${end.toString(16)}: ${kind} ${name}`);
