import { HoldfastError } from '../../../errors.ts';
import type { MysqlConnection } from '../../mysql/mysql-connection.ts';
import { quoteName } from '../../mysql/sql-text.ts';
import { type WrittenField, writtenFields } from '../restore/convert-rows.ts';
import { refusedValue } from '../restore/refused-value.ts';
import type { LoadPlan } from '../restore/restore-plan.ts';
import { literalOf } from './mysql-literal.ts';
import { mysqlRowError } from './mysql-row-error.ts';

/** What does not fit is an error; zero dates, which old applications have, are values. */
export const strictMode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES';
/** For rows with the member that an enum has for what is none of its members. */
const lenientMode = 'NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES';

const batchLength = 512 * 1024;
/** Of a statement, beside its rows. */
const headLength = 64 * 1024;
/** What a server changed on its way into a column. */
const changed = [1264, 1265, 1292, 1366, 1406];

/** Rows that are put into a table, many by one statement. Memory: that of a statement, or of the longest row. */
export class InsertBatches {
  readonly #connection: MysqlConnection;
  readonly #load: LoadPlan;
  readonly #label: string;
  readonly #packetBytes: number;
  readonly #head: string;
  readonly #tail: string;
  readonly #fields: readonly WrittenField[];
  readonly #literals: readonly ((text: string) => string | undefined)[];
  /** By field: whether it takes '' for none of its members. */
  readonly #hasNoMember: readonly boolean[];
  #rows: string[] = [];
  #length = 0;
  #firstRow = 1;
  #row = 0;

  constructor(
    connection: MysqlConnection,
    options: {
      readonly load: LoadPlan;
      readonly label: string;
      readonly table: string;
      readonly packetBytes: number;
    },
  ) {
    const { load, label, table, packetBytes } = options;
    this.#connection = connection;
    this.#load = load;
    this.#label = label;
    this.#packetBytes = packetBytes;
    this.#fields = writtenFields(load);
    this.#literals = this.#fields.map(({ target }) => literalOf(target));
    this.#hasNoMember = this.#fields.map(({ source, target }) => {
      const types = [source.type, target.type];
      return types.every((type) => type.kind === 'enum' && !type.values.includes(''));
    });
    this.#head = `INSERT INTO ${quoteName(table)} (${this.#fields.map(({ target }) => quoteName(target.name)).join(', ')}) VALUES `;
    const first = quoteName(this.#fields[0]?.target.name ?? '');
    this.#tail =
      load.onConflict === 'skip' && this.#fields.length > 0 ? ` ON DUPLICATE KEY UPDATE ${first} = ${first}` : '';
  }

  async add(rows: readonly (readonly (string | null)[])[]): Promise<void> {
    for (const values of rows) {
      this.#row += 1;
      const text = this.#rowText(values);
      if (this.#length + text.length > Math.min(batchLength, this.#packetBytes / 4)) await this.#send();
      if (this.#hasNoMember.some((is, index) => is && values[index] === '')) {
        await this.#send();
        await this.#sendLeniently(text, values);
        continue;
      }
      this.#rows.push(text);
      this.#length += text.length;
    }
  }

  async finish(): Promise<void> {
    await this.#send();
  }

  #rowText(values: readonly (string | null)[]): string {
    const parts = values.map((value, index) => {
      if (value === null) return 'NULL';
      const literal = this.#literals[index]?.(value);
      if (literal !== undefined) return literal;
      throw refusedValue({
        table: this.#load.target.name,
        field: this.#fields[index] as WrittenField,
        row: this.#row,
        value,
      });
    });
    const text = `(${parts.join(',')})`;
    if (text.length + headLength > this.#packetBytes || Buffer.byteLength(text) + headLength > this.#packetBytes) {
      throw new HoldfastError('target.incompatible', {
        message: `${this.#load.target.name}, row ${this.#row}: it is larger than the server takes (max_allowed_packet is ${this.#packetBytes})`,
        hint: 'raise max_allowed_packet of the server',
        context: { table: this.#load.target.name, row: this.#row },
      });
    }
    return text;
  }

  async #send(): Promise<void> {
    const rows = this.#rows;
    if (rows.length > 0) await this.#insert(rows.join(','), 0);
    this.#rows = [];
    this.#length = 0;
    this.#firstRow = this.#row + (rows.length > 0 ? 0 : 1);
  }

  async #sendLeniently(text: string, values: readonly (string | null)[]): Promise<void> {
    const expected = this.#hasNoMember.filter((is, index) => is && values[index] === '').length;
    await this.#connection.run(`SET SESSION sql_mode = '${lenientMode}'`);
    await this.#insert(text, expected);
    await this.#connection.run(`SET SESSION sql_mode = '${strictMode}'`);
    this.#firstRow = this.#row + 1;
  }

  /** Looks at what the server has to say of the rows: it rounds and cuts some values with no more than a note. */
  async #insert(rows: string, expectedWarnings: number): Promise<void> {
    const table = this.#load.target.name;
    try {
      const { warningCount } = await this.#connection.change(`${this.#head}${rows}${this.#tail}`);
      if (warningCount <= expectedWarnings) return;
      const warnings = await this.#connection.rows('SHOW WARNINGS');
      const [warning] = warnings.filter((row) => changed.includes(Number(row['Code'])));
      if (warning === undefined) return;
      throw Object.assign(new Error(String(warning['Message'])), { code: 'WARN_DATA', errno: Number(warning['Code']) });
    } catch (error) {
      throw mysqlRowError(error, { table, label: this.#label, firstRow: this.#firstRow });
    }
  }
}
