// A codec for a unit that savkit does not read, beside the units that it reads: node examples/add-unit-codec.js STATE

import { openFile } from 'savkit';
import { noFacts, openContainer, PayloadReader, readFacts, start } from 'savkit/formats';

// Unit i8254, version 4, begins with the four bytes of the device's configuration. In savkit itself this would be a
// file in formats/units, and a row in its table.
const timer = {
  unit: 'i8254',
  versions: [4],
  facts: start((cursor) => ({ portBase: cursor.u16(), irq: cursor.u8(), speaker: cursor.u8() !== 0 })),
};

const source = await openFile(process.argv[2]);
const container = await openContainer(source, (error) => {
  throw error;
});
const facts = noFacts();
for (let unit = await container.nextUnit(); unit; unit = await container.nextUnit()) {
  const payload = new PayloadReader(container);
  if (unit.name === timer.unit && timer.versions.includes(unit.version) && unit.pass === 'final')
    console.log(`${unit.name}/${unit.instance}:`, await timer.facts(payload, unit));
  else await readFacts(unit, payload, facts);
}
container.release();
await source.close();
console.log('CPUs:', facts.cpum?.cpus.length, 'RAM:', facts.mm?.ramSize, 'clock:', facts.guestClock);
