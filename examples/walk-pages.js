// Counts the pages of a state by kind: node examples/walk-pages.js STATE

import { openFile, PageKind, walkState } from 'savkit';

const source = await openFile(process.argv[2]);
const counts = new Uint32Array(Object.keys(PageKind).length);
let bytes = 0;
await walkState(source, {
  sink: {
    // A batch is borrowed: its columns are other pages after this call.
    take(batch) {
      for (let i = 0; i < batch.count; i++) {
        counts[batch.kind[i]]++;
        bytes += batch.length[i];
      }
    },
  },
});
await source.close();
for (const [name, kind] of Object.entries(PageKind)) console.log(`${name}: ${counts[kind]}`);
console.log(`${bytes} bytes of contents in the file`);
