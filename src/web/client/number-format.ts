const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Bytes for people, as the server writes them: `1.5 KiB`. */
export function formatSize(sizeBytes: number): string {
  let value = sizeBytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit > 0 && value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits).replace(/\.0$/, '')} ${units[unit]}`;
}

/** A span for people, short enough for an axis: `0.4 s`, `12 s`, `3 min`, `2.5 h`. */
export function formatSpan(durationMs: number): string {
  const seconds = durationMs / 1000;
  const short = (value: number, unit: string) => `${value.toFixed(value < 9.95 ? 1 : 0).replace(/\.0$/, '')} ${unit}`;
  if (seconds < 60) return short(seconds, 's');
  return seconds < 3600 ? short(seconds / 60, 'min') : short(seconds / 3600, 'h');
}
