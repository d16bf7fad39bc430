import { formatCount, formatNumberOf } from '../../cli/format-value.ts';

/** What a cell of a block map tells. */
export type CellState = 'good' | 'healed' | 'damaged' | 'lost' | 'unread';

/** Archives. */
export const archiveTexts = {
  title: 'Archives',
  lead: (count: string, size: string) => `${count}, ${size}`,
  count: (count: number) => formatNumberOf(count, 'archive'),
  refresh: 'Read the lists anew',
  listed: 'Lists read',
  notListed: (storage: string) => `${storage} could not be listed.`,
  filters: {
    label: 'Filter',
    text: 'Name',
    series: 'Series',
    storage: 'Storage',
    health: 'State',
    more: 'Kept',
    any: 'Any',
    kept: { pinned: 'Pinned', leaving: 'Leaves at the next prune' },
    apply: 'Filter',
    clear: 'Clear',
  },
  columns: {
    name: 'Archive',
    series: 'Series',
    created: 'Made',
    size: 'Size',
    places: 'Lies on',
    kept: 'Kept by',
    state: 'State',
  },
  pinned: 'pinned',
  leaving: 'leaves next',
  none: 'No archives yet',
  noneText: 'They appear here after the first backup.',
  noMatch: 'No archive matches',
  noMatchText: 'Loosen the filter, or clear it.',
  sortBy: (column: string) => `Sort by ${column}`,

  facts: 'Facts',
  made: 'Made',
  size: 'Size',
  series: 'Series',
  lastProof: 'Contents read',
  lastCheck: 'Blocks read',
  archiveId: 'Number',
  encryption: 'Sealed by',
  compression: 'Compression',
  copies: 'Copies in it',
  parity: 'Parity',
  parityText: (data: number, parity: number) => `${parity} blocks for each ${data}`,
  slots: 'Key slots',
  slotTypes: { passphrase: 'passphrase', age: 'age recipient', unknown: 'unknown' },
  unsealed: 'not encrypted',
  plain: 'A plain dump: the engine’s own tools read it. It has no blocks and no parity of its own.',
  headerFailed: 'Its header could not be read.',

  places: 'Where it lies',
  storage: 'Storage',
  locked: 'locked until',
  download: 'Download',
  downloadFrom: (storage: string) => `Download from ${storage}`,
  keeps: 'Why it is kept',
  keepsNothing: 'No rule keeps it: the next prune removes it.',

  map: {
    title: 'Block map',
    copy: (number: number) => `Copy ${number}`,
    /** How many cells are in each state; those of which there are none are left out. */
    text: ({ good, healed, damaged, lost, unread }: Readonly<Record<CellState, number>>) => {
      const parts = [
        [lost, 'lost'],
        [damaged, 'damaged'],
        [healed, 'healed'],
        [good, 'good'],
        [unread, 'not read yet'],
      ] as const;
      const present = parts.filter(([count]) => count > 0);
      const [only] = present;
      if (present.length === 1 && only?.[1] === 'good') return `all ${formatCount(good)} parts are good`;
      return `${present.map(([count, state]) => `${formatCount(count)} ${state}`).join(', ')}`;
    },
    legend: {
      good: 'good',
      parity: 'parity',
      damaged: 'damaged, to be healed',
      healed: 'healed',
      lost: 'lost',
      unread: 'not read yet',
    },
    scale: (blocks: number) =>
      blocks <= 1
        ? 'A cell is a block of 4 KiB.'
        : `A cell is ${formatCount(blocks)} blocks of 4 KiB, drawn by the worst of them.`,
    blocks: (first: number, last: number) =>
      first === last ? `Block ${formatCount(first)}` : `Blocks ${formatCount(first)} to ${formatCount(last)}`,
    places: (count: number) => formatNumberOf(count, 'place that is not good', 'places that are not good'),
    more: (count: number) => `and ${formatNumberOf(count, 'more place')}`,
    columns: { copy: 'Copy', blocks: 'Blocks', offset: 'From', state: 'State' },
    looked: 'Looked at',
    counts: (total: number, damaged: number, solved: number, lost: number) =>
      `${formatNumberOf(total, 'block')} a copy: ${formatCount(damaged)} damaged, ${formatCount(solved)} solved from parity, ${formatCount(lost)} lost.`,
    none: 'Nobody has looked at its blocks here yet.',
    look: 'Look at every block',
    lookOn: (storage: string) => `Look at every block on ${storage}`,
    running: 'Being read now: cells are filled in as they are read.',
  },

  contents: {
    title: 'Contents',
    closed: 'Names and contents are sealed. Opening reads the index, not the data.',
    viewer: 'Names and contents are sealed. Operators may open them.',
    button: 'Open',
    from: 'From',
    entry: 'Entry',
    kind: 'Kind',
    rows: 'Rows',
    size: 'Size',
    find: 'Path has',
    search: 'Find',
    sum: (entries: number, rows: number, size: string) =>
      `${formatNumberOf(entries, 'entry', 'entries')}, ${formatNumberOf(rows, 'row')}, ${size}`,
    gone: 'The contents are no longer held in memory. Open the archive again.',
    suspect: 'It holds far less than the archive before it.',
    cut: 'Not all entries are listed: there are too many.',
    tables: (count: number) => formatNumberOf(count, 'table'),
  },

  acts: {
    title: 'Actions',
    restore: 'Restore from it',
    verify: 'Verify',
    verifyText: 'Reads every entry, and compares it.',
    scrub: 'Scrub its storages',
    scrubText: 'Reads every archive there, and heals what is damaged.',
    drill: 'Drill',
    drillText: 'Restores it for a trial, and checks that.',
    pin: 'Pin',
    unpin: 'Unpin',
    pinText: 'Retention keeps what is pinned.',
    push: 'Push to another storage',
    pushTo: 'To',
    pushButton: 'Push',
    nowhere: 'It lies on every storage already.',
    delete: 'Delete',
    deleteText: 'It is removed from these storages for good.',
    deleteLabel: 'Type its name',
    deleteButton: 'Delete for good',
    withKey: 'With a key of its own',
    start: 'Start',
    only: 'Your role lets you look. Operators run and verify, admins delete and restore.',
  },
} as const;
