import type { LazyCommand } from './parsing/lazy-command.ts';

/** All commands, in the order of the help text. */
export const COMMANDS: readonly LazyCommand[] = [
  {
    command: 'inspect <files..>',
    words: 'inspect [files..]',
    describe: 'Show what is in saved states',
    load: async () => (await import('./commands/states/inspect.ts')).inspectCommand,
  },
  {
    command: 'verify <files..>',
    words: 'verify [files..]',
    describe: 'Check whether saved states are whole',
    load: async () => (await import('./commands/states/verify.ts')).verifyCommand,
  },
  {
    command: 'extract <file>',
    words: 'extract [files..]',
    describe: 'Write guest memory, or one part of a state, to a file',
    load: async () => (await import('./commands/states/extract.ts')).extractCommand,
  },
  {
    command: 'screenshot <state>',
    describe: 'Write the picture of the screen in a state to a PNG file',
    load: async () => (await import('./commands/states/screenshot.ts')).screenshotCommand,
  },
  {
    command: 'convert <input> [output]',
    words: 'convert [files..]',
    describe: 'Write a state in another format version, with proof that nothing changed',
    load: async () => (await import('./commands/states/convert.ts')).convertCommand,
  },
  {
    command: 'adapt <state>',
    describe: 'Make a state that is refused fit the machine, with proof that nothing else changed',
    load: async () => (await import('./commands/states/adapt.ts')).adaptCommand,
  },
  {
    command: 'donor <machine>',
    describe: 'Save a machine right after power-on, for adapt: the commands, or run them',
    load: async () => (await import('./commands/machines/donor.ts')).donorCommand,
  },
  {
    command: 'wake <state>',
    describe: 'Continue a saved machine of VirtualBox in QEMU',
    load: async () => (await import('./commands/states/wake.ts')).wakeCommand,
  },
  {
    command: 'salvage <input> <output>',
    words: 'salvage [files..]',
    describe: 'Write the best state that can be had of a damaged file, and list the missing parts',
    load: async () => (await import('./commands/states/salvage.ts')).salvageCommand,
  },
  {
    command: 'manifest <file>',
    words: 'manifest [files..]',
    describe: 'Note hashes of everything in a good state, to name later damage by',
    load: async () => (await import('./commands/states/manifest.ts')).manifestCommand,
  },
  {
    command: 'diff <a> <b>',
    words: 'diff [files..]',
    describe: 'Show the differences of two states, whatever their versions',
    load: async () => (await import('./commands/states/diff.ts')).diffCommand,
  },
  {
    command: 'check [files..]',
    describe: 'Say whether states will load in a machine, or in a VirtualBox release, and if not why',
    load: async () => (await import('./commands/states/check.ts')).checkCommand,
  },
  {
    command: 'explain <what..>',
    describe: 'Say what a code of VirtualBox, or a VBox.log, means and what to do',
    load: async () => (await import('./commands/states/explain.ts')).explainCommand,
  },
  {
    command: 'report <files..>',
    describe: 'Make an HTML page about states, archives and migrations',
    load: async () => (await import('./commands/states/report.ts')).reportCommand,
  },
  {
    command: 'receive',
    describe: 'Receive a running machine',
    load: async () => (await import('./commands/machines/receive.ts')).receiveCommand,
  },
  {
    command: 'send <state>',
    describe: 'Teleport the machine in a saved state to a VirtualBox on another host',
    load: async () => (await import('./commands/machines/send.ts')).sendCommand,
  },
  {
    command: 'relay',
    describe: 'Stand between a teleporting VirtualBox and its target: watch, record, encrypt',
    load: async () => (await import('./commands/machines/relay.ts')).relayCommand,
  },
  {
    command: 'find <state>',
    describe: 'Search guest memory for a text, bytes or a pattern',
    load: async () => (await import('./commands/states/find.ts')).findCommand,
  },
  {
    command: 'peek <file>',
    describe: 'Show bytes of guest memory',
    load: async () => (await import('./commands/states/peek.ts')).peekCommand,
  },
  {
    command: 'poke <state>',
    describe: 'Write bytes into guest memory: a new state, in which nothing else differs',
    load: async () => (await import('./commands/states/poke.ts')).pokeCommand,
  },
  {
    command: 'stats <file> [pattern]',
    describe: "Show the kinds of pages that guest memory consists of, by the names of VirtualBox's statistics",
    load: async () => (await import('./commands/states/stats.ts')).statsCommand,
  },
  {
    command: 'walk <file> <addresses..>',
    describe: 'Walk the page tables for virtual addresses',
    load: async () => (await import('./commands/states/walk.ts')).walkCommand,
  },
  {
    command: 'pagetable <file>',
    describe: "Show a CPU's page tables, or the memory that they map",
    load: async () => (await import('./commands/states/pagetable.ts')).pagetableCommand,
  },
  {
    command: 'console <state>',
    describe: "Ask about a machine as in VirtualBox's debugger",
    load: async () => (await import('./commands/states/console.ts')).consoleCommand,
  },
  {
    command: 'migrate [machine]',
    describe: 'Move a running machine to another host',
    load: async () => (await import('./commands/machines/migrate.ts')).migrateCommand,
  },
  {
    command: 'drain [machines..]',
    describe: "Move this host's machines to others, each exactly once",
    load: async () => (await import('./commands/machines/drain.ts')).drainCommand,
  },
  {
    command: 'run [state]',
    describe: 'Run a machine that executes a workload and checks its own memory',
    load: async () => (await import('./commands/machines/run.ts')).runMachineCommand,
  },
  {
    command: 'live-save <machine> <output>',
    describe: 'Save a machine while it runs',
    load: async () => (await import('./commands/machines/live-save.ts')).liveSaveCommand,
  },
  {
    command: 'control <machine> <action> [argument]',
    describe: 'Show the status of a running machine, or give it a command',
    load: async () => (await import('./commands/machines/control.ts')).controlCommand,
  },
  {
    command: 'top [machines..]',
    describe: 'Show machines and their migrations as they are now',
    load: async () => (await import('./commands/machines/top.ts')).topCommand,
  },
  {
    command: 'fleet <action> [words..]',
    describe: 'Share the work on many files among many hosts, by a queue',
    load: async () => (await import('./commands/states/fleet.ts')).fleetCommand,
  },
  {
    command: 'history',
    describe: 'List migrations from and to this host, out of their records',
    load: async () => (await import('./commands/machines/history.ts')).historyCommand,
  },
  {
    command: 'completion <shell> [file]',
    describe: 'Print the script with which a shell completes command lines of savkit',
    load: async () => {
      const { completionCommand } = await import('./commands/completion.ts');
      return completionCommand(async () => (await import('./completion/vocabulary.ts')).vocabularyOf(COMMANDS));
    },
  },
];
