import { HoldfastError } from '../errors.ts';
import { FanOutWriter } from '../storage/fan-out/fan-out-writer.ts';
import type { StorageWriter, StoredObject, WriterOptions } from '../storage/storage.ts';
import { createOnlyStorage } from '../storage/wrap/create-only.ts';
import { errorReport } from './error-report.ts';
import { writableLocation } from './location.ts';
import type { BackupOptions, BackupOutput, OutputReport } from './options.ts';

/** The places that a backup goes to. Throws `usage.invalid` where there is none. */
export function outputLocations(output: BackupOptions['output']): BackupOutput[] {
  if (!Array.isArray(output)) return [writableLocation(output as string | BackupOutput)];
  if (output.length > 0) return [...(output as readonly BackupOutput[])];
  throw new HoldfastError('usage.invalid', { message: 'there is no output' });
}

/** A writer to all places, and what became of each. */
export interface OpenedOutputs {
  readonly writer: StorageWriter;
  /** After the commit. */
  reports(stored: StoredObject): OutputReport[];
}

/** Opens the places: one as it is, several so that each may fail by itself. */
export async function openOutputs(
  options: Pick<BackupOptions, 'output' | 'severalOutputs'>,
  writerOptions: WriterOptions,
): Promise<OpenedOutputs> {
  const locations = outputLocations(options.output).map((location) =>
    location.createOnly === true ? { ...location, storage: createOnlyStorage(location.storage) } : location,
  );
  const [only] = locations;
  if (only !== undefined && locations.length === 1) {
    const { storage, name } = only;
    const writer = await storage.writer(name, writerOptions);
    const reports = ({ sizeBytes }: StoredObject) => [
      { ...nameOf(only), output: storage.url(name), sizeBytes },
      ...failedParts(writer.parts),
    ];
    return { writer, reports };
  }
  const targets = locations.map((location) => {
    const { storage, name } = location;
    return { storage, name, label: location.label ?? storage.url(name) };
  });
  const { bufferBytes, stallTimeoutMs } = options.severalOutputs ?? {};
  const writer = await FanOutWriter.open(targets, {
    ...writerOptions,
    needsFreeName: locations.some(({ createOnly }) => createOnly === true),
    ...(bufferBytes === undefined ? {} : { bufferBytes }),
    ...(stallTimeoutMs === undefined ? {} : { stallTimeoutMs }),
  });
  const reports = () =>
    writer.results.flatMap(({ target, error, stored, parts }): OutputReport[] => {
      const output = target.storage.url(target.name);
      const place = { storage: target.label, output };
      if (stored === undefined) return [{ ...place, error: errorReport(error) }];
      return [{ ...place, sizeBytes: stored.sizeBytes }, ...failedParts(parts)];
    });
  return { writer, reports };
}

/** Parts that an archive is there without: each is an output that got nothing. */
function failedParts(parts: StorageWriter['parts']): OutputReport[] {
  return (parts ?? []).flatMap(({ label, url, error }) =>
    error === undefined ? [] : [{ storage: label, output: url, error: errorReport(error) }],
  );
}

function nameOf(location: { readonly label?: string } | undefined): { readonly storage?: string } {
  return location?.label === undefined ? {} : { storage: location.label };
}
