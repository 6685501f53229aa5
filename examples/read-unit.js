// Shows the first bytes of a unit: node examples/read-unit.js STATE UNIT

import { openFile } from 'savkit';
import { openContainer, PayloadReader } from 'savkit/formats';

const [file, name] = process.argv.slice(2);
const source = await openFile(file);
const container = await openContainer(source, (error) => {
  throw error; // damage ends the reading here; `verify` would go on
});
for (let unit = await container.nextUnit(); unit; unit = await container.nextUnit()) {
  if (unit.name !== name) continue;
  const payload = await new PayloadReader(container).rest(64 * 1024 * 1024);
  console.log(`${unit.name}/${unit.instance} version ${unit.version}, pass ${unit.pass}: ${payload.length} bytes`);
  console.log(Buffer.from(payload.subarray(0, 32)).toString('hex'));
}
container.release();
await source.close();
