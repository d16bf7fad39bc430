import type { CopyLane } from './copy-lane.ts';
import { CopyOut, type SilenceWatch } from './copy-out.ts';
import { quoteName, quoteTable } from './sql-name.ts';
import type { SourceTable } from './table-list.ts';

/** A larger table is read in ranges of so many pages: 16 MiB of the usual ones. */
const rangePages = 2_048;
/** With more ranges than this, each is larger. */
const maximumRanges = 1_024;
/** After so many bytes of one connection comes the turn of the next: what it has sent meanwhile waits in the kernel. */
const turnBytes = 256 * 1024;

/** What the rows of a table, or of a range of its pages, are asked for with. */
function copyStatement(table: SourceTable, range: { readonly from?: number; readonly to?: number } = {}): string {
  const { columns, condition } = table;
  const names = columns.map(quoteName).join(', ');
  const limits = [
    ...(range.from === undefined ? [] : [`ctid >= '(${range.from},0)'::tid`]),
    ...(range.to === undefined ? [] : [`ctid < '(${range.to},0)'::tid`]),
  ];
  if (limits.length > 0) {
    return `COPY (SELECT ${names} FROM ONLY ${quoteTable(table)} WHERE ${limits.join(' AND ')}) TO STDOUT`;
  }
  // The condition of an extension begins with its own WHERE.
  if (condition !== '') return `COPY (SELECT ${names} FROM ONLY ${quoteTable(table)} ${condition}) TO STDOUT`;
  return `COPY ${quoteTable(table)}${names === '' ? '' : ` (${names})`} TO STDOUT`;
}

/** The statements that give all rows of a table, each once. */
export function copyStatements(
  table: SourceTable,
  options: { readonly canSplit: boolean; readonly rangePages?: number },
) {
  const pages = Math.max(options.rangePages ?? rangePages, Math.ceil(table.pageCount / maximumRanges));
  const count = Math.ceil(table.pageCount / pages);
  if (!options.canSplit || count < 2 || table.condition !== '' || table.columns.length === 0)
    return [copyStatement(table)];
  return Array.from({ length: count }, (_, index) =>
    copyStatement(table, {
      ...(index === 0 ? {} : { from: index * pages }),
      // The last has no end: rows may have come since the table was measured.
      ...(index === count - 1 ? {} : { to: (index + 1) * pages }),
    }),
  );
}

/** How the rows of a table are read. */
export interface TableRowsOptions {
  readonly statements: readonly string[];
  readonly lanes: readonly CopyLane[];
  /** The lane of the first statement; the others follow in turn. */
  readonly firstLane: number;
  readonly silence: SilenceWatch;
}

interface Part {
  readonly lane: CopyLane;
  readonly copy: CopyOut;
}

/**
 * The rows of a table, read by several connections at once. They take turns at the ends of rows, by bytes, so that the same rows come in the same
 * order whoever is faster. Memory: about 1 MiB for each connection.
 */
export class TableRows {
  /** By lane, in the order in which it reads them. */
  readonly #turns: Part[][] = [];
  #turn = 0;
  #turnTakenBytes = 0;
  #rowCount = 0;

  constructor(options: TableRowsOptions) {
    const { statements, lanes, firstLane, silence } = options;
    for (const [index, sql] of statements.entries()) {
      const place = index % lanes.length;
      const lane = lanes[(firstLane + place) % lanes.length] as CopyLane;
      const part = { lane, copy: new CopyOut(sql, silence) };
      this.#turns[place] = [...(this.#turns[place] ?? []), part];
      lane.add(part.copy);
    }
  }

  /** Rows that the server told of at the end of each part, which are those that came; complete at the end. */
  get rowCount(): number {
    return this.#rowCount;
  }

  /** Fills `into` from its start; gives 0 at the end. Throws as {@link CopyOut.readInto}. */
  async readInto(into: Uint8Array): Promise<number> {
    let done = 0;
    while (done < into.length && this.#turns.length > 0) {
      const turn = this.#turns[this.#turn] ?? [];
      const [part] = turn;
      if (part === undefined) {
        this.#turns.splice(this.#turn, 1);
        this.#pass(this.#turn);
        continue;
      }
      const { copy, lane } = part;
      const taken = await copy.readInto(into.subarray(done), turnBytes - this.#turnTakenBytes);
      done += taken;
      this.#turnTakenBytes += taken;
      if (taken === 0) {
        this.#rowCount += copy.rowCount;
        turn.shift();
        lane.finish();
      }
      if (taken === 0 || (this.#turnTakenBytes >= turnBytes && copy.isBetweenRows)) this.#pass(this.#turn + 1);
    }
    return done;
  }

  #pass(turn: number): void {
    this.#turn = turn < this.#turns.length ? turn : 0;
    this.#turnTakenBytes = 0;
  }
}
