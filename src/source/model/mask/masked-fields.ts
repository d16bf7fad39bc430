import type { PlannedModel } from '../registry/merge-registry.ts';
import type { MaskedField } from './create-masker.ts';

/** What a column of the target takes. */
export interface ColumnLimits {
  /** NOT NULL. */
  readonly required: boolean;
  readonly maxLengthCharacters?: number;
}

/**
 * The fields of a model that have a mask, with what their columns take.
 *
 * @param limitsOf What a column takes; undefined for one that the target does not have, which then needs no mask.
 */
export function maskedFields(
  { fields }: Pick<PlannedModel, 'fields'>,
  limitsOf: (column: string) => ColumnLimits | undefined,
): MaskedField[] {
  return fields.flatMap(({ name, column, kind }): MaskedField[] => {
    const mask = 'mask' in kind ? kind.mask : undefined;
    const limits = limitsOf(column);
    return mask === undefined || limits === undefined ? [] : [{ field: name, column, mask, ...limits }];
  });
}
