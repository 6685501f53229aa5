// Searches guest memory for text: node examples/find-bytes.js STATE TEXT

import { openFile, patternOf, searchMemory } from 'savkit';

const [file, text] = process.argv.slice(2);
const source = await openFile(file);
const { hits, complete } = await searchMemory(source, patternOf('text', text), { maxHits: 20, context: 16 });
await source.close();
for (const { at, bytes } of hits) console.log(`0x${at.toString(16)}  ${Buffer.from(bytes).toString('hex')}`);
console.log(complete ? `${hits.length} found` : 'there may be more');
