const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { constants, Script } = require('node:vm');

// Node's own loader compiles each file at each start, and looks for it in several places: for most commands that takes
// longer than their work. `NODE_COMPILE_CACHE` of Node 22 does the same with a folder that has to be writable.

const HEAD = '(function (exports, require, module, __filename, __dirname) { ';

/** The scripts that were compiled, by the names of their files. @type {Map<string, Script>} */
exports.scripts = new Map();

/**
 * Loads a file of the bundle, and the files that it requires.
 * @param {string} entry as the bundle names it: `./NAME.js`
 * @param {string} cache folder of compiled code; code that this V8 does not accept, or that is missing, is compiled
 */
exports.loadCached = (entry, cache) => {
  /** @type {Map<string, { exports: unknown }>} */
  const modules = new Map();

  /** @param {string} id */
  const requireAny = (id) => (id.startsWith('./') ? requireOwn(id.slice(2)) : require(id));

  /** @param {string} name */
  function requireOwn(name) {
    const known = modules.get(name);
    if (known) return known.exports;
    const module = { exports: {} };
    modules.set(name, module);
    const filename = join(__dirname, name);
    const script = new Script(`${HEAD}${readFileSync(filename, 'utf8').replace(/^#!.*/, '')}\n})`, {
      filename,
      columnOffset: -HEAD.length,
      cachedData: readIfThere(join(cache, name)),
      importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    exports.scripts.set(name, script);
    script.runInThisContext()(module.exports, requireAny, module, filename, __dirname);
    return module.exports;
  }

  requireAny(entry);
};

/** @param {string} path */
function readIfThere(path) {
  try {
    return readFileSync(path);
  } catch {
    // The build keeps compiled code only of files that its commands have loaded.
    return undefined;
  }
}
