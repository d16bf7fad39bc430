import { HoldfastError } from '../../errors.ts';

/** Options that would send the dump elsewhere, change whose it is, or take a part of it that is not asked for. */
const refused =
  /^(-[^-]*[fjdhpUWaswEN]|--(file|jobs|dbname|host|port|username|no-password|password|section|snapshot|encoding|data-only|schema-only|lock-wait-timeout|clean|create|if-exists|help|version|role|inserts|column-inserts|rows-per-insert|attribute-inserts|statistics-only|sequence-data)(=|$))/;
/** Those that only say how a whole dump is written. */
const formatOption = /^(-F|--format(=|$)|-Z|--compress(=|$))/;

/** Throws `usage.invalid`. */
export function checkExtraOptions(extraOptions: readonly string[], method: 'copy' | 'dump'): void {
  for (const option of extraOptions) {
    const name = option.split('=', 1)[0] ?? '';
    if (!option.startsWith('-') || option === '--' || option === '-') {
      throw new HoldfastError('usage.invalid', {
        message: 'an extra option of pg_dump begins with --',
        hint: 'write its value behind an equals sign: --exclude-schema=…',
      });
    }
    const isFormat = formatOption.test(option);
    if ((!isFormat && refused.test(option)) || (isFormat && method === 'copy')) {
      throw new HoldfastError('usage.invalid', { message: `the option ${name} of pg_dump is set by Holdfast` });
    }
  }
  dumpFormat(extraOptions);
}

/** How a whole dump is written, as the extra options ask: `custom` unless set. Throws `usage.invalid`. */
export function dumpFormat(extraOptions: readonly string[]): 'custom' | 'plain' {
  const asked = extraOptions.findLast((option) => /^(-F|--format)/.test(option));
  const value = asked?.replace(/^(-F|--format=?)/, '') ?? 'c';
  if (/^c(ustom)?$/.test(value)) return 'custom';
  if (/^p(lain)?$/.test(value)) return 'plain';
  throw new HoldfastError('usage.invalid', {
    message: 'a dump that is one stream has the format custom or plain',
    hint: '--format=custom or --format=plain',
  });
}
