const { mkdirSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

// node keep-compiled.cjs BIN CACHE WORDS…: runs a command of the bundle in folder BIN, and keeps in folder CACHE all
// code that was compiled so far, functions that the command has called included.

const [, , bin, cache, ...words] = process.argv;
const { loadCached, scripts } = require(join(bin, 'cached-loader.cjs'));

process.argv.splice(1, process.argv.length, join(bin, 'savkit.js'), ...words);
mkdirSync(cache, { recursive: true });
process.on('exit', () => {
  for (const [name, script] of scripts) writeFileSync(join(cache, name), script.createCachedData());
});
loadCached('./savkit.entry.js', cache);
