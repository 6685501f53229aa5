import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FLOORS = ['formats', 'src', 'migrations', 'cli'];
/** More files side by side than this are no room any more, but a hall. */
const MOST_FILES = 22;
const NOT_SHIPPED = /\.(test|bench|campaign)\.ts$|\/(testing|bench|assembly)\//;

/** Doors for scripts, and tools of this repository. */
const NO_ROOMS = ['src/doors', 'migrations/model'];

/** Two forms of one thing. */
const TWINS = ['LzfEncoder'];

const files = FLOORS.flatMap((floor) =>
  readdirSync(join(ROOT, floor), { recursive: true, encoding: 'utf8' })
    .map((name) => posix.join(floor, name.split(sep).join('/')))
    .filter((name) => name.endsWith('.ts') && !NOT_SHIPPED.test(name)),
).map((name) => ({ name, text: readFileSync(join(ROOT, name), 'utf8') }));

/** Production files by folder, and for each folder the folders that it imports from, with one import that shows it. */
function rooms() {
  const known = new Set(files.map(({ name }) => name));
  const sizes = new Map<string, number>();
  const arrows = new Map<string, Map<string, string>>();
  for (const { name, text } of files) {
    const room = dirname(name);
    sizes.set(room, (sizes.get(room) ?? 0) + 1);
    for (const [, specifier] of text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)) {
      const target = posix.join(room, specifier);
      if (!known.has(target) || dirname(target) === room) continue;
      const from = arrows.get(room) ?? new Map<string, string>();
      arrows.set(room, from.set(dirname(target), `${name} imports ${target}`));
    }
  }
  return { sizes, arrows };
}

/** A way along the arrows that comes back to its start, as the imports it goes by. */
function wayRound(arrows: ReadonlyMap<string, ReadonlyMap<string, string>>): string[] {
  const done = new Set<string>();
  const path: string[] = [];
  const search = (room: string): string[] => {
    const start = path.indexOf(room);
    if (start >= 0) return [...path.slice(start), room];
    if (done.has(room)) return [];
    path.push(room);
    for (const next of arrows.get(room)?.keys() ?? []) {
      const round = search(next);
      if (round.length > 0) return round;
    }
    path.pop();
    done.add(room);
    return [];
  };
  for (const room of arrows.keys()) {
    const round = search(room);
    if (round.length > 0) return round.slice(1).map((next, i) => arrows.get(round[i])?.get(next) ?? '');
  }
  return [];
}

/** Words in back quotes: `src/paging`, or the room alone after its floor was named. */
const mapped = new Set(
  [...readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8').matchAll(/`([\w/-]+)`/g)].map(([, word]) => word),
);

describe('rooms', () => {
  it('all stand in ARCHITECTURE.md, and no others', () => {
    const known = [...rooms().sizes.keys()].filter((room) => room.includes('/'));
    expect(known.filter((room) => !mapped.has(room) && !mapped.has(posix.basename(room)))).toEqual([]);
    const named = [...mapped].filter((word) => FLOORS.some((floor) => word.startsWith(`${floor}/`)));
    expect(named.filter((word) => !existsSync(join(ROOT, word)))).toEqual([]);
  });

  const { sizes, arrows } = rooms();

  it('have no arrows that run back: no folder depends on one that depends on it', () => {
    expect(arrows.size).toBeGreaterThan(50);
    expect(wayRound(arrows)).toEqual([]);
  });

  it(`hold at most ${MOST_FILES} files`, () => {
    expect([...sizes].filter(([, files]) => files > MOST_FILES)).toEqual([]);
  });

  it('stand in ARCHITECTURE.md, and so do those of src/saved-state', () => {
    const text = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
    const named = new Set([...sizes.keys()].map((room) => room.split('/').slice(0, 2).join('/')));
    const missing = [...named].filter((room) => room.includes('/') && !new RegExp(`\`${room}[\`/]`).test(text));
    expect(missing.filter((room) => !NO_ROOMS.includes(room))).toEqual([]);
    const verbs = [...sizes.keys()]
      .filter((room) => room.startsWith('src/saved-state/'))
      .map((room) => room.split('/')[2]);
    expect(verbs.filter((verb) => !text.includes(`\`${verb}\``))).toEqual([]);
  });

  it('have the files in which ARCHITECTURE.md says that something is decided, with the functions that it names', () => {
    const text = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
    const places = [...text.matchAll(/(?:`([\w.]+)` in )?`((?:formats|src|migrations|cli)\/[\w/-]+\.ts)`/g)];
    expect(places.length).toBeGreaterThan(20);
    const missing = places.filter(([, name = '', path]) => {
      const found = files.find(({ name: each }) => each === path)?.text;
      return found === undefined || name.split('.').some((part) => !found.includes(part));
    });
    expect(missing.map(([place]) => place)).toEqual([]);
  });

  it('that depend on each other are found', () => {
    expect(
      wayRound(
        new Map([
          ['a', new Map([['b', 'a to b']])],
          ['b', new Map([['a', 'b to a']])],
        ]),
      ),
    ).toEqual(['a to b', 'b to a']);
  });
});

/** A page's markup stands there as a browser gets it. */
const MARKUP = 'cli/report/';
/** A regular expression has no place to break it. */
const PATTERN = /^\s*\/.*\/[a-z]*[,;]$/;

describe('lines', () => {
  it('have at most 120 columns, also where the formatter cannot break them', () => {
    const wide = files.flatMap(({ name, text }) =>
      text
        .split('\n')
        .flatMap((line, i) => ([...line].length > 120 && !PATTERN.test(line) ? [`${name}:${i + 1}`] : [])),
    );
    expect(wide.filter((place) => !place.startsWith(MARKUP))).toEqual([]);
  });
});

describe('names', () => {
  it('of exported types stand for one thing', () => {
    const places = new Map<string, Set<string>>();
    for (const { name, text } of files)
      for (const [, type] of text.matchAll(/^export (?:abstract )?(?:class|interface|type) (\w+)/gm))
        places.set(type, (places.get(type) ?? new Set()).add(name));
    expect(places.size).toBeGreaterThan(1000);
    expect([...places].filter(([type, declared]) => declared.size > 1 && !TWINS.includes(type))).toEqual([]);
  });
});
