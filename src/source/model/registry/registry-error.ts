import { nearestName } from '../../../config/nearest-name.ts';
import { HoldfastError } from '../../../errors.ts';

/** A mistake in a registration, with the file that it stands in. */
export function registryError(file: string, reason: string, hint: string): HoldfastError {
  return new HoldfastError('config.invalid', { message: `${file}: ${reason}`, hint, context: { file } });
}

/** `did you mean invoices?`, or the names that there are. */
export function suggest(name: string, names: readonly string[]): string {
  const nearest = nearestName(name, names);
  if (nearest !== undefined) return `did you mean ${nearest}?`;
  return names.length === 0 ? 'there are none' : `there are ${names.slice(0, 20).join(', ')}`;
}
