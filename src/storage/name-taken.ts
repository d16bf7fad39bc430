import { HoldfastError } from '../errors.ts';

/** What a `createOnly` writer throws where an object stands under its name. */
export function nameTaken(place: string, cause?: unknown): HoldfastError {
  return new HoldfastError('storage.conflict', {
    message: `${place}: it exists`,
    context: { place },
    ...(cause === undefined ? {} : { cause }),
  });
}
